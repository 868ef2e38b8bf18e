"""Object proposals of whole pictures: the best windows of a pyramid, with their masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model.detections import MaskCrop
from model.errors import ConfigError
from model.sharpmask.engines import ProposalEngines, torch_engines
from model.sharpmask.network import DenseOutputs, SharpMask
from model.sharpmask.paste import MASK_PROBABILITY, paste
from model.sharpmask.pyramid import ZOOMS, check_scales, normalised, pyramid
from model.sharpmask.tiles import dense_pass

# windows whose masks are made at a time: enough to keep the cores busy, few enough for the caches
_CHUNK = 32


@dataclass(frozen=True, eq=False)
class Proposals:
    """Class-agnostic proposals of one picture, best first.

    scores:  [N] float32, objectness in 0..1
    windows: [N, 3] int64, index of the scale, row and column, from 0
    crops:   N masks, each in its tight box
    shape:   height and width of the picture
    """

    scores: np.ndarray
    windows: np.ndarray
    crops: tuple[MaskCrop, ...]
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.scores)

    @cached_property
    def boxes(self) -> np.ndarray:
        """Tight boxes of the masks: [N, 4] int64, x1, y1, x2, y2, far edges excluded; 0 for an empty mask."""
        return np.array([crop.box for crop in self.crops], np.int64).reshape(-1, 4)

    @property
    def masks(self) -> np.ndarray:
        """Masks at the picture's size: [N, H, W] bool. N x H x W bytes; `crops` holds far less."""
        height, width = self.shape
        masks = [crop.paste(height, width) for crop in self.crops]
        return np.stack(masks) if masks else np.zeros((0, height, width), bool)


@dataclass(frozen=True, eq=False)
class Best:
    """The best windows of a pyramid: scores [N] float32, best first, and windows [N, 3] int64."""

    scores: np.ndarray
    windows: np.ndarray


def best_windows(score_logits: Sequence[np.ndarray], top_n: int) -> Best:
    """Return the `top_n` windows of all scales together; equal scores stay in order of scale, row and column.

    score_logits: for each scale [h, w] float. Windows whose score is not finite are left out.
    """
    flat = np.concatenate([logits.ravel() for logits in score_logits]).astype(np.float32)
    order = np.argsort(-np.where(np.isfinite(flat), flat, -np.inf), kind="stable")[:top_n]
    order = order[np.isfinite(flat[order])]
    places = [np.indices(logits.shape).reshape(2, -1).T for logits in score_logits]
    windows = np.concatenate(
        [np.column_stack([np.full(len(place), n), place]) for n, place in enumerate(places)]
    )
    return Best(torch.from_numpy(flat[order]).sigmoid().numpy(), windows[order].astype(np.int64))


def propose(
    network: SharpMask | ProposalEngines,
    frame: np.ndarray,
    scales: Sequence[float] = ZOOMS[0],
    top_n: int = 500,
    refine: bool = True,
    probability: float = MASK_PROBABILITY,
) -> Proposals:
    """Return the best `top_n` proposals of a picture, over all scales together, without NMS.

    network: in evaluation mode, which PyTorch then runs where it is; or engines that run it
    frame: [H, W, 3] uint8, BGR. `refine=False` gives SharpMask's coarse masks; DeepMask has no others. Raises
    ConfigError on scales that make no sense, fewer than one window, or a frame of another form.
    """
    check_frame(frame)
    if top_n < 1:
        raise ConfigError(f"top_n should be at least 1, got {top_n}")
    scales = check_scales(scales)
    engines = torch_engines(network) if isinstance(network, SharpMask) else network
    shape = (frame.shape[0], frame.shape[1])
    with torch.inference_mode():
        levels = dense_levels(engines, frame, scales, top_n)
        best = best_windows([level.score_logits for level in levels], top_n)
        crops = window_crops(engines, levels, best, scales, shape, refine, probability)
    return Proposals(best.scores, best.windows, crops, shape)


