"""Look into a proposal network: score maps, coarse and refined masks, and what grows in between.

What the SharpMask paper (arXiv:1603.08695) shows of its refinement, for any frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from model.detections import Detections, MaskCrop, mask_iou
from model.sharpmask.config import SharpMaskConfig
from model.sharpmask.engines import ProposalEngines, torch_engines
from model.sharpmask.network import SharpMask
from model.sharpmask.paste import paste
from model.sharpmask.predictor import ProposalOptions, detections, shown_rows
from model.sharpmask.proposals import (
    Best,
    DenseLevel,
    Proposals,
    best_windows,
    check_frame,
    dense_levels,
    window_parts,
)

_CHUNK = 32  # windows whose masks are made at a time

Map = NDArray[np.float32]
Place = tuple[float, float, float, float]
"""x1, y1, x2, y2 in frame pixels; may lie beyond the frame."""


@dataclass(frozen=True, eq=False)
class ScoreMap:
    """The objectness of every window of one scale.

    scale:  factor by which the frame was resized
    window: side of a window in frame pixels
    scores: [h, w] float32, 0..1
    place:  what the map covers: each score a square of the distance of windows, around its window's centre
    """

    scale: float
    window: float
    scores: Map
    place: Place


@dataclass(frozen=True, eq=False)
class MaskGrowth:
    """The steps from the code of one window to its mask.

    score:     objectness, 0..1
    scale:     of the pyramid's level that the window is from
    place:     the window
    coarse:    [mask_side, mask_side] float32, probabilities
    encodings: M1, M2, …, as pictures [side, side] float32, 0..1, see `first_component`; none for DeepMask
    refined:   [window, window] float32, probabilities; None for DeepMask
    masks:     in the frame, the coarse one and the refined one; DeepMask's only is both
    """

    score: float
    scale: float
    place: Place
    coarse: Map
    encodings: tuple[Map, ...]
    refined: Map | None
    masks: tuple[MaskCrop, MaskCrop]


@dataclass(frozen=True, eq=False)
class ProposalInspection:
    """Scores, proposals, detections and steps of their masks, of one frame.

    maps:       one for each scale, in the order of the options
    proposals:  as `propose` returns them: before NMS
    detections: those that are shown: after NMS
    growths:    of each detection
    """

    maps: tuple[ScoreMap, ...]
    proposals: Proposals
    detections: Detections
    growths: tuple[MaskGrowth, ...]

    def growth_of(self, mask: MaskCrop) -> MaskGrowth | None:
        """Return the growth of the detection whose mask overlaps this one most; None where none does."""
        crops = self.detections.crops or ()
        overlaps = [mask_iou(crop, mask) for crop in crops]
        best = int(np.argmax(overlaps)) if overlaps else 0
        return self.growths[best] if overlaps and overlaps[best] > 0 else None


def inspect(
    network: SharpMask,
    frame: NDArray[np.uint8],
    options: ProposalOptions,
    engines: ProposalEngines | None = None,
) -> ProposalInspection:
    """Return what a network computes for a frame, and the detections that come of it.

    frame:   [H, W, 3] uint8, BGR
    engines: run the network over the frame, PyTorch by default; windows are refined in PyTorch in any case

    Raises ConfigError on a frame of another form.
    """
    check_frame(frame)
    config, shape = network.config, (frame.shape[0], frame.shape[1])
    with torch.inference_mode():
        levels = dense_levels(engines or torch_engines(network), frame, options.scales, options.top_n)
        best = best_windows([level.score_logits for level in levels], options.top_n)
        growths = _growths(network, levels, best, options, shape)
    crops = tuple(growth.masks[-1 if options.refine else 0] for growth in growths)
    proposals = Proposals(best.scores, best.windows, crops, shape)
    return ProposalInspection(
        tuple(
            _score_map(config, scale, level.score_logits)
            for scale, level in zip(options.scales, levels, strict=True)
        ),
        proposals,
        detections(proposals, options),
        tuple(growths[row] for row in shown_rows(proposals, options)),
    )


def _score_map(config: SharpMaskConfig, scale: float, logits: Map) -> ScoreMap:
    """logits: [h, w]."""
    rows, columns = logits.shape
    step, half = config.stride / scale, config.stride / scale / 2
    place = (-half, -half, columns * step - half, rows * step - half)
    return ScoreMap(scale, config.window / scale, _sigmoid(logits), place)


def _growths(
    network: SharpMask,
    levels: Sequence[DenseLevel],
    best: Best,
    options: ProposalOptions,
    shape: tuple[int, int],
) -> list[MaskGrowth]:
    """Return the growth of each of the best windows, in their order. shape: of the frame."""
    made: dict[int, MaskGrowth] = {}
    for number, level in enumerate(levels):
        of_level = np.flatnonzero(best.windows[:, 0] == number)
        for first in range(0, len(of_level), _CHUNK):
            chunk = of_level[first : first + _CHUNK]
            steps = _steps(network, level, best.windows[chunk, 1:])
            for row, logits in zip(chunk.tolist(), steps, strict=True):
                cell = best.windows[row]
                made[row] = _growth(network.config, float(best.scores[row]), cell, logits, options, shape)
    return [made[row] for row in range(len(best.scores))]


@dataclass(frozen=True, eq=False)
class _Steps:
    """Logits of one window's masks, and its encodings as pictures; see `MaskGrowth`."""

    coarse: Map
    encodings: tuple[Map, ...]
    refined: Map | None


