"""The pipeline for somebody who watches: sources that are played, settings that change while it runs."""
