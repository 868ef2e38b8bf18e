"""The plots of the report, as SVG that stands in a page: its colours are the page's, in light and in dark."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

WIDTH = 9.0  # inches, of which an SVG keeps the proportions alone
POINTS = 240  # of a line; more frames than this are shown as means
STYLES = ("-", "--", "-.", ":")  # so that lines differ by more than their colour
SERIES = 6
TRUTH = "J"  # the figure of which a part of the scale may be looked at; all others begin at 0
# colours that stand for the page's own: the last two digits are the number of a CSS variable
INK, MUTED, GRID = "#010100", "#010101", "#010102"
_SETTINGS: Any = {
    "svg.fonttype": "none",  # letters stay letters: they can be read aloud, found and copied
    "font.size": 8,
    "text.parse_math": False,  # names of files and classes may have dollars in them
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "hatch.color": MUTED,
    "hatch.linewidth": 0.6,
}
_COLOUR = re.compile(r"#0101([0-9a-f]{2})")
_SIZE = re.compile(r'(<svg\b[^>]*?)\s+width="[^"]*"|(<svg\b[^>]*?)\s+height="[^"]*"')
_NAMES = re.compile(r'(\bid="|url\(#|href="#)')


@dataclass(frozen=True)
class Plot:
    """svg: the element, fit to stand in HTML; alt: what it shows, in words."""

    svg: str
    alt: str


@dataclass(frozen=True)
class Series:
    """A line: `values` over `times`, NaN where there is none; `label` in the legend."""

    label: str
    times: Sequence[float]
    values: Sequence[float]


def series_colour(number: int) -> str:
    """The colour of the line of this number."""
    return f"#0101{0x10 + number % SERIES:02x}"


def level_colour(number: int) -> str:
    """The colour of the level of this number, from calm to unsteady."""
    return f"#0101{0x20 + number:02x}"


@contextmanager
def figure(height: float, name: str, rows: int = 1) -> Iterator[tuple[Figure, list[Axes], list[str]]]:
    """A figure with `rows` axes above one another; once it is drawn, its SVG is in the list that was empty.

    height: in inches, `WIDTH` wide; name: of this plot alone within the page
    """
    with rc_context({**_SETTINGS, "svg.hashsalt": name}):
        drawn = Figure(figsize=(WIDTH, height), layout="constrained")
        axes = drawn.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
        svg: list[str] = []
        yield drawn, list(axes), svg
        text = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        drawn.savefig(text, format="svg", transparent=True, metadata=nothing)
        svg.append(_for_page(text.getvalue(), name))


def over_time(panels: Mapping[str, Sequence[Series]], breaks: Sequence[float], name: str) -> Plot:
    """A panel for each figure, in percent, with a line for each setting.

    breaks: seconds at which shots begin; name: of this plot alone within the page
    """
    with figure(1.0 + 1.7 * len(panels), name, len(panels)) as (drawn, axes, svg):
        for axis, (title, lines) in zip(axes, panels.items(), strict=True):
            for number, line in enumerate(lines):
                times, values = thinned(line.times, line.values)
                axis.plot(times, 100 * values, label=line.label, **_look(number))
            axis.set_ylabel(f"{title}, %")
            if title != TRUTH:
                axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
            for moment in breaks:
                axis.axvline(moment, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
        axes[-1].set_xlabel("time, s")
        handles, labels = axes[0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside upper left", ncols=4)
    names = ", ".join(line.label for line in next(iter(panels.values())))
    told = "; ".join(f"{title}: {_ranges(lines)}" for title, lines in panels.items())
    return Plot(svg[0], f"{' and '.join(panels)} over time for {names}. Means: {told}.")


def trade_off(lines: Mapping[str, Sequence[tuple[str, float, float]]], axis_name: str, name: str) -> Plot:
    """A curve for each source of masks through its settings: (label, unsteadiness, J), shares of one."""
    with figure(3.6, name) as (_, (axis,), svg):
        for number, (title, points) in enumerate(lines.items()):
            x = [100 * point[1] for point in points]
            y = [100 * point[2] for point in points]
            axis.plot(x, y, marker="o", label=title, **_look(number))
            for (label, _, _), left, up in zip(points, x, y, strict=True):
                axis.annotate(label, (left, up), xytext=(6, 5), textcoords="offset points")
        axis.margins(0.15, 0.25)
        axis.set_xlabel(f"{axis_name}, %: less is steadier")
        axis.set_ylabel("J, %: more is truer")
        if len(lines) > 1:
            axis.legend(loc="best")
    told = "; ".join(
        f"{title}: " + ", ".join(f"{label} {100 * x:.2f} and {100 * y:.2f}" for label, x, y in points)
        for title, points in lines.items()
    )
    return Plot(svg[0], f"J over {axis_name}, percent. {told}.")


def thinned(
    times: Sequence[float], values: Sequence[float], points: int = POINTS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Reduce a series to at most so many points: means of neighbouring frames, NaN where none has a value."""
    t, v = np.asarray(times, np.float64), np.asarray(values, np.float64)
    if len(t) <= points:
        return t, v
    edges = np.linspace(0, len(t), points + 1).astype(int)
    known = np.isfinite(v)
    sums = np.add.reduceat(np.where(known, v, 0), edges[:-1])
    counts = np.add.reduceat(known, edges[:-1], dtype=np.int64)
    means = np.divide(sums, counts, out=np.full(points, np.nan), where=counts > 0)
    return t[(edges[:-1] + edges[1:]) // 2], means


def _look(number: int) -> dict[str, Any]:
    return {"color": series_colour(number), "linestyle": STYLES[number % len(STYLES)]}


def _ranges(lines: Sequence[Series]) -> str:
    return ", ".join(f"{line.label} {_mean(line.values)}" for line in lines)


def _mean(values: Sequence[float]) -> str:
    numbers = np.asarray(values, np.float64)
    numbers = numbers[np.isfinite(numbers)]
    return f"{100 * numbers.mean():.2f} %" if len(numbers) else "none"


def _for_page(text: str, name: str) -> str:
    """The element alone, with the page's colours, names of its own, and as wide as there is room."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for _ in range(2):
        text = _SIZE.sub(lambda found: found[1] or found[2], text, count=1)
    text = _COLOUR.sub(r"var(--c\1)", text)
    text = _NAMES.sub(rf"\g<1>{name}-", text)
    return text.replace("<svg", '<svg aria-hidden="true"', 1).strip()
