"""Training of proposal networks: `train --config sharpmask_lite --stage mask`, then `--stage refine`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from app.train.watch import ProgressLine
from model.atomic import write_bytes
from model.checkpoints.catalog import resolve_weights
from model.checkpoints.sharpmask import load_sharpmask
from model.checkpoints.yolact import load_checkpoint
from model.engines.choice import select_device
from model.errors import ConfigError
from model.sharpmask.config import SHARPMASK_PRESETS, STAGES, StageName
from model.sharpmask.network import SharpMask, build_sharpmask
from model.sharpmask.pyramid import MEAN, STD
from model.training.data.annotations import join
from model.training.data.data_formats import load_all
from model.training.data.patches import PatchBatch, PatchBatches, patch_loader
from model.training.logs import CsvLog, TensorBoardLog, step_row
from model.training.proposal_trainer import ProposalRecipe, ProposalTrainer, recipe_for
from model.training.watcher import StepReport

# what a network whose trunk is a detector's own is trained with by default
_LITE = {"optimizer": "adamw", "weight_decay": 1e-4, "drops": ((0.6, 0.3), (0.85, 0.1)), "train_trunk": False}
_LITE_ITERATIONS = {"mask": 8_000, "refine": 4_000}
_PUBLISHED_ITERATIONS = 300 * 4_000
_FIELDS = ("iteration", "mask", "score", "learning_rate", "images", "seconds", "waited")
_SHOWN = 8  # patches of a preview


@dataclass(frozen=True)
class ProposalTraining:
    """Flags of `train` that a proposal network takes.

    init:    weights of YOLACT whose backbone becomes the trunk of a network that shares it
    weights: a proposal network's own weights to start from, which `refine` needs
    """

    output: Path
    config: str
    stage: StageName
    data: tuple[str, ...]
    images: str | None = None
    init: str | None = None
    weights: str | None = None
    iterations: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    seed: int | None = None
    licence: str | None = None
    save_every: int | None = None

    def __post_init__(self) -> None:
        if self.config not in SHARPMASK_PRESETS:
            raise ConfigError(f"there is no proposal network {self.config!r}: {', '.join(SHARPMASK_PRESETS)}")
        if self.stage not in STAGES:
            raise ConfigError(f"{self.config} is a proposal network; name its --stage: {' or '.join(STAGES)}")
        if not self.data:
            raise ConfigError("--data is missing: the labelled images to learn from")
        if self.stage == "refine" and not self.weights:
            raise ConfigError("--stage refine needs --weights of the mask stage, such as RUN/final.pt")

    @property
    def recipe(self) -> ProposalRecipe:
        """The stage's recipe with what was given."""
        shares = SHARPMASK_PRESETS[self.config].trunk == "csp"
        iterations = self.iterations or (_LITE_ITERATIONS[self.stage] if shares else _PUBLISHED_ITERATIONS)
        given = {name: getattr(self, name) for name in ("batch_size", "learning_rate", "seed")}
        changes = {name: value for name, value in given.items() if value is not None}
        if shares:
            momentum = {"momentum": 0.9}
            return recipe_for(self.stage, iterations, **(_LITE | momentum | changes))
        return recipe_for(self.stage, iterations, **changes)


@contextmanager
def build_proposal_trainer(
    training: ProposalTraining, device: str, workers: int, resume: bool
) -> Iterator[ProposalTrainer]:
    """Open a trainer with its data and logs.

    All that can be wrong with settings and data is told before anything is written.
    """
    recipe = training.recipe
    sets = load_all(training.data, images=training.images)
    annotations = join(sets, None)
    network = _network(training)
    side = recipe.target_side(network)
    batches = PatchBatches(
        annotations, network.config, recipe.seed, recipe.batch_size, side, recipe.mask_share
    )
    where = select_device(device)
    training.output.mkdir(parents=True, exist_ok=True)
    for line in annotations.summary():
        print(line, file=sys.stderr)
    with ExitStack() as open_files:
        trainer = ProposalTrainer(
            network,
            recipe,
            lambda start: patch_loader(batches, start, workers),
            training.output,
            on_save=partial(_preview, training.output / "previews", batches),
            save_every=training.save_every or 500,
            licence=training.licence or "",
            device=str(where),
        )
        if resume and trainer.last.exists():
            trainer.resume()
        trainer.on_step = _told(training.output, recipe.iterations, trainer.iteration, open_files)
        settings = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(training).items()}
        write_bytes(training.output / "run.json", (json.dumps(settings, indent=2) + "\n").encode())
        yield trainer


