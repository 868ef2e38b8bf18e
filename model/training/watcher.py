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
    """Who is told how the run goes, on the first device's process; notices come on any."""

    def on_step(self, report: StepReport) -> None:
        """After each iteration."""

    def on_notice(self, text: str) -> None:
        """Something that a person should know."""

    def on_checkpoint(self, iteration: int, network: Yolact) -> float | None:
        """After a save; `network` holds the averaged weights, in evaluation mode, at the final input size.

        Returns how good they are, the higher the better, or None where that is not measured.
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
