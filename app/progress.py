"""Progress bars on the error output; nothing at all where that is no terminal."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn


def progress_bar(*columns: str | ProgressColumn, quiet: bool = False) -> Progress:
    """A bar that vanishes when it is done, with these columns or rich's usual ones."""
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)


def frames_bar(quiet: bool) -> Progress:
    """A bar for frames that a pipeline works off; each task has a field `status`, shown as it is."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.completed}"),
        TextColumn("{task.fields[status]}", markup=False),
        TimeRemainingColumn(),
    )
    return progress_bar(*columns, quiet=quiet)
