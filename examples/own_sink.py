"""A sink of your own: a CSV file that says how many instances of each class every frame shows.

python -m examples.own_sink assets/demo.mp4 out/counts.csv
"""

import csv
import sys
from collections import Counter
from pathlib import Path

from model import load_predictor
from pipeline.builder import build_runner
from pipeline.frame import Result
from pipeline.sinks.base import SinkReport
from pipeline.sources import open_source
from pipeline.sources.base import SourceInfo
from pipeline.stages import RunOptions


class CountsSink:
    """Counts the instances of each class, frame by frame. A `pipeline.sinks.base.Sink`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frames = 0

    def open(self, info: SourceInfo) -> None:
        """Get ready for a source; called once, before the first result."""
        self._file = self._path.open("w", newline="")
        csv.writer(self._file).writerow(("seconds", "class", "count"))

    def write(self, result: Result) -> None:
        """Take one result; they come in the order of the frames."""
        for name, count in sorted(Counter(result.detections.names).items()):
            csv.writer(self._file).writerow((float(result.frame.time), name, count))
        self._frames += 1

    def close(self, complete: bool) -> SinkReport:
        """Finish; called once, also after an error. `complete`: every frame of the source arrived."""
        # A sink of this project writes under a temporary name, and renames the file only when it is whole;
        # `pipeline.sinks.part_file.PartFile` does that.
        self._file.close()
        return SinkReport(self._path, f"{self._frames} frames", whole=complete)


def main(video: str, output: str, weights: str | None = None, most: int | None = None) -> None:
    """Count what a video shows, in at most `most` frames."""
    sinks, options = [CountsSink(Path(output))], RunOptions(max_frames=most)
    predictor = load_predictor(weights)
    # No style is given, so nothing is drawn.
    runner = build_runner(lambda e: open_source(video, interrupted=e), predictor, sinks, options=options)
    runner.start()
    report = runner.join()
    if report.error is not None:  # the first error of any thread, which ended all of them
        raise report.error
    print(f"{report.sinks[0].path}: {report.sinks[0].summary}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
