"""What a training run tells about itself, and to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from model.network.yolact import Yolact

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
