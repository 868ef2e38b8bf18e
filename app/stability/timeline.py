"""The timeline of a run: a row for each track, with its unstable moments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from app.stability.plots import INK, MUTED, Plot, figure, level_colour
from app.stability.sink import Line

if TYPE_CHECKING:
    from app.stability.run import Run
    from pipeline.stability.records import TrackScore

ROWS = 24  # tracks that are shown, those that were seen the longest
LEVELS = (0.05, 0.1, 0.2)  # of jitter, where the next colour begins
CELLS = 300  # the finest that a row is divided
_MISSING: Mapping[str, Any] = {"facecolor": "none", "edgecolor": INK, "hatch": "////", "linewidth": 0.5}
LEVEL_NAMES = ("not compared", "jitter under 5 %", "5 to 10 %", "10 to 20 %", "20 % and more")


def timeline(run: Run, name: str) -> Plot | None:
    """Plot the tracks of a run: their jitter, their gaps, and changes of class or id.

    None where there is no track. Only the `ROWS` longest ones are shown.
    """
    tracks = sorted(run.summary.tracks, key=lambda track: (-track.seen, track.track))[:ROWS]
    if not tracks:
        return None
    tracks.sort(key=lambda track: (track.first, track.track))
    times = _edges(run.curves.times)
    with figure(1.1 + 0.26 * len(tracks), name) as (drawn, (axis,), svg):
        for row, track in enumerate(tracks):
            _draw(axis, row, track, run.curves.lines.get(track.track, Line()), times)
        for frame in run.summary.breaks:
            axis.axvline(times[frame], color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
        axis.set_yticks(range(len(tracks)), [f"{track.class_name} {track.track}" for track in tracks])
        axis.set_ylim(len(tracks) - 0.4, -0.6)
        axis.set_xlim(times[0], times[-1])
        axis.grid(visible=False, axis="y")
        axis.set_xlabel("time, s")
        _legend(drawn)
    return Plot(svg[0], _words(run, tracks))


def levels(jitter: Sequence[float]) -> list[int]:
    """The level of each value, 1 for calm, 0 where there is none."""
    values = np.asarray(jitter, np.float64)
    return [int(level) for level in np.where(np.isnan(values), 0, np.digitize(values, LEVELS) + 1)]


def spans(frames: Sequence[int], marks: Sequence[int], cell: int = 1) -> Iterator[tuple[int, int, int]]:
    """Runs of frames without a gap and of one mark: the first frame, how many, the mark.

    cell: frames that share the highest of their marks
    """
    frames_, marks_ = np.asarray(frames), np.asarray(marks)
    if not len(frames_):
        return
    if cell > 1:
        starts = np.flatnonzero(np.diff(frames_ // cell, prepend=-1))
        marks_ = np.repeat(np.maximum.reduceat(marks_, starts), np.diff(starts, append=len(marks_)))
    cuts = np.flatnonzero((np.diff(frames_) != 1) | (np.diff(marks_) != 0)) + 1
    for part in np.split(np.arange(len(frames_)), cuts):
        yield int(frames_[part[0]]), int(frames_[part[-1]] - frames_[part[0]]) + 1, int(marks_[part[0]])


def _draw(axis: Axes, row: int, track: TrackScore, line: Line, times: Sequence[float]) -> None:
    cell = max(len(times) // CELLS, 1)
    for first, count, level in spans(line.frames, levels(line.jitter), cell):
        width = times[first + count] - times[first]
        axis.broken_barh(
            [(times[first], width)], (row - 0.36, 0.72), facecolor=level_colour(level), linewidth=0
        )
    for first, count in track.gaps:
        width = times[first + count] - times[first]
        bar = (row - 0.36, 0.72)
        axis.broken_barh(
            [(times[first], width)], bar, facecolor="none", edgecolor=INK, hatch="////", linewidth=0.5
        )
    for marker, frames in (("D", track.class_changes), ("v", track.id_changes)):
        where = [times[frame] for frame in frames]
        axis.plot(where, [row] * len(where), marker, color=INK, markersize=4, linestyle="none")


def _edges(times: Sequence[float]) -> list[float]:
    """Return the time at which each frame begins and the last one ends, which lasts as long as most do."""
    lengths = np.diff(np.asarray(times, np.float64))
    return [*times, times[-1] + (float(np.median(lengths)) if len(lengths) else 1.0)]


def _legend(drawn: Figure) -> None:
    handles = [Patch(facecolor=level_colour(level), label=text) for level, text in enumerate(LEVEL_NAMES)]
    marks = [
        Patch(**_MISSING, label="missing"),
        Line2D([], [], color=INK, marker="D", markersize=4, linestyle="none", label="class changes"),
        Line2D([], [], color=INK, marker="v", markersize=4, linestyle="none", label="takes another's place"),
    ]
    drawn.legend(handles=[*handles, *marks], loc="outside upper left", ncols=4, handlelength=1.4)


def _words(run: Run, tracks: Sequence[TrackScore]) -> str:
    left_out = len(run.summary.tracks) - len(tracks)
    others = f" {left_out} shorter tracks are left out." if left_out else ""
    one = "; ".join(
        f"{track.class_name} {track.track}: frames {track.first} to {track.last}, {track.missing} missing, "
        f"worst in frame {track.worst_frame}"
        for track in tracks[:8]
    )
    return f"Timeline of {len(tracks)} tracks with {run.setting.label}. {one}.{others}"
