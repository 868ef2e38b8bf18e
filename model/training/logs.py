"""Logs of a training run: CSV files and TensorBoard."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from model.errors import TrainingError
from model.training.watcher import StepReport

STEP_FIELDS = (
    "iteration", "box", "cls", "mask", "semantic", "mask_iou",
    "learning_rate", "images", "seconds", "waited",
)  # fmt: skip


def step_row(report: StepReport) -> dict[str, object]:
    """Return an iteration as a row of `STEP_FIELDS`; losses and rate with all digits."""
    return {
        "iteration": report.iteration,
        **report.losses,
        "learning_rate": report.learning_rate,
        "images": report.images,
        "seconds": round(report.seconds, 4),
        "waited": round(report.waited, 4),
    }


class CsvLog:
    """CSV file of rows that begin with an iteration; each row is flushed.

    A resumed run removes the rows from `first_iteration` on, which it writes again, and an incomplete row.
    Raises TrainingError when the file cannot be written, here and in `write`.
    """

    def __init__(self, path: Path, fields: Sequence[str], first_iteration: int) -> None:
        self._path = path
        try:
            _drop_rows(path, first_iteration)
            self._file = path.open("a", newline="", encoding="utf-8")
        except OSError as error:
            raise TrainingError(f"{path} cannot be written: {error.strerror or error}") from error
        self._writer = csv.DictWriter(self._file, fields)
        if path.stat().st_size == 0:
            self._writer.writeheader()
            self._file.flush()

    def write(self, row: Mapping[str, object]) -> None:
        """Add a row."""
        try:
            self._writer.writerow(row)
            self._file.flush()
        except OSError as error:
            raise TrainingError(f"{self._path} cannot be written: {error.strerror or error}") from error

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):  # a row that cannot be written has been told already
            self._file.close()


def _drop_rows(path: Path, first_iteration: int) -> None:
    """Truncate the file once, so that a process killed meanwhile loses nothing."""
    if not path.exists():
        return
    kept = 0
    with path.open("r+b") as file:
        for line in file:
            iteration = line.split(b",", 1)[0]
            again = iteration.isdigit() and int(iteration) >= first_iteration
            if again or not line.endswith(b"\n"):
                break
            kept += len(line)
        file.truncate(kept if first_iteration else 0)


class TensorBoardLog:
    """Losses, learning rate and speed every `every` iterations, and the figures of each validation."""

    def __init__(self, folder: Path, first_iteration: int, every: int = 20) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=first_iteration)
        self._every = every

    def write(self, report: StepReport) -> None:
        """Add the figures of an iteration, if it is its turn."""
        if report.iteration % self._every:
            return
        values = {f"loss/{name}": value for name, value in report.losses.items()}
        values["learning_rate"] = report.learning_rate
        values["images_per_second"] = report.images / max(report.seconds, 1e-9)
        self.scalars(report.iteration, values)

    def scalars(self, iteration: int, values: Mapping[str, float]) -> None:
        """Add figures by name."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, iteration)

    def close(self) -> None:
        """Flush and close."""
        self._writer.close()
