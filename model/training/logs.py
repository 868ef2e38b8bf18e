"""Where a run's figures go: a CSV file with every iteration, and TensorBoard."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from model.training.trainer import StepReport

FIELDS = (
    "iteration", "box", "cls", "mask", "semantic", "mask_iou",
    "learning_rate", "images", "seconds", "waited",
)  # fmt: skip


class CsvLog:
    """One row an iteration. Rows from `first_iteration` on, left by a run that was killed, are dropped."""

    def __init__(self, path: Path, first_iteration: int) -> None:
        kept = _rows_before(path, first_iteration)
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, FIELDS)
        self._writer.writeheader()
        self._writer.writerows(kept)

    def write(self, report: StepReport) -> None:
        """Add a row; what is written survives a killed process."""
        row: dict[str, Any] = {
            "iteration": report.iteration,
            **{name: repr(value) for name, value in report.losses.items()},
            "learning_rate": repr(report.learning_rate),
            "images": report.images,
            "seconds": round(report.seconds, 4),
            "waited": round(report.waited, 4),
        }
        self._writer.writerow(row)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _rows_before(path: Path, iteration: int) -> list[dict[str, str]]:
    if iteration == 0 or not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        complete = (row for row in csv.DictReader(file) if row.get("waited"))
        return [row for row in complete if int(row["iteration"]) < iteration]


class TensorBoardLog:
    """Losses, learning rate and speed every `every` iterations, and the figures of each validation."""

    def __init__(self, folder: Path, first_iteration: int, every: int = 20) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=first_iteration)  # type: ignore[no-untyped-call]
        self._every = every

    def write(self, report: StepReport) -> None:
        """Add the figures of an iteration, if it is its turn."""
        if report.iteration % self._every:
            return
        values = {f"loss/{name}": value for name, value in report.losses.items()}
        values["learning_rate"] = report.learning_rate
        values["images_per_second"] = report.images / max(report.seconds, 1e-9)
        self.scalars(report.iteration, values)

    def scalars(self, iteration: int, values: dict[str, float]) -> None:
        """Add figures by name."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, iteration)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Flush and close."""
        self._writer.close()  # type: ignore[no-untyped-call]
