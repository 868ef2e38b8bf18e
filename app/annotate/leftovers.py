"""Parts of outputs that earlier runs left behind, and those that another run is writing at this moment."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from app.annotate.plan import AnyJob
from app.annotate.report import Report
from pipeline.sinks.part_file import parts_of
from pipeline.sinks.unfinished import make_whole

_MOST_NAMES = 3


def without_busy(jobs: Sequence[AnyJob], args: argparse.Namespace, report: Report) -> list[AnyJob]:
    """The jobs but for those whose output another run is writing, which have failed.

    Parts of runs that are over are told or, with `--remove-parts`, removed; those whose writing was killed
    are made whole as far as they go. A dry run changes nothing.
    """
    free, left = [], []
    for job in jobs:
        parts = [parts_of(path) for path in job.outputs]
        busy = next((path for one in parts for path in one.busy), None)
        left += [path for one in parts for path in one.left]
        if busy is None:
            free.append(job)
        else:
            report.failures.append(f"{job.name}: another run is writing this output, to {busy}")
    if args.remove_parts and not args.dry_run:
        for path in left:
            with contextlib.suppress(OSError):
                path.unlink()
    elif left:
        _tell(left, finished=0 if args.dry_run else sum(map(make_whole, left)))
    return free


def _tell(left: Sequence[Path], finished: int) -> None:
    names = ", ".join(map(str, left[:_MOST_NAMES])) + (", …" if len(left) > _MOST_NAMES else "")
    size = sum(path.stat().st_size for path in left if path.exists()) / 1e6
    what = "a part" if len(left) == 1 else f"{len(left)} parts"
    made = f"; {finished} of them had no index and got one" if finished else ""
    print(
        f"note: {what} of runs that did not end, {size:.1f} MB, can be played or read as far as they go: "
        f"{names}{made}; --remove-parts removes them",
        file=sys.stderr,
    )
