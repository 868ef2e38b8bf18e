"""The training loop; batches and the watcher of the run are passed in.

A run is a pure function of its recipe: iteration i draws the same batch and the same random numbers whether
or not the run was resumed. Its state consists of the weights and their average, the optimiser's state, the
iteration, the steps skipped in a row, the number of devices, and the state of early stopping.
"""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import nn

from model.config import YolactConfig
from model.errors import TrainingError
from model.network.yolact import Yolact
from model.training.data.loader import Batch
from model.training.distributed import anywhere, gathered, is_first, mean, world_size
from model.training.early_stop import EarlyStop
from model.training.loss import LossTerms
from model.training.norms import NormStatistics, batch_norms
from model.training.optimizer import Ema, build_optimizer, enter, freeze
from model.training.recipe import Recipe, Stage
from model.training.saved_run import SavedRun, promote, write_weights
from model.training.train_step import TrainStep, can_learn, resting, wrapped
from model.training.watcher import Losses, StepReport, TrainingWatcher, explained


class Trainer:
    """Trains `network` by `recipe` and keeps `output/last.pt` (to go on) and `output/final.pt` (averaged,
    in half precision, with the note `licence`).

    `batches(stage, iteration)` yields the endless batches of a stage from that iteration on. With several
    processes, one a device, each has its own batches and `recipe` is the one `for_devices`. `data` says
    which images the batches are made of; a run that was saved with others is not resumed. With a recipe's
    `patience` the best state that was measured is kept in `output/best.pt` and becomes the final one.

    A state is saved only when it can learn: see `save`.
    """

    def __init__(
        self,
        network: Yolact,
        recipe: Recipe,
        batches: Callable[[Stage, int], Iterable[Batch]],
        output: Path,
        watcher: TrainingWatcher,
        device: torch.device,
        save_every: int = 500,
        licence: str = "",
        data: str = "",
        teacher: Yolact | None = None,
    ) -> None:
        recipe.check()
        freeze(network, recipe.freeze)
        self.config: YolactConfig = network.config
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recipe = recipe
        self.batches = batches
        self.last = output / "last.pt"
        self.final = output / "final.pt"
        self.best = output / "best.pt"
        self.watcher = watcher
        self.device = device
        self.save_every = save_every
        self.licence = licence
        self.data = data
        self.optimizer = build_optimizer(network, recipe)
        self.ema = Ema(network, recipe.ema_decay)
        self.iteration = 0
        self.early_stop = EarlyStop(recipe)
        self._stop_asked = False
        self._stopped = False
        self._skipped = 0  # in a row
        self._save_due = False
        self._whole = True  # False in the midst of an iteration
        self._learned_from: Batch | None = None  # by a step that has not been seen to do no harm
        self._told_broken: set[str] = set()
        self._statistics = NormStatistics(network)
        self._train_step = TrainStep(self.network, recipe.precision, resting(teacher, device))
        # before DDP counts the parameters that it will wait for
        if recipe.freeze_norms:
            for norm in batch_norms(network.backbone):
                norm.requires_grad_(False)
        self._step = wrapped(self._train_step, recipe)
        self._trained = [p for p in network.parameters() if p.requires_grad]

    @property
    def finished(self) -> bool:
        """True when every iteration is done, or early stopping has ended the run."""
        return self.early_stop.reached or self.iteration >= self.recipe.iterations

    def stop(self) -> None:
        """Ask the run to end after the present iteration, with everything saved."""
        self._stop_asked = True

    def run(self) -> None:
        """Train to the end, or until `stop` is called on any process.

        Raises TrainingError on two losses in a row that are not finite, when the device's memory does not
        suffice, when a process that prepares images dies, and when a save fails. Whatever ends the run
        early, what it has learned is saved first if it can be.
        """
        self.early_stop.start_clock()
        self._stopped = anywhere(self._stop_asked, self.device)
        try:
            if self.early_stop.measurement_due and is_first() and not self._stop_asked:
                self._measure()
            self.early_stop.look(self.device)
            while not (self.finished or self._stopped):
                self._run_stage(self.recipe.stage(self.iteration))
        except Exception as error:
            self._rescue()
            told = explained(error, self.iteration, self.recipe.batch_size)
            if told is None:
                raise
            raise told from error
        self.save()
        if self.finished and is_first():
            self._finish()

    def resume(self, saved: SavedRun) -> None:
        """Resume a saved run. Raises TrainingError when it has other settings."""
        saved.require_same(self.config, self.recipe, world_size(), self.data)
        self.network.load_state_dict(saved.weights)
        try:
            self.optimizer.load_state_dict(saved.optimizer)
        except (KeyError, TypeError, ValueError) as error:
            raise TrainingError(f"the optimiser's state that was saved does not fit: {error}") from error
        self.ema.load(saved.ema, saved.ema_updates)
        self.iteration = saved.iteration
        self._skipped = saved.skipped
        self.early_stop.resume(saved.verdict, saved.seconds)
        self._learned_from = None

    def save(self) -> None:
        """Write `last.pt`.

        Raises TrainingError, and keeps the older file, on weights that are not finite and on a state that
        cannot learn: one without a finite loss and gradient on the batch that it has just learned from.
        """
        if not is_first():
            return
        if not self._can_learn():
            raise TrainingError(
                f"after {self.iteration} iterations the weights have no finite loss and gradient, so "
                f"{self.last} was not overwritten; start again with a lower learning rate"
            )
        SavedRun(
            config=self.config,
            recipe=self.recipe,
            iteration=self.iteration,
            weights=self.network.state_dict(),
            optimizer=self.optimizer.state_dict(),
            ema=self.ema.state,
            ema_updates=self.ema.updates,
            devices=world_size(),
            skipped=self._skipped,
            data=self.data,
            verdict=self.early_stop.verdict,
            seconds=self.early_stop.seconds,
        ).write(self.last)

    def averaged(self) -> Yolact:
        """Return a network with the averaged weights, in evaluation mode, at the final input size."""
        network = copy.deepcopy(self.network)
        network.load_state_dict(self.ema.state)
        network.set_image_size(self.config.image_size)
        return network.eval()

    def _run_stage(self, stage: Stage) -> None:
        enter(self.network, self.recipe, stage, self.config.image_size, self._trained)
        started = time.perf_counter()
        for batch in self.batches(stage, self.iteration):
            self._iterate(batch, started)
            if self.finished:
                return
            self._save_due |= self.iteration % self.save_every == 0
            if self._save_due and is_first():
                self._checkpoint()
            self._stopped = anywhere(self._stop_asked, self.device)
            self.early_stop.look(self.device)
            if self.finished or self._stopped or self.recipe.stage(self.iteration) is not stage:
                return
            started = time.perf_counter()

    def _iterate(self, batch: Batch, started: float) -> None:
        waited = time.perf_counter() - started
        self._tell_broken(batch)
        rate = self.recipe.learning_rate_at(self.iteration)
        losses = self._learn(batch, rate)
        iteration = self.iteration
        self.iteration += 1
        self._whole = True
        seconds = time.perf_counter() - started
        if is_first():
            images = len(batch) * world_size()
            self.watcher.on_step(StepReport(iteration, losses, rate, images, seconds, waited))

    def _checkpoint(self) -> None:
        if self._skipped or not self._can_learn():
            return  # the save stays due until the state is known to be good
        self.early_stop.save_is_due()
        self.save()
        self._save_due = False
        # whoever asks to stop does not want to wait for a measurement
        if not self._stop_asked:
            self._measure()

    def _measure(self) -> None:
        figure = self.watcher.on_checkpoint(self.iteration, self.averaged())
        best = self.early_stop.judge(self.iteration, figure)
        if best and self.early_stop.watches:
            write_weights(self.best, self.config, self.ema.state, self.licence)
        if self.early_stop.watches and not self.finished:
            self.save()

    def _finish(self) -> None:
        write_weights(self.final, self.config, self.ema.state, self.licence)
        if self.early_stop.verdict.measured != self.iteration:
            self._measure()
        best = self.early_stop.verdict.best_iteration
        if self.early_stop.watches and best not in (-1, self.iteration):
            promote(self.best, self.final)
            self.watcher.on_notice(f"the best state was that of iteration {best}; {self.final} holds it")

    def _rescue(self) -> None:
        """Save the state before an error ends the run; errors of saving are ignored."""
        if self._whole and not self._skipped and self._learned_from is not None:
            with contextlib.suppress(Exception):
                self.save()

    def _can_learn(self) -> bool:
        """Return True if the state has a finite loss and gradient; checked once a state."""
        if self._learned_from is None:
            return True
        moved = self._learned_from.to(self.device)
        if not can_learn(self._train_step, moved, self.recipe.seed + self.iteration, self._statistics):
            return False
        self._learned_from = None
        return True

    def _learn(self, batch: Batch, rate: float) -> Losses:
        """Take one step; a loss or gradient that is not finite changes nothing, on any device."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("rate", 1.0)
        self._statistics.keep()
        self._whole = False
        try:
            losses, fault = self._find_gradient(batch)
        except BaseException:
            self._statistics.put_back()
            self._whole = True
            raise
        if fault:
            self._skip(batch, losses, fault)
            return losses
        self.optimizer.step()
        self.ema.update(self.network)
        self._skipped = 0
        self._learned_from = batch
        return losses

    def _find_gradient(self, batch: Batch) -> tuple[Losses, str]:
        """Return the losses, and "loss" or "gradient" if it is not finite. Keeps the gradient."""
        self.optimizer.zero_grad(set_to_none=True)
        moved = batch.to(self.device, non_blocking=True)
        terms: LossTerms = self._step(moved.images, moved.targets, self.recipe.seed + self.iteration)
        values = mean(torch.stack([term.detach() for term in terms])).tolist()
        losses = dict(zip(LossTerms._fields, values, strict=True))
        if not all(map(math.isfinite, values)):
            return losses, "loss"
        terms.total.backward()
        limit = self.recipe.clip_norm or math.inf
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), limit)
        return losses, "" if math.isfinite(float(norm)) else "gradient"

    def _skip(self, batch: Batch, losses: Losses, what: str) -> None:
        self._statistics.put_back()
        self._skipped += 1
        names = ", ".join(name for part in gathered(batch.names) for name in part)
        told = f"iteration {self.iteration}: {what} not finite ({losses}) on {names}"
        if self._skipped > 1:
            raise TrainingError(f"{told}, twice in a row; lower the learning rate or look at these images")
        if is_first():
            self.watcher.on_notice(f"{told}; the step is skipped")

    def _tell_broken(self, batch: Batch) -> None:
        for name in batch.broken:
            if name not in self._told_broken:
                self._told_broken.add(name)
                self.watcher.on_notice(f"{name}: cannot be decoded; another image takes its place")
