"""The figures of `stability` as rows of texts: the table to quote, and what a setting gains and costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan
from statistics import fmean
from typing import TYPE_CHECKING

from app.terminal import Table
from pipeline.tracking.options import STABILISE_KINDS

if TYPE_CHECKING:
    from app.stability.run import Run
    from app.stability.sink import Curves
    from pipeline.stability.records import StabilitySummary

NONE = "–"  # where there was nothing to measure
PLAIN = STABILISE_KINDS[0]


@dataclass(frozen=True)
class Column:
    """A column of the table to quote.

    head:  its name
    what:  the same in a few words, for a tooltip
    cell:  what stands in it
    truth: whether it takes ground truth; left out where no input has any
    """

    head: str
    what: str
    cell: Callable[[StabilitySummary], str]
    truth: bool = False


def percent(value: float | None, sign: bool = False) -> str:
    """A share of one as percent with two decimals, which is what differences between settings need."""
    if value is None:
        return NONE
    return f"{100 * value:{'+' if sign else ''}.2f}"


COLUMNS: tuple[Column, ...] = (
    Column("stability", "the one figure, percent, more is better", lambda s: percent(s.stability)),
    Column("jitter", "percent of a mask that changes, motion aside", lambda s: percent(s.jitter)),
    Column("boundary jitter", "the same along the outline", lambda s: percent(s.boundary_jitter)),
    Column("excess", "jitter less the ground truth's own, points", lambda s: percent(s.excess, True), True),
    Column("boundary excess", "the same along the outline", lambda s: percent(s.boundary_excess, True), True),
    Column("missing", "frames in which a track has no mask (gaps)", lambda s: _missing(s)),
    Column(
        "id / class changes",
        "a mask goes on under another id; a track's class becomes another one",
        lambda s: f"{s.id_changes} / {s.class_changes}",
    ),
    Column("coverage", "percent of the frames that have a mask", lambda s: percent(s.coverage)),
    Column("area", "percent of the frame under any mask, mean", lambda s: percent(s.area_share)),
    Column("masks", "masks a frame, mean", lambda s: f"{s.masks:.2f}"),
    Column("found", "percent of the known objects that have a mask", lambda s: percent(s.matched), True),
    Column("J", "mean IoU with the ground truth, percent, more is better", lambda s: percent(s.iou), True),
    Column("change of J", "its mean change, frame to frame, points", lambda s: percent(s.iou_change), True),
)


@dataclass(frozen=True)
class Row:
    """A row of the table to quote; `failed` says why its figures mean nothing, else it is None."""

    video: str
    setting: str
    cells: tuple[str, ...]
    failed: str | None


def columns(runs: Sequence[Run]) -> tuple[Column, ...]:
    """Return the columns of the table; those about ground truth only if a run has any."""
    known = any(run.video.truth is not None for run in runs)
    return tuple(column for column in COLUMNS if known or not column.truth)


def rows(runs: Sequence[Run]) -> list[Row]:
    """A row for each run, in their order."""
    shown = columns(runs)
    return [
        Row(
            run.video.name,
            run.setting.label,
            tuple(column.cell(run.summary) for column in shown),
            run.summary.failed,
        )
        for run in runs
    ]


def headline(runs: Sequence[Run]) -> Table:
    """The table to quote, for the terminal."""
    heads = ("input, setting", *(column.head for column in columns(runs)))
    lines = tuple((f"{row.video}, {row.setting}", *row.cells) for row in rows(runs))
    return Table("stability, percent", heads, lines)


@dataclass(frozen=True)
class Gain:
    """The change by a strength of stabilising against none, all else alike.

    jitter, boundary_jitter, excess: relative change, -0.3 where 30 % of it are gone; None where there is none
    iou, matched:                    difference of J and of the share that is found, negative where it costs
    like_jitter, like_iou:           change of jitter and difference of J over those pairs of frames alone in
                                     which both have as many masks: what is found besides changes no mean
    missing, id_changes:             difference of their numbers
    """

    run: Run
    jitter: float | None
    like_jitter: float | None
    boundary_jitter: float | None
    excess: float | None
    iou: float | None
    like_iou: float | None
    matched: float | None
    missing: int
    id_changes: int


def gains(runs: Sequence[Run]) -> list[Gain]:
    """A record for each run that is stabilised and has its like that is not."""
    plain = {(run.video.name, run.setting.weights): run for run in runs if run.setting.stabilise == PLAIN}
    found = []
    for run in runs:
        before = plain.get((run.video.name, run.setting.weights))
        if run.setting.stabilise != PLAIN and before is not None:
            found.append(_gain(run, before))
    return found


GAIN_HEADS = (
    "jitter",
    "over as many masks",
    "boundary jitter",
    "excess",
    "J, points",
    "over as many masks",
    "found, points",
    "missing frames",
    "id changes",
)


def gain_cells(gain: Gain) -> tuple[str, ...]:
    """The cells under `GAIN_HEADS`."""
    changes = (gain.jitter, gain.like_jitter, gain.boundary_jitter, gain.excess)
    relative = map(_relative, changes)
    points = (percent(value, True) for value in (gain.iou, gain.like_iou, gain.matched))
    return (*relative, *points, f"{gain.missing:+d}", f"{gain.id_changes:+d}")


def gain_table(found: Sequence[Gain]) -> Table:
    """The gains, for the terminal."""
    lines = tuple((f"{gain.run.video.name}, {gain.run.setting.label}", *gain_cells(gain)) for gain in found)
    return Table(f"against {PLAIN!r}", ("input, setting", *GAIN_HEADS), lines)


def _gain(run: Run, plain: Run) -> Gain:
    after, before = run.summary, plain.summary
    return Gain(
        run,
        _change(after.jitter, before.jitter),
        _change(*_means_alike("jitter", run.curves, plain.curves)),
        _change(after.boundary_jitter, before.boundary_jitter),
        _change(after.excess, before.excess),
        _difference(after.iou, before.iou),
        _difference(*_means_alike("iou", run.curves, plain.curves)),
        _difference(after.matched, before.matched),
        after.missing - before.missing,
        after.id_changes - before.id_changes,
    )


def _means_alike(figure: str, one: Curves, other: Curves) -> tuple[float | None, float | None]:
    """The means of a figure of both over the pairs of frames in which both have as many masks."""
    frames = range(1, min(len(one.masks), len(other.masks)))
    alike = [t for t in frames if one.masks[t - 1 : t + 1] == other.masks[t - 1 : t + 1]]
    pairs = [(one.figures[figure][t], other.figures[figure][t]) for t in alike]
    told = [pair for pair in pairs if not any(map(isnan, pair))]
    if not told:
        return None, None
    return fmean(pair[0] for pair in told), fmean(pair[1] for pair in told)


def _change(after: float | None, before: float | None) -> float | None:
    """Return the relative change, such as -0.3; None without a positive value before."""
    if after is None or before is None or before <= 0:
        return None
    return after / before - 1


def _difference(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def _relative(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:+.1f} %"


def _missing(summary: StabilitySummary) -> str:
    return f"{summary.missing} ({summary.gaps})" if summary.missing else "0"
