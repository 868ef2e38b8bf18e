"""Measures of the stability of masks from frame to frame; see DEFINITIONS.md beside this file."""
