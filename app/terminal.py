"""Text on a terminal: tables of figures, plain in a file or a pipe, and progress bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table as RichTable

from pipeline.metrics.performance import TIMING_HEADS, summary_lines, timing_row
from pipeline.metrics.run import MetricsSnapshot


@dataclass(frozen=True)
class Table:
    """A title, the heads of the columns, and rows of as many texts. The first column names the row."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def percent(value: float | None) -> str:
    """Return a share of one as percent, with one decimal; a dash where there was nothing to measure."""
    return "-" if value is None else f"{100 * value:.1f}"


def show(table: Table) -> None:
    """Print a table to the standard output; on a terminal too narrow for it the plain one, which wraps."""
    console = Console()
    drawn = _drawn(table)
    width = Measurement.get(console, console.options.update(max_width=10_000), drawn).maximum
    if console.is_terminal and width <= console.width:
        console.print(drawn)
    else:
        print(plain(table))


def plain(table: Table) -> str:
    """The table as lines of text: the first column flush left, figures flush right, nothing cut off."""
    lines = (table.heads, *table.rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join([table.title, *(_line(line, widths) for line in lines)])


def timings_text(snapshot: MetricsSnapshot) -> str:
    """Return a row a stage, lines about queues, drops and ages, and the bottleneck.

    "works" and "waits" are shares of the run's time.
    """
    if not snapshot.stages:
        return "timings: nothing was measured"
    title = f"timings: {snapshot.frames} frames in {snapshot.seconds:.2f} s, {snapshot.fps:.1f} fps"
    rows = tuple(timing_row(snapshot, stage) for stage in snapshot.stages)
    return "\n".join([plain(Table(title, TIMING_HEADS, rows)), *summary_lines(snapshot)])


def progress_bar(*columns: str | ProgressColumn, quiet: bool = False) -> Progress:
    """Return a bar on the error output, which shows nothing where that is no terminal.

    columns: what is shown, rich's usual columns by default; the bar vanishes when it is done
    """
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


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.rjust(width) if i else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *others]).rstrip()


def _drawn(table: Table) -> RichTable:
    drawn = RichTable(title=table.title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for i, head in enumerate(table.heads):
        # figures are narrower than their heads, which therefore stand in several lines
        drawn.add_column(
            head.replace(" ", "\n") if i else head, justify="right" if i else "left", no_wrap=True
        )
    for row in table.rows:
        drawn.add_row(*row)
    return drawn
