"""Progress bars on the error output; nothing at all where that is no terminal."""

from __future__ import annotations

from rich.console import Console
from rich.progress import Progress, ProgressColumn


def progress_bar(*columns: str | ProgressColumn, quiet: bool = False) -> Progress:
    """A bar that vanishes when it is done, with these columns or rich's usual ones."""
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
