"""How still masks are from frame to frame, in figures: see DEFINITIONS.md beside this file."""
