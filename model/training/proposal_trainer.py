"""Training loop of DeepMask and SharpMask: masks and scores first, then the refinement only."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.checkpoints.sharpmask import read_sharpmask, save_sharpmask
from model.errors import ConfigError, TrainingError
from model.sharpmask.config import StageName
from model.sharpmask.network import SharpMask
from model.training.data.patches import PatchBatch
from model.training.proposal_loss import proposal_mask_loss, proposal_score_loss
from model.training.watcher import StepReport


@dataclass(frozen=True)
class ProposalRecipe:
    """Recipe of a stage; the defaults of `recipe_for` are those of the released code.

    stage:         `mask` trains masks and scores, `refine` the refinement alone, everything else frozen
    learning_rate: of every iteration up to the first of `drops`
    drops:         (share of the iterations, factor of the learning rate from there on)
    optimizer:     `sgd` as released, or `adamw`, which takes momentum as its first decay and needs far fewer
                   iterations where the trunk is frozen
    train_trunk:   False keeps the trunk as it is, so that a detector's own can be shared
    """

    stage: StageName
    iterations: int
    batch_size: int = 32
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 5e-4
    drops: tuple[tuple[float, float], ...] = ((51 / 300, 0.5), (121 / 300, 0.1))
    optimizer: Literal["sgd", "adamw"] = "sgd"
    train_trunk: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.stage not in ("mask", "refine"):
            raise ConfigError(f"there is no stage {self.stage!r}; there are mask and refine")
        if self.optimizer not in ("sgd", "adamw"):
            raise ConfigError(f"there is no optimiser {self.optimizer!r}; there are sgd and adamw")
        if self.iterations < 1 or self.batch_size < 1 or not 0 < self.learning_rate < math.inf:
            raise ConfigError("iterations, batch size and learning rate should be positive")

    def learning_rate_at(self, iteration: int) -> float:
        """Return the learning rate of an iteration, from 0."""
        passed = [factor for share, factor in self.drops if iteration >= round(share * self.iterations)]
        return self.learning_rate * (passed[-1] if passed else 1.0)

    @property
    def mask_share(self) -> float:
        """The share of batches that are of masks."""
        return 0.5 if self.stage == "mask" else 1.0

    def target_side(self, network: SharpMask) -> int:
        """Return the side of mask targets in pixels: twice the coarse mask's, or the refined mask's."""
        return 2 * network.config.mask_side if self.stage == "mask" else network.config.window


def recipe_for(stage: StageName, iterations: int, **changes: Any) -> ProposalRecipe:
    """Return the recipe of a stage. The refinement learns without momentum and decay at one rate."""
    recipe = ProposalRecipe(stage, iterations)
    if stage == "refine":
        recipe = replace(recipe, momentum=0.0, weight_decay=0.0, drops=())
    return replace(recipe, **changes)


class ProposalTrainer:
    """Trains one stage and keeps `output/last.pt` to go on from, and `output/final.pt` in half precision.

    batches: yields batches from a number on. on_step and on_notice are told how it goes. Raises TrainingError
    for a refinement of a network that has none.
    """

    def __init__(
        self,
        network: SharpMask,
        recipe: ProposalRecipe,
        batches: Callable[[int], Iterator[PatchBatch]],
        output: Path,
        on_step: Callable[[StepReport], None] = lambda report: None,
        on_save: Callable[[int, SharpMask], None] = lambda iteration, network: None,
        save_every: int = 500,
        licence: str = "",
        device: str = "cpu",
    ) -> None:
        if recipe.stage == "refine" and network.refinement is None:
            raise TrainingError(f"{network.config.name} has no refinement to train; name a SharpMask")
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recipe, self.batches, self.device = recipe, batches, device
        self.last, self.final = output / "last.pt", output / "final.pt"
        self.on_step, self.on_save = on_step, on_save
        self.save_every, self.licence = save_every, licence
        self.iteration = 0
        self._trained = trained_parts(network, recipe)
        parameters = [p for part in self._trained for p in part.parameters()]
        self._optimizer = _optimizer(parameters, recipe)
        self._stop_asked = False

    def stop(self) -> None:
        """Ask the run to end after the present iteration, with everything saved."""
        self._stop_asked = True

    @property
    def finished(self) -> bool:
        """True when every iteration is done."""
        return self.iteration >= self.recipe.iterations

    def run(self) -> None:
        """Train to the end, or until `stop` is called. Raises TrainingError on a loss that is not finite."""
        self.last.parent.mkdir(parents=True, exist_ok=True)
        self._train_mode()
        started = time.perf_counter()
        for batch in self.batches(self.iteration):
            if self.finished or self._stop_asked:
                break
            waited = time.perf_counter() - started
            rate = self.recipe.learning_rate_at(self.iteration)
            losses = self._learn(batch, rate)
            seconds = time.perf_counter() - started
            self.on_step(StepReport(self.iteration, losses, rate, len(batch), seconds, waited))
            self.iteration += 1
            if self.iteration % self.save_every == 0 and not self.finished:
                self.save()
            started = time.perf_counter()
        self.save()
        if self.finished:
            save_sharpmask(self.final, self.network, self.licence, half=True)

    def save(self) -> None:
        """Write `last.pt`, and show the network to `on_save` in evaluation mode."""
        state = {
            "recipe": asdict(self.recipe),
            "iteration": self.iteration,
            "optimizer": self._optimizer.state_dict(),
        }
        save_sharpmask(self.last, self.network, self.licence, training=state)
        self.network.eval()
        self.on_save(self.iteration, self.network)
        self._train_mode()

    def resume(self) -> None:
        """Restore the state of `last.pt`. Raises TrainingError where it is of another recipe."""
        saved, training = read_sharpmask(self.last)
        wanted = asdict(self.recipe)
        kept = (training or {}).get("recipe")
        if training is None or not isinstance(kept, dict) or {**kept, "drops": ()} != {**wanted, "drops": ()}:
            raise TrainingError(f"{self.last} was saved by a run with other settings; start a new one")
        self.network.load_state_dict(saved.state_dict())
        self._optimizer.load_state_dict(training["optimizer"])
        self.iteration = int(training["iteration"])

    def _train_mode(self) -> None:
        """Put what is trained into training mode, but for the trunk: its batch norms are constant."""
        self.network.eval()
        for part in self._trained:
            part.train(part is not self.network.trunk)

    def _learn(self, batch: PatchBatch, rate: float) -> dict[str, float]:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.iteration)  # of dropout
        name, loss = patch_loss(self.network, batch, self.recipe, self.device)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"iteration {self.iteration}: the {name} loss is {value:g}; lower the learning rate"
            )
        loss.backward()
        self._optimizer.step()
        return {name: value / (len(batch) if name == "mask" else 1)}


def _optimizer(parameters: list[nn.Parameter], recipe: ProposalRecipe) -> torch.optim.Optimizer:
    if recipe.optimizer == "adamw":
        betas = (recipe.momentum, 0.999)
        return torch.optim.AdamW(parameters, recipe.learning_rate, betas, weight_decay=recipe.weight_decay)
    return torch.optim.SGD(
        parameters, recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay
    )


def trained_parts(network: SharpMask, recipe: ProposalRecipe) -> list[nn.Module]:
    """Return the modules that a stage trains; every other parameter of the network is frozen."""
    network.requires_grad_(False)
    parts: list[nn.Module] = []
    if recipe.stage == "refine":
        assert network.refinement is not None
        parts.append(network.refinement)
    else:
        parts += [network.head, *([network.trunk] if recipe.train_trunk else [])]
    for part in parts:
        part.requires_grad_(True)
    return parts


def patch_loss(
    network: SharpMask, batch: PatchBatch, recipe: ProposalRecipe, device: str = "cpu"
) -> tuple[str, Tensor]:
    """Return the name of a batch's loss, `mask` or `score`, and the loss."""
    images = batch.images.to(device, memory_format=torch.channels_last)
    targets = batch.targets.to(device)
    with torch.set_grad_enabled(recipe.stage == "mask" and recipe.train_trunk):
        levels = network.patch_levels(images)
    if recipe.stage == "refine":
        assert network.refinement is not None
        with torch.no_grad():
            codes = network.head(levels[-1]).codes[:, :, 0, 0]
        refined = network.refinement(codes, network.refinement.skips(levels))
        return "mask", proposal_mask_loss(refined, targets)
    codes, scores = network.head(levels[-1])
    if not batch.of_masks:
        return "score", proposal_score_loss(scores[:, 0, 0], targets)
    side = targets.shape[-1]
    coarse = network.coarse(codes[:, :, 0, 0])[:, None]
    enlarged = F.interpolate(coarse, size=(side, side), mode="bilinear", align_corners=True)[:, 0]
    return "mask", proposal_mask_loss(enlarged, targets)
