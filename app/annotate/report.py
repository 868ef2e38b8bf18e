"""The report of `annotate`: the outcome of each input, and the exit code."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Report:
    """Outcomes of the inputs so far; it grows while the command runs.

    cut: streams that ended before their end, and why; parts of their outputs are there
    """

    annotated: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)


def print_report(report: Report, seconds: float, out: Path) -> None:
    """Failures go to the error output, the one line of the summary to the standard output."""
    for failure in report.failures:
        print(f"failed: {failure}", file=sys.stderr)
    for cut in report.cut:
        print(f"broken off: {cut}", file=sys.stderr)
    counts = {
        "annotated": report.annotated,
        "skipped": report.skipped,
        "failed": len(report.failures),
        "broken off": len(report.cut),
    }
    if any(counts.values()):
        told = ", ".join(f"{n} {what}" for what, n in counts.items() if n or what == "annotated")
        print(f"{told} in {seconds:.1f} s -> {out}")
