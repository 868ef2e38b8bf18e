"""The training loop. It knows neither files of images nor terminals: those are handed in.

A run is a pure function of its recipe: iteration i draws the same batch and the same random numbers whether
or not the run was stopped before it, so that weights, optimiser and iteration are all there is to resume.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from model.checkpoint import read_checkpoint, save_checkpoint
from model.config import YolactConfig
from model.errors import TrainingError
from model.preprocessing import normalise
from model.training.ema import Ema
from model.training.loader import Batch
from model.training.loss import LossTerms, YolactLoss
from model.training.optimizer import build_optimizer
from model.training.recipe import Recipe, Stage
from model.training.targets import Targets
from model.yolact import Yolact, build_yolact


@dataclass(frozen=True)
class StepReport:
    """One iteration: weighted losses by name, the learning rate, and where its time went, in seconds."""

    iteration: int
    losses: dict[str, float]
    learning_rate: float
    images: int
    seconds: float
    waited: float


class Watcher(Protocol):
    """Who is told how the run goes. Every method is called on the first device's process only."""

    def on_step(self, report: StepReport) -> None:
        """After each iteration."""

    def on_notice(self, text: str) -> None:
        """Something that a person should know."""

    def on_checkpoint(self, iteration: int, network: Yolact, path: Path) -> None:
        """After a save; `network` holds the averaged weights, in evaluation mode, at the final input size."""


class TrainStep(nn.Module):
    """Forward pass and loss in one module, so that gradients of all parts are averaged between devices."""

    def __init__(self, network: Yolact, precision: str) -> None:
        super().__init__()
        self.network = network
        self.loss = YolactLoss(network.config)
        self.precision = precision

    def forward(self, images: Tensor, targets: list[Targets], seed: int) -> LossTerms:
        """images: [B, 3, S, S] uint8 RGB. The network runs in `precision`, the loss in float32."""
        prepared = normalise(images, self.network.config).contiguous(memory_format=torch.channels_last)
        half = self.precision == "bf16"
        with torch.autocast(images.device.type, torch.bfloat16) if half else nullcontext():
            raw = self.network(prepared)
        return self.loss(raw, self.network, targets, torch.Generator().manual_seed(seed))


