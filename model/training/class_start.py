"""Initialise classes that a detector does not know from those that it knows.

Backbone, neck and head stay as they are: a new class is one more logistic regression on their features. Its
rows are the most likely ones for the labelled objects under a normal distribution around the rows of the
known class that answers best to them, so that few objects change little and many decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.detection.boxes import decode_distances, paired_iou
from model.network.heads import AnchorFreeHead
from model.network.yolact import Yolact
from model.preprocessing import normalise
from model.training.data.loader import Batch
from model.training.data.targets import Targets
from model.training.matching import assign

MIXTURE_PENALTY = 100.0
"""Weight of the squared distance of a mixture of known classes from the nearest one, in nats."""
ROW_PENALTY = 300.0
"""Weight of the squared distance of the rows from that mixture, in nats."""
STEPS = 40
EASY_SCORE, EASY_SHARE = 0.05, 0.15
"""Of the cells that no known class gives a higher score, this share is kept, with a weight to match."""


@dataclass(frozen=True, eq=False)
class KnownClasses:
    """The K classes of a detector: rows of D features on each of L levels, and of its semantic layer.

    weights:         [L, K, D] float32
    biases:          [L, K] float32
    semantic_weight: [K, S, 1, 1] float32
    semantic_bias:   [K] float32
    """

    names: tuple[str, ...]
    weights: Tensor
    biases: Tensor
    semantic_weight: Tensor
    semantic_bias: Tensor

    @staticmethod
    def of(state: Mapping[str, Tensor], names: tuple[str, ...]) -> KnownClasses:
        """Return those of an anchor-free network's weights."""
        levels = sum(key.startswith("head.output.") and key.endswith(".weight") for key in state)
        layers = [f"head.output.{level}" for level in range(levels)]
        return KnownClasses(
            names,
            torch.stack([state[f"{layer}.weight"][: len(names)].float().flatten(1) for layer in layers]),
            torch.stack([state[f"{layer}.bias"][: len(names)].float() for layer in layers]),
            state["semantic_head.weight"].float(),
            state["semantic_head.bias"].float(),
        )

    def logits(self, levels: Iterable[Tensor]) -> Tensor:
        """Return [n, K] for the features of each level, [n_l, D] each."""
        rows = zip(levels, self.weights, self.biases, strict=True)
        return torch.cat([features @ weight.T + bias for features, weight, bias in rows])


@dataclass(frozen=True, eq=False)
class Cells:
    """n cells of a detector, level by level, and what the classes should score in them.

    levels:  [n_l, D] float32 each, the features
    goals:   [n, C] float32, the IoU of predicted box and object of the class that the cell learns, else 0
    weights: [n, C] float32, the number of cells that it stands for; 0 where the labels say nothing
    """

    levels: tuple[Tensor, ...]
    goals: Tensor
    weights: Tensor


@dataclass(frozen=True, eq=False)
class ClassRows:
    """Rows for a class: `mixture` [K] of the known classes' rows, plus what the mixture lacks.

    nearest: the index of the known class that answers best
    weight:  [L, D] float32; bias: [L] float32
    """

    nearest: int
    mixture: Tensor
    weight: Tensor
    bias: Tensor


def start_classes(network: Yolact, known: KnownClasses, batches: Iterable[Batch]) -> dict[str, str]:
    """Give the classes that a detector did not know rows that suit the labelled objects of some batches.

    network: anchor-free, with the weights of the detector that knows the `known` classes

    Returns the nearest known class by the name of each new one. A class of which no object is seen keeps
    the rows that it had.
    """
    names = network.config.class_names
    cells = collect(network, known, batches)
    nearest = {}
    for index, name in enumerate(names):
        rows = None if name in known.names else fit_rows(cells, known, index)
        if rows is not None:
            _write(network, known, index, rows)
            nearest[name] = known.names[rows.nearest]
    return nearest


@torch.no_grad()
def collect(network: Yolact, known: KnownClasses, batches: Iterable[Batch]) -> Cells:
    """Return what a network makes of some batches, on the CPU. It is left in its mode, at its input size."""
    training, size = network.training, network.config.image_size
    drawn = torch.Generator().manual_seed(0)
    parts: list[Cells] = []
    network.eval()
    with _head_inputs(network.head) as inputs:
        for batch in batches:
            inputs.clear()
            network.set_image_size(batch.images.shape[-1])
            images = normalise(batch.images.to(network.anchors.device), network.config)
            raw = network(images, with_masks=False)
            boxes, cells = decode_distances(raw.box_deltas, network.anchors).cpu(), network.anchors.cpu()
            for image, targets in enumerate(batch.targets):
                # [B, D, h, w] -> [h·w, D]
                levels = tuple(level[image].flatten(1).T.float().cpu() for level in inputs)
                goals, weights = _goals(boxes[image], cells, targets, network.config.num_classes)
                parts.append(_thinned(Cells(levels, goals, weights), known, drawn))
    network.train(training)
    network.set_image_size(size)
    return _joined(parts)


