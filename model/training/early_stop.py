"""Early stopping: after measurements in a row without a gain, or after a time."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from model.training.distributed import anywhere
from model.training.recipe import Recipe


@dataclass(frozen=True)
class Verdict:
    """The state of early stopping: the measurements of a run so far.

    best:     the best figure, and `best_iteration` when it was measured, -1 while there is none
    measured: the last iteration that was measured
    stale:    the measurements since the best one
    due:      whether the last save has still to be measured
    """

    best: float = -math.inf
    best_iteration: int = -1
    measured: int = -1
    stale: int = 0
    due: bool = False

    def after(self, iteration: int, figure: float | None) -> Verdict:
        """Return the verdict with one more measurement; without a figure, or repeated, it is ignored."""
        if figure is None or math.isnan(figure) or iteration <= self.measured:
            return replace(self, due=False)
        if figure > self.best:
            return Verdict(figure, iteration, iteration)
        # of states that are equally good the later one has learned more
        best = iteration if figure == self.best else self.best_iteration
        return Verdict(self.best, best, iteration, self.stale + 1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Verdict:
        """Invert `to_dict`. Raises TypeError or ValueError on anything else."""
        verdict = Verdict(**values)
        return Verdict(
            float(verdict.best),
            int(verdict.best_iteration),
            int(verdict.measured),
            int(verdict.stale),
            bool(verdict.due),
        )


class EarlyStop:
    """Decides if a run ends before its last iteration, by its measurements or by the clock.

    `reached` is the same on every device; `verdict` is known to the first one's process.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.reached = False
        self.verdict = Verdict()
        self._patience = recipe.patience
        self._minutes = recipe.minutes
        self._before = 0.0
        self.start_clock()

    @property
    def seconds(self) -> float:
        """Return the seconds that the run has taken in all."""
        return self._before + time.perf_counter() - self._started

    @property
    def watches(self) -> bool:
        """True if measurements decide the end of the run and the state that is its result."""
        return self._patience > 0

    @property
    def measurement_due(self) -> bool:
        """True if the last save, or the state that the run starts from, has to be measured."""
        return self.verdict.due or (self.watches and self.verdict.measured < 0)

    def start_clock(self) -> None:
        """Start the clock anew; the time since its last start does not count."""
        self._started = time.perf_counter()

    def resume(self, verdict: Verdict, seconds: float) -> None:
        """Restore a saved state."""
        self.verdict, self._before = verdict, seconds
        self.start_clock()
        self.reached = self._enough()

    def save_is_due(self) -> None:
        """Note that the next saved state has to be measured."""
        self.verdict = replace(self.verdict, due=self.watches)

    def judge(self, iteration: int, figure: float | None) -> bool:
        """Record a measurement and return True if it is the best one."""
        best = self.verdict.best_iteration
        self.verdict = self.verdict.after(iteration, figure)
        return self.verdict.best_iteration != best

    def look(self, device: torch.device) -> None:
        """Find out whether the end is reached. Every process calls it, after the same iterations."""
        if self._patience or self._minutes:
            self.reached = anywhere(self.reached or self._enough(), device)

    def _enough(self) -> bool:
        return 0 < self._patience <= self.verdict.stale or 0 < self._minutes * 60 <= self.seconds