class Trainer:
    """Trains `network` by `recipe` and keeps `output/last.pt` (to go on) and `output/final.pt` (averaged).

    `batches(stage, iteration)` yields the endless batches of a stage from that iteration on.
    `freeze_norms` keeps the backbone's batch norms as they are, as published below 6 images a device.
    """

    def __init__(
        self,
        network: Yolact,
        recipe: Recipe,
        batches: Callable[[Stage, int], Iterable[Batch]],
        output: Path,
        watcher: Watcher,
        device: torch.device,
        save_every: int = 500,
        freeze_norms: bool = False,
        licence: str = "",
    ) -> None:
        recipe.check()
        self.config: YolactConfig = network.config
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recipe = recipe
        self.batches = batches
        self.output = output
        self.watcher = watcher
        self.device = device
        self.save_every = save_every
        self.freeze_norms = freeze_norms
        self.licence = licence
        self.optimizer = build_optimizer(network, recipe)
        self.ema = Ema(network, recipe.ema_decay)
        self.iteration = 0
        self.stopping = False
        self._bad_in_a_row = 0
        self._step = self._wrap(TrainStep(self.network, recipe.precision))

    @property
    def is_first(self) -> bool:
        """True on the process that writes files and reports; the only one without torchrun."""
        return not dist.is_initialized() or dist.get_rank() == 0

    def stop(self) -> None:
        """Ask the run to end after the present iteration, with everything saved."""
        self.stopping = True

    def run(self) -> None:
        """Train to the end, or until `stop`. Raises TrainingError on two non-finite losses in a row."""
        while self.iteration < self.recipe.iterations and not self.stopping:
            stage = self.recipe.stage(self.iteration)
            self._enter(stage)
            self._run_stage(stage)
        self.save()
        if self.iteration >= self.recipe.iterations and self.is_first:
            final = self.output / "final.pt"
            save_checkpoint(final, self.config, self.ema.state, self.licence)

    def resume(self, path: Path) -> None:
        """Go on from a `last.pt`. Raises CheckpointError on a file that is not one, or of another run."""
        checkpoint = read_checkpoint(path, self.config)
        training = checkpoint.training
        if training is None:
            raise TrainingError(f"{path}: holds weights but no training state; expected a run's last.pt")
        self.network.load_state_dict(checkpoint.state)
        self.optimizer.load_state_dict(training["optimizer"])
        self.ema.load(training["ema"], training["ema_updates"])
        self.iteration = training["iteration"]

    def save(self) -> None:
        """Write `last.pt`. Raises TrainingError, and keeps the older file, on non-finite weights."""
        if not self.is_first:
            return
        state = self.network.state_dict()
        if not all(bool(v.isfinite().all()) for v in state.values()):
            raise TrainingError(f"the weights at iteration {self.iteration} are not finite; last.pt is older")
        path = self.output / "last.pt"
        training: dict[str, Any] = {
            "iteration": self.iteration,
            "recipe": self.recipe.to_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.state,
            "ema_updates": self.ema.updates,
        }
        save_checkpoint(path, self.config, state, self.licence, training=training)
        self.watcher.on_checkpoint(self.iteration, self.averaged(), path)

    def averaged(self) -> Yolact:
        """A network with the averaged weights, in evaluation mode, at the final input size."""
        network = build_yolact(self.config)
        network.load_state_dict(self.ema.state)
        return network.to(self.device).eval()

    def _wrap(self, step: TrainStep) -> nn.Module:
        if not dist.is_initialized():
            return step
        # the mask IoU network sits out a batch without large masks
        return DistributedDataParallel(step, find_unused_parameters=self.config.mask_iou)

    def _enter(self, stage: Stage) -> None:
        self.network.set_image_size(stage.image_size or self.config.image_size)
        self.network.train()
        if self.freeze_norms:
            for module in self.network.backbone.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval().requires_grad_(False)

    def _run_stage(self, stage: Stage) -> None:
        started = time.perf_counter()
        for batch in self.batches(stage, self.iteration):
            waited = time.perf_counter() - started
            losses = self._learn(batch)
            seconds = time.perf_counter() - started
            if self.is_first:
                rate = self.recipe.learning_rate_at(self.iteration)
                self.watcher.on_step(
                    StepReport(self.iteration, losses, rate, len(batch.names), seconds, waited)
                )
            self.iteration += 1
            if self.stopping or self.iteration >= self.recipe.iterations:
                return
            if self.iteration % self.save_every == 0:
                self.save()
            if self.recipe.stage(self.iteration) is not stage:
                return
            started = time.perf_counter()

    def _learn(self, batch: Batch) -> dict[str, float]:
        """One step. A loss or gradient that is not finite changes nothing."""
        rate = self.recipe.learning_rate_at(self.iteration)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batch = batch.to(self.device, non_blocking=True)
        self.optimizer.zero_grad(set_to_none=True)
        terms: LossTerms = self._step(batch.images, batch.targets, self.recipe.seed + self.iteration)
        losses = {name: float(value.detach()) for name, value in terms._asdict().items()}
        if not self._everywhere(bool(terms.total.detach().isfinite())):
            self._skip(batch, losses)
            return losses
        terms.total.backward()
        limit = self.recipe.clip_norm or float("inf")
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), limit)
        if not self._everywhere(bool(norm.isfinite())):
            self._skip(batch, losses)
            return losses
        self.optimizer.step()
        self.ema.update(self.network)
        self._bad_in_a_row = 0
        return losses

    def _everywhere(self, good: bool) -> bool:
        """True when it is so on every device."""
        if not dist.is_initialized():
            return good
        flag = torch.tensor(float(good), device=self.device)
        dist.all_reduce(flag, op=dist.ReduceOp.MIN)
        return bool(flag)

    def _skip(self, batch: Batch, losses: dict[str, float]) -> None:
        self._bad_in_a_row += 1
        what = f"iteration {self.iteration}: loss not finite ({losses}) on {', '.join(batch.names)}"
        if self._bad_in_a_row > 1:
            raise TrainingError(f"{what}, twice in a row; lower the learning rate or look at these images")
        self.watcher.on_notice(f"{what}; the step is skipped")