def fit_rows(cells: Cells, known: KnownClasses, index: int) -> ClassRows | None:
    """Return rows for class `index` of the cells; None where no object of it is seen."""
    goal, weight = cells.goals[:, index], cells.weights[:, index]
    if not bool((goal * weight).any()):
        return None
    logits = known.logits(cells.levels)  # [n, K]
    nearest = _nearest(logits, goal, weight)
    prior = F.one_hot(torch.tensor(nearest), len(known.names)).float()
    mixture = prior.clone().requires_grad_()
    rows = torch.zeros_like(known.weights[:, 0]).requires_grad_()
    biases = torch.zeros_like(known.biases[:, 0]).requires_grad_()

    def cost() -> Tensor:
        lacking = [x @ row + bias for x, row, bias in zip(cells.levels, rows, biases, strict=True)]
        found = logits @ mixture + torch.cat(lacking)
        error = F.binary_cross_entropy_with_logits(found, goal, weight, reduction="sum")
        apart = MIXTURE_PENALTY * (mixture - prior).square().sum() + ROW_PENALTY * rows.square().sum()
        return (error + apart) / goal.sum()

    _minimise(cost, [mixture, rows, biases])
    mixture, rows, biases = mixture.detach(), rows.detach(), biases.detach()
    weights = torch.einsum("k,lkd->ld", mixture, known.weights)
    return ClassRows(nearest, mixture, weights + rows, known.biases @ mixture + biases)


@contextmanager
def _head_inputs(head: nn.Module) -> Iterator[list[Tensor]]:
    """Yield a list that collects the inputs of the last layers, [B, D, h, w] a level, at each call."""
    assert isinstance(head, AnchorFreeHead)
    seen: list[Tensor] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])) for layer in head.output
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _goals(boxes: Tensor, cells: Tensor, targets: Targets, classes: int) -> tuple[Tensor, Tensor]:
    """Goals and weights, [A, C] each, of one image."""
    matches = assign(targets, boxes, torch.ones(len(boxes), classes), cells)
    where = matches.positive.nonzero().squeeze(1)
    objects = matches.objects[where]
    goals = torch.zeros(len(boxes), classes)
    goals[where, targets.classes[objects]] = paired_iou(boxes[where], targets.boxes[objects])
    weights = (matches.positive | matches.negative).float()[:, None].repeat(1, classes)
    if targets.labelled is not None:
        weights = weights * targets.labelled
    return goals, weights


def _thinned(cells: Cells, known: KnownClasses, drawn: torch.Generator) -> Cells:
    """Drop most cells without a known class or a label; the kept ones get greater weights."""
    easy = known.logits(cells.levels).sigmoid().amax(dim=1) <= EASY_SCORE
    easy &= ~cells.goals.any(dim=1)
    kept = ~easy | (torch.rand(len(easy), generator=drawn) < EASY_SHARE)
    weights = torch.where(easy[:, None], cells.weights / EASY_SHARE, cells.weights)
    of_levels = kept.split([len(level) for level in cells.levels])
    levels = tuple(level[rows] for level, rows in zip(cells.levels, of_levels, strict=True))
    return Cells(levels, cells.goals[kept], weights[kept])


def _joined(parts: list[Cells]) -> Cells:
    """Return the cells of all parts, level by level."""
    sizes = [[len(level) for level in part.levels] for part in parts]

    def by_level(values: list[Tensor]) -> Tensor:
        pieces = [value.split(size) for value, size in zip(values, sizes, strict=True)]
        return torch.cat([torch.cat(level) for level in zip(*pieces, strict=True)])

    return Cells(
        tuple(torch.cat(level) for level in zip(*(part.levels for part in parts), strict=True)),
        by_level([part.goals for part in parts]),
        by_level([part.weights for part in parts]),
    )


def _nearest(logits: Tensor, goal: Tensor, weight: Tensor) -> int:
    """Return the column of logits [n, K] that has the least cross entropy with a goal [n]."""
    apart = F.binary_cross_entropy_with_logits(
        logits, goal[:, None].expand_as(logits), weight[:, None].expand_as(logits), reduction="none"
    )
    return int(apart.sum(dim=0).argmin())


def _minimise(cost: Callable[[], Tensor], parameters: list[Tensor]) -> None:
    optimizer = torch.optim.LBFGS(parameters, max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = cost()
        value.backward()
        return value

    optimizer.step(closure)


@torch.no_grad()
def _write(network: Yolact, known: KnownClasses, index: int, rows: ClassRows) -> None:
    assert isinstance(network.head, AnchorFreeHead)
    for layer, weight, bias in zip(network.head.output, rows.weight, rows.bias, strict=True):
        assert isinstance(layer, nn.Conv2d)
        assert layer.bias is not None
        layer.weight[index] = weight[:, None, None].to(layer.weight)
        layer.bias[index] = bias.to(layer.bias)
    semantic = network.semantic_head
    assert isinstance(semantic, nn.Conv2d)
    assert semantic.bias is not None
    semantic.weight[index] = torch.einsum("k,k...->...", rows.mixture, known.semantic_weight).to(
        semantic.weight
    )
    semantic.bias[index] = (rows.mixture @ known.semantic_bias).to(semantic.bias)
