"""Tables of figures: drawn on a terminal, plain aligned columns in a file or a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A title, the heads of the columns, and rows of as many texts. The first column names the row."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def show(table: Table) -> None:
    """Print a table to the standard output."""
    from rich.console import Console

    console = Console()
    if console.is_terminal:
        console.print(_drawn(table))
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


def _drawn(table: Table) -> object:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable

    drawn = RichTable(
        title=table.title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for i, (head, *cells) in enumerate(zip(table.heads, *table.rows, strict=True)):
        # on a narrow terminal heads break between words, but no figure is cut off
        least = max(map(len, (*head.split(), *cells)), default=0)
        drawn.add_column(head, justify="right" if i else "left", min_width=least)
    for row in table.rows:
        drawn.add_row(*row)
    return drawn
