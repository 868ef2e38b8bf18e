"""Tables of figures: drawn on a terminal, plain aligned columns in a file or a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table as RichTable


@dataclass(frozen=True)
class Table:
    """A title, the heads of the columns, and rows of as many texts. The first column names the row."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def percent(value: float | None) -> str:
    """A share of one as percent, with one decimal; a dash where there was nothing to measure."""
    return "-" if value is None else f"{100 * value:.1f}"


def show(table: Table) -> None:
    """Print a table to the standard output; on a terminal too narrow for it the plain one, which wraps."""
    from rich.console import Console
    from rich.measure import Measurement

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


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.rjust(width) if i else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *others]).rstrip()


def _drawn(table: Table) -> RichTable:
    from rich.table import Table as RichTable

    drawn = RichTable(title=table.title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for i, head in enumerate(table.heads):
        # figures are narrower than their heads, which therefore stand in several lines
        drawn.add_column(
            head.replace(" ", "\n") if i else head, justify="right" if i else "left", no_wrap=True
        )
    for row in table.rows:
        drawn.add_row(*row)
    return drawn