def _steps(network: SharpMask, level: DenseLevel, cells: NDArray[np.int64]) -> list[_Steps]:
    """Return the steps of windows of one scale. cells: [N, 2], row and column of each."""
    codes = level.codes_of(cells)
    coarse = _array(network.coarse(codes))
    if network.refinement is None:
        return [_Steps(logits, (), None) for logits in coarse]
    grid = network.config.grid
    skips = [window_parts(skip, cells * 2**n, grid * 2**n) for n, skip in enumerate(level.skips)]
    *encodings, refined = network.refinement.steps(codes, skips)
    pictures = [_array(first_component(encoding, refined)) for encoding in encodings]
    return [
        _Steps(coarse[n], tuple(picture[n].copy() for picture in pictures), logits)
        for n, logits in enumerate(_array(refined))
    ]


def first_component(encodings: Tensor, logits: Tensor) -> Tensor:
    """Return the first principal component of the channels, [N, side, side], scaled to 0..1 for each window.

    It has the sign by which it is large where the mask is. Zeros where all pixels are alike.

    encodings: [N, C, side, side]; logits: of the masks, [N, window, window]
    """
    side = encodings.shape[-1]
    centred = encodings.flatten(2)  # [N, C, side, side] -> [N, C, side²]
    centred = centred - centred.mean(2, keepdim=True)
    axes = torch.linalg.eigh(centred @ centred.transpose(1, 2)).eigenvectors[:, :, -1:]  # [N, C, 1]
    component = (axes.transpose(1, 2) @ centred)[:, 0]
    mask = F.adaptive_avg_pool2d(logits[:, None].sigmoid(), side).flatten(1)
    agreement = (component * (mask - mask.mean(1, keepdim=True))).sum(1, keepdim=True)
    component = torch.where(agreement < 0, -component, component)
    component = component - component.amin(1, keepdim=True)
    return (component / component.amax(1, keepdim=True).clamp_min(1e-12)).unflatten(1, (side, side))


def _growth(
    config: SharpMaskConfig,
    score: float,
    cell: NDArray[np.int64],
    steps: _Steps,
    options: ProposalOptions,
    shape: tuple[int, int],
) -> MaskGrowth:
    """cell: [3], index of the scale, row and column."""
    scale = options.scales[int(cell[0])]
    top, left = (int(place) * config.stride - config.window // 2 for place in cell[1:])
    place = (left / scale, top / scale, (left + config.window) / scale, (top + config.window) / scale)
    logits = (steps.coarse,) if steps.refined is None else (steps.coarse, steps.refined)
    masks = [paste(one, scale, (top, left), shape, config.window, options.probability) for one in logits]
    return MaskGrowth(
        score, scale, place, _sigmoid(steps.coarse), steps.encodings,
        None if steps.refined is None else _sigmoid(steps.refined), (masks[0], masks[-1]),
    )  # fmt: skip


def _sigmoid(logits: Map) -> Map:
    return torch.from_numpy(logits).sigmoid().numpy()


def _array(values: Tensor) -> Map:
    return values.float().cpu().numpy()