@dataclass(frozen=True, eq=False)
class DenseLevel:
    """Outputs of the dense pass at one scale, with the codes of its best windows alone.

    score_logits: [h, w] float32
    windows:      [n] int64, row times w plus column of the windows that have codes, ascending
    codes:        [n, K] float32
    skips:        see `Refinement.skips`
    """

    score_logits: np.ndarray
    windows: np.ndarray
    codes: Tensor
    skips: tuple[Tensor, ...]

    def codes_of(self, cells: np.ndarray) -> Tensor:
        """Return the codes [N, K] of windows, [N, 2] int, row and column."""
        places = np.searchsorted(self.windows, cells[:, 0] * self.score_logits.shape[1] + cells[:, 1])
        return self.codes[torch.from_numpy(places).to(self.codes.device)]


def dense_levels(
    engines: ProposalEngines, frame: np.ndarray, scales: Sequence[float], top_n: int | None = None
) -> list[DenseLevel]:
    """Return the outputs of the dense pass at each scale.

    frame: [H, W, 3] uint8, BGR. top_n: windows of a scale that get codes, at most; None for all.
    """
    image = normalised(torch.from_numpy(np.ascontiguousarray(frame)).to(engines.device))
    pictures = pyramid(image, engines.config, scales)
    return [_level(dense_pass(engines.dense, engines.config, picture), top_n) for picture in pictures]


def _level(outputs: DenseOutputs, top_n: int | None) -> DenseLevel:
    logits = outputs.score_logits[0].cpu().numpy()
    codes = outputs.codes[0].flatten(1).T
    windows = np.arange(logits.size)
    if top_n is not None and top_n < logits.size:
        _, rows, columns = best_windows([logits], top_n).windows.T
        windows = np.sort(rows * logits.shape[1] + columns)
        codes = codes[torch.from_numpy(windows).to(codes.device)]
    return DenseLevel(logits, windows, codes, outputs.skips)


def check_frame(frame: np.ndarray) -> None:
    """Raise ConfigError unless a frame is a BGR uint8 picture [H, W, 3] with at least one pixel."""
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
        raise ConfigError(f"expected a frame [H, W, 3] of uint8, got {list(frame.shape)} of {frame.dtype}")


def window_crops(
    engines: ProposalEngines,
    levels: Sequence[DenseLevel],
    best: Best,
    scales: Sequence[float],
    shape: tuple[int, int],
    refine: bool = True,
    probability: float = MASK_PROBABILITY,
) -> tuple[MaskCrop, ...]:
    """Return the masks of windows, in their order, refined where the network can; see `propose`."""
    config = engines.config
    crops: list[MaskCrop | None] = [None] * len(best.scores)
    for number, (level, scale) in enumerate(zip(levels, scales, strict=True)):
        of_level = np.flatnonzero(best.windows[:, 0] == number)
        for first in range(0, len(of_level), _CHUNK):
            chunk = of_level[first : first + _CHUNK]
            cells = best.windows[chunk, 1:]
            logits = window_logits(engines, level, cells, refine).cpu().numpy()
            for n, cell, values in zip(chunk, cells, logits, strict=True):
                row, column = (int(c) * config.stride - config.window // 2 for c in cell)
                crops[n] = paste(values, scale, (row, column), shape, config.window, probability)
    return tuple(crop for crop in crops if crop is not None)


def window_logits(engines: ProposalEngines, level: DenseLevel, cells: np.ndarray, refine: bool) -> Tensor:
    """Return mask logits [N, side, side] of windows of one scale: refined, or coarse.

    cells: [N, 2] int, row and column of each window. The result may change when masks are made again.
    """
    codes = level.codes_of(cells)
    if not refine or engines.refined is None:
        return engines.coarse.start((codes,))()
    grid = engines.config.grid
    skips = (window_parts(skip, cells * 2**n, grid * 2**n) for n, skip in enumerate(level.skips))
    return engines.refined.start((codes, *skips))()


def window_parts(level: Tensor, corners: np.ndarray, side: int) -> Tensor:
    """Return the parts [N, C, side, side] of a map at N corners; zeros where the map ends.

    level: [1, C, h, w]; corners: [N, 2] int, row and column, within the map.
    """
    height, width = level.shape[-2:]
    beyond = np.maximum(corners.max(0, initial=0) + side - (height, width), 0)
    level = F.pad(level, (0, int(beyond[1]), 0, int(beyond[0])))[0]
    return torch.stack([level[:, r : r + side, c : c + side] for r, c in corners.tolist()])
