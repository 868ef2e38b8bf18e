"""Live runs: sources that are played, and settings that change while a run goes on."""
