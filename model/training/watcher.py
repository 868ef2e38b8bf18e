"""Reports and errors of a training run, and the interface of whoever is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from model.errors import TrainingError, is_out_of_memory
from model.network.yolact import Yolact
from model.training.data.loader import worker_died

Losses = dict[str, float]


@dataclass(frozen=True)
class StepReport:
    """One iteration: weighted losses by name, averaged over devices, and where its time went, in seconds.

    `images` counts those of all devices; `waited` is the part of `seconds` that the data took to come.
    """

    iteration: int
    losses: Losses
    learning_rate: float
    images: int
    seconds: float
    waited: float


class TrainingWatcher(Protocol):
    """Receives reports of a run, on the first process; notices on any process."""

    def on_step(self, report: StepReport) -> None:
        """Called after each iteration."""

    def on_notice(self, text: str) -> None:
        """Called with a line of text for the user."""

    def on_checkpoint(self, iteration: int, network: Yolact) -> float | None:
        """Called after a save; `network` holds the averaged weights, in evaluation mode, at the final size.

        Returns a figure of merit, the higher the better, or None where none is measured.
        """


def explained(error: Exception, iteration: int, batch_size: int) -> TrainingError | None:
    """Return the error in words with what to do, or None for an unknown error."""
    if worker_died(error):
        return TrainingError(
            f"iteration {iteration}: a process that prepares images died, as when memory runs out; "
            "start again with fewer --workers"
        )
    if is_out_of_memory(error):
        return TrainingError(
            f"iteration {iteration}: the device has not enough memory for {batch_size} images; "
            "start again with a smaller --batch-size or --image-size"
        )
    return None
