"""The report of `stability`: all figures in `report.json`, a page `report.html`, tables on the terminal."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from app.stability.html import page
from app.stability.options import HTML, JSON
from app.stability.run import Run
from app.stability.tables import gain_table, gains, headline
from app.stability.timeline import LEVELS
from app.terminal import show
from pipeline.sinks.files import utf8, write_bytes, write_json

PACKAGES = ("torch", "numpy", "opencv-python", "openvino", "trackers", "pillow", "av", "matplotlib")
DIGITS = 7  # of every figure in the json


def publish(runs: Sequence[Run], failures: Sequence[str], folder: Path) -> None:
    """Write both files of the report into a folder, and print the tables. Raises SinkError."""
    versions = _versions()
    write_json(folder / JSON, record(runs, failures, versions))
    write_bytes(folder / HTML, utf8(page(runs, failures, versions)))
    show(headline(runs))
    for run in runs:
        if run.summary.failed is not None:
            print(f"note: {run.video.name}, {run.setting.label}: {run.summary.failed}")
    if found := gains(runs):
        print()
        show(gain_table(found))


def record(runs: Sequence[Run], failures: Sequence[str], versions: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures, settings and versions, ready for json; the same runs give the same bytes.

    Shares are 0..1, times are seconds, frames count from 0. `frames` holds a list for each figure, with null
    where there was nothing to measure. `unstable` lists the frames of each track whose jitter is
    `unstable_from` or more.
    """
    return {
        "definitions": "pipeline/stability/DEFINITIONS.md",
        "unstable_from": LEVELS[-1],
        "versions": dict(versions),
        "failures": list(failures),
        "runs": [_plain(_run(run)) for run in runs],
    }


def _run(run: Run) -> dict[str, Any]:
    video = run.video
    return {
        "input": {
            "name": video.name,
            "source": video.source.name,
            "kind": video.source.kind,
            "height": run.size[0],
            "width": run.size[1],
            "frame_rate": None if run.rate is None else str(run.rate),
            "masks": None if video.truth is None else str(video.truth.masks[0].parent),
        },
        "setting": {"label": run.setting.label, "stabilise": run.setting.stabilise, **run.facts},
        "summary": dataclasses.asdict(run.summary),
        "unstable": _unstable(run),
        "worst": [
            {"frame": w.index, "time": w.time, "badness": w.badness, **dataclasses.asdict(w.moment)}
            for w in run.worst
        ],
        "frames": {"time": run.curves.times, "masks": run.curves.masks, **run.curves.figures},
        "warnings": list(run.warnings),
    }


def _unstable(run: Run) -> dict[str, list[int]]:
    """Return the unstable frames of each track."""
    lines = sorted(run.curves.lines.items())
    found = {
        str(track): [f for f, jitter in zip(line.frames, line.jitter, strict=True) if jitter >= LEVELS[-1]]
        for track, line in lines
    }
    return {track: frames for track, frames in found.items() if frames}


def _plain(value: Any) -> Any:
    """Fit for json: numbers rounded, NaN as None, arrays and tuples as lists."""
    if isinstance(value, float):
        return round(value, DIGITS) if isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return value
    return [_plain(one) for one in value]


def _versions() -> dict[str, str | None]:
    return {"python": platform.python_version(), **dict(_installed())}


def _installed() -> Iterator[tuple[str, str | None]]:
    for package in PACKAGES:
        try:
            yield package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            yield package, None
