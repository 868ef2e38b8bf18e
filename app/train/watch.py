"""The visible side of a training run: a progress line, logs, and measurements as it goes."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TextIO

from app.train.validation import FIGURES, Validation
from model.network.yolact import Yolact
from model.training.logs import STEP_FIELDS, CsvLog, TensorBoardLog, step_row
from model.training.watcher import StepReport

ITERATIONS_A_LINE = 20
SECONDS_A_REFRESH = 1.0
_ERASE_LINE = "\r\x1b[K"


class RunWatcher:
    """Follows a run; a context manager, since it keeps files open."""

    def __init__(self, output: Path, iterations: int, validation: Validation | None) -> None:
        self._output = output
        self._validation = validation
        self._iterations = iterations
        self._progress = ProgressLine(iterations, sys.stderr)
        self._open = ExitStack()

    def __enter__(self) -> RunWatcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.close()
        self._open.close()

    def start(self, iteration: int) -> None:
        """Open the logs at the iteration where the run starts or goes on."""
        self._steps = CsvLog(self._output / "log.csv", STEP_FIELDS, iteration)
        self._open.callback(self._steps.close)
        # a run that goes on has measured at its last save already; a finished one does so again
        measured = 0 < iteration < self._iterations
        figures = self._output / "validation.csv"
        self._figures = CsvLog(figures, ("iteration", *FIGURES), iteration + measured)
        self._open.callback(self._figures.close)
        self._board = TensorBoardLog(self._output / "tensorboard", iteration)
        self._open.callback(self._board.close)

    def expect(self, iterations: int) -> None:
        """Count on so many iterations."""
        self._iterations = iterations
        self._progress.expect(iterations)

    def on_step(self, report: StepReport) -> None:
        """Log it, and now and then say it."""
        self._steps.write(step_row(report))
        self._board.write(report)
        self._progress.step(report)

    def on_notice(self, text: str) -> None:
        """Print a notice."""
        self._progress.say(text)

    def on_checkpoint(self, iteration: int, network: Yolact) -> float | None:
        """Measure the averaged weights; see `fitness`."""
        if self._validation is None:
            return None
        figures = self._validation(network, iteration, self.on_notice)
        self._figures.write({"iteration": iteration, **figures})
        self._board.scalars(iteration, figures)
        listed = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
        self._progress.say(f"iteration {iteration}: {listed}")
        self._progress.restart_clock()
        return fitness(figures)


def fitness(figures: dict[str, float]) -> float | None:
    """Return one number for how good weights are: AP with a little AP50, of boxes and masks, or None.

    Boxes and masks both count, for a young network finds boxes long before its masks are good enough.
    """
    shares = {"ap": 0.9, "ap50": 0.1}
    parts = [
        share * figures[f"{kind}/{name}"]
        for kind in ("box", "mask")
        for name, share in shares.items()
        if f"{kind}/{name}" in figures
    ]
    return sum(parts) if parts else None


class ProgressLine:
    """Says how far a run is: on a terminal in one line that is rewritten, elsewhere in a line now and then.

    Losses and speed are averages since it was last said.
    """

    def __init__(self, iterations: int, stream: TextIO) -> None:
        self._iterations = iterations
        self._stream = stream
        self._live = stream.isatty()
        self._unfinished = False
        self.restart_clock()

    def restart_clock(self) -> None:
        """Leave the time until now out of the speed."""
        self._since = time.perf_counter()
        self._reports: list[StepReport] = []

    def expect(self, iterations: int) -> None:
        """Count on so many iterations."""
        self._iterations = iterations

    def step(self, report: StepReport) -> None:
        """Take an iteration in, and say how far it is if it is time to."""
        self._reports.append(report)
        done = report.iteration + 1
        waited = time.perf_counter() - self._since
        due = waited >= SECONDS_A_REFRESH if self._live else done % ITERATIONS_A_LINE == 0
        if due or done == self._iterations:
            self._show(self._summary(done, waited))
            self.restart_clock()

    def say(self, text: str) -> None:
        """A text that stays, above the line."""
        erase = _ERASE_LINE if self._unfinished else ""
        self._unfinished = False
        print(f"{erase}{text}", file=self._stream, flush=True)

    def close(self) -> None:
        """End the line."""
        if self._unfinished:
            print(file=self._stream, flush=True)
            self._unfinished = False

    def _show(self, text: str) -> None:
        if self._live:
            print(f"{_ERASE_LINE}{text}", end="", file=self._stream, flush=True)
            self._unfinished = True
        else:
            self.say(text)

    def _summary(self, done: int, seconds: float) -> str:
        reports = self._reports
        speed = sum(report.images for report in reports) / max(seconds, 1e-9)
        left = (self._iterations - done) * seconds / len(reports)
        values: dict[str, list[float]] = {}  # an iteration has the losses of its kind of batch alone
        for report in reports:
            for name, value in report.losses.items():
                values.setdefault(name, []).append(value)
        means = {name: sum(some) / len(some) for name, some in sorted(values.items())}
        losses = " ".join(f"{name} {value:.3f}" for name, value in means.items() if value)
        return (
            f"{done}/{self._iterations}  {losses}  rate {reports[-1].learning_rate:.2g}  "
            f"{speed:.1f} images/s  {_duration(left)} left"
        )


def _duration(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
