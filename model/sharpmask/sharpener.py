"""SharpMask on a detector's own features: each detected object's window is refined, without another trunk.

A window covers as many of the backbone's cells as make the object in it as large as the ones that SharpMask
learned from. Where these are not those of SharpMask's window, its part of each level is resized, which
imitates a picture of another scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model.checkpoints.catalog import resolve_weights
from model.checkpoints.kinds import is_sharpmask_file
from model.checkpoints.sharpmask import load_sharpmask
from model.checkpoints.yolact import best_state, read_checkpoint
from model.errors import ConfigError
from model.host.mask_windows import MaskWindow
from model.host.outputs import Floats, ImageOutputs
from model.sharpmask.network import SharpMask

# longest side, in pixels of the network's input, of objects whose masks gain (people/val; see the card)
SMALLEST_OBJECT, LARGEST_OBJECT = 65.0, 184.0
FEWEST_CELLS = 8  # of a window along a side: enlarged levels hold nothing finer

_OBJECT_SHARE = 92 / 160  # of a window's side: the objects that SharpMask is trained on
_CHUNK = 16  # windows at a time, 4 MB each
_ROUNDING = 2.0**-10  # of weights that were stored in half precision


@dataclass(frozen=True)
class WindowPlace:
    """A window on the grid of the coarsest level: first row and column, and cells along a side.

    Row and column may be negative; cells outside of the input are 0.
    """

    row: int
    column: int
    cells: int


class Sharpener:
    """Refines the masks of detections in windows of the detector's features."""

    def __init__(self, network: SharpMask, name: str = "") -> None:
        """network: in evaluation mode; its trunk is not used. name: of its weights.

        Raises ConfigError for a network that does not refine masks or has another trunk than the detectors.
        """
        config = network.config
        if config.trunk != "csp" or network.refinement is None:
            raise ConfigError(
                f"{config.name}: masks are sharpened by a SharpMask with refinement on the default network's "
                f"backbone, such as sharpmask_lite; this one has the trunk {config.trunk!r}"
                + ("" if config.refines else " and no refinement")
            )
        self.name = name
        self._config = config
        self._head = network.head
        self._refinement = network.refinement

    @torch.no_grad()
    def windows(
        self, boxes: Floats, outputs: ImageOutputs, content: tuple[int, int]
    ) -> list[MaskWindow | None]:
        """Return a window for each detection of an image, None for an object that is not eligible.

        boxes:   [N, 4] x1 y1 x2 y2, relative to the image
        outputs: of the image, with levels
        content: height and width in pixels of the network's input that the frame fills
        """
        assert outputs.levels is not None, "the engine was not asked for levels"
        levels = [torch.from_numpy(level)[None].float() for level in outputs.levels]
        stride = self._config.stride
        height, width = content
        corners = (np.clip(boxes, 0, 1) * np.array([width, height, width, height], np.float32)).tolist()
        places = [window_place(tuple(box), stride) for box in corners]
        wanted = [place for place in places if place is not None]
        chunks = (wanted[n : n + _CHUNK] for n in range(0, len(wanted), _CHUNK))
        logits = iter([one for chunk in chunks for one in self._logits(levels, chunk)])
        return [None if place is None else _window(next(logits), place, stride, content) for place in places]

    def _logits(self, levels: list[Tensor], places: list[WindowPlace]) -> Tensor:
        """Return refined logits [N, window, window] on the CPU. levels: [1, C, h, w], finest first."""
        per_cell = [self._config.stride // 2 ** (n + 1) for n in range(self._config.pools)]
        parts = [
            torch.cat([_part(level, place, per, self._config.grid) for place in places])
            for level, per in zip(levels, per_cell, strict=True)
        ]
        codes = self._head(parts[-1]).codes[:, :, 0, 0]
        refined: Tensor = self._refinement(codes, self._refinement.skips(parts))
        return refined.cpu()


def _window(logits: Tensor, place: WindowPlace, stride: int, content: tuple[int, int]) -> MaskWindow:
    return MaskWindow(
        logits.numpy(), stride * place.column, stride * place.row, stride * place.cells, content
    )


def window_place(box: tuple[float, float, float, float], stride: int = 16) -> WindowPlace | None:
    """Return the window for an object, None if that is too small or too large to gain.

    box: x1, y1, x2, y2 in pixels of the network's input; stride: of the cells
    """
    x1, y1, x2, y2 = box
    longest = max(x2 - x1, y2 - y1)
    if not SMALLEST_OBJECT <= longest <= LARGEST_OBJECT:
        return None
    cells = max(round(longest / (stride * _OBJECT_SHARE)), FEWEST_CELLS)
    row, column = (round((low + high) / 2 / stride - cells / 2) for low, high in ((y1, y2), (x1, x2)))
    return WindowPlace(row, column, cells)


def _part(level: Tensor, place: WindowPlace, per_cell: int, grid: int) -> Tensor:
    """Return a window's part of a level [1, C, h, w], resized to [1, C, side, side]; 0 outside of the level.

    per_cell: the level's places along a cell's side; grid: cells that SharpMask's window has along a side
    """
    top, left, own = place.row * per_cell, place.column * per_cell, place.cells * per_cell
    side = grid * per_cell
    height, width = level.shape[-2:]
    # what is negative is cut off
    part = F.pad(level, (-left, left + own - width, -top, top + own - height))
    if own == side:
        return part
    return F.interpolate(part, size=(side, side), mode="bilinear", antialias=own > side)


def load_sharpener(sharpen: str, weights: Path) -> Sharpener:
    """Return the sharpener of proposal weights for a detector's weights.

    sharpen: a name of the catalogue or a file; weights: the detector's, a checkpoint

    Raises ConfigError where these are no proposal weights, or were not trained on that detector's backbone;
    CheckpointError on a file that cannot be used.
    """
    path = resolve_weights(sharpen)
    if not is_sharpmask_file(path):
        raise ConfigError(
            f"{path}: masks are sharpened by the weights of a proposal network, such as "
            "sharpmask_lite_objects; this file holds something else"
        )
    network = load_sharpmask(path).requires_grad_(False)
    sharpener = Sharpener(network, sharpen)
    if not shares_trunk(network, best_state(read_checkpoint(weights))):
        raise ConfigError(
            f"{weights.name} cannot be sharpened by {path.name}, which was trained on another backbone's "
            "features: livemask_n, livemask_s and livemask_m have the one of sharpmask_lite_objects"
        )
    return sharpener


def shares_trunk(network: SharpMask, detector: Mapping[str, Tensor]) -> bool:
    """Return whether a detector's backbone holds the weights of a proposal network's trunk.

    detector: the weights by name; differences that half precision makes do not count
    """
    for name, value in network.trunk.state_dict().items():
        other = detector.get(f"backbone.{name}")
        if other is None or other.shape != value.shape:
            return False
        if value.is_floating_point() and not torch.allclose(
            value, other.float(), rtol=_ROUNDING, atol=_ROUNDING * float(value.abs().max())
        ):
            return False
    return True