def saved_training(output: Path) -> ProposalTraining | None:
    """Return the settings of a run of a proposal network in that folder, None where none can be read."""
    try:
        values = json.loads((output / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(values, dict) or "stage" not in values:
        return None
    return ProposalTraining(**{**values, "output": output, "data": tuple(values["data"])})


def _network(training: ProposalTraining) -> SharpMask:
    config = SHARPMASK_PRESETS[training.config]
    torch.manual_seed(training.recipe.seed)
    if training.weights:
        network = load_sharpmask(training.weights)
        if network.config.trunk != config.trunk or network.config.code != config.code:
            raise ConfigError(f"{training.weights} is a {network.config.name}, not a {config.name}")
        if network.config == config:
            return network
        grown = build_sharpmask(config)
        grown.load_state_dict(network.state_dict(), strict=False)  # what refines starts anew
        return grown
    network = build_sharpmask(config)
    if config.trunk == "csp":
        backbone = load_checkpoint(resolve_weights(training.init)).backbone.state_dict()
        wanted = network.trunk.state_dict()
        if not wanted.keys() <= backbone.keys():
            raise ConfigError(f"{training.init}: its backbone is not the one that {config.name} shares")
        network.trunk.load_state_dict({name: backbone[name] for name in wanted})
    elif training.init:
        raise ConfigError(f"{config.name} shares no detector's backbone; leave --init out")
    return network


def _told(output: Path, iterations: int, start: int, open_files: ExitStack) -> Callable[[StepReport], None]:
    log = CsvLog(output / "log.csv", _FIELDS, start)
    board = TensorBoardLog(output / "tensorboard", start)
    progress = ProgressLine(iterations, sys.stderr)
    for part in (log, board, progress):
        open_files.callback(part.close)

    def on_step(report: StepReport) -> None:
        log.write(step_row(report))
        board.write(report)
        progress.step(report)

    return on_step


def _preview(folder: Path, batches: PatchBatches, iteration: int, network: SharpMask) -> None:
    """Write a picture of some patches: what the network finds filled, what is labelled as a line."""
    folder.mkdir(parents=True, exist_ok=True)
    batch = next(b for b in map(batches.__getitem__, range(10_000)) if b.of_masks)
    device = next(network.parameters()).device
    with torch.inference_mode():
        out = network.patch(batch.images[:_SHOWN].to(device))
    found = out.mask_logits if out.refined_logits is None else out.refined_logits
    rows = [_drawn_patch(batch, n, found[n].cpu().numpy(), network.config.rim) for n in range(len(found))]
    cv2.imwrite(str(folder / f"{iteration:07}.jpg"), np.hstack(rows))


def _drawn_patch(batch: PatchBatch, number: int, logits: NDArray[np.float32], rim: int) -> NDArray[np.uint8]:
    rgb = batch.images[number].permute(1, 2, 0).numpy() * STD + MEAN
    picture = np.ascontiguousarray((rgb[..., ::-1] * 255).clip(0, 255).astype(np.uint8))
    window = picture[rim:-rim, rim:-rim]
    size = (window.shape[1], window.shape[0])
    inside = cv2.resize(logits, size) > 0
    window[inside] = window[inside] // 2 + np.array((90, 60, 0), np.uint8)
    labelled = (batch.targets[number].numpy() > 0).astype(np.uint8)
    target = cv2.resize(labelled, size, interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(target, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(window, outlines, -1, (0, 200, 255), 1)
    return picture
