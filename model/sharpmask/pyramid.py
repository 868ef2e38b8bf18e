"""A picture at several scales, each framed in grey, as the proposal networks see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from model.errors import ConfigError
from model.sharpmask.config import SharpMaskConfig

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
GREY = 0.5

# exponents of 2 in half octaves, for windows of 160 px: -2.5 to 0.5; zooming in adds finer ones
_BASE = tuple(e / 2 for e in range(-5, 2))
ZOOMS = tuple(tuple(2.0**e for e in (*_BASE, *finer)) for finer in ((), (1.0,), (1.0, 1.5)))

SMALLEST_SCALE, LARGEST_SCALE = 1 / 64, 16.0


@dataclass(frozen=True)
class PyramidLevel:
    """One scale of the pyramid: its factor, and the rows and columns of windows that there are."""

    scale: float
    rows: int
    columns: int


def check_scales(scales: Sequence[float]) -> tuple[float, ...]:
    """Return the scales as floats. Raises ConfigError where there is none, or one that makes no sense."""
    found = tuple(float(scale) for scale in scales)
    bad = next((s for s in found if not SMALLEST_SCALE <= s <= LARGEST_SCALE), None)
    if bad is not None or not found:
        raise ConfigError(
            f"scales of the pyramid should be numbers from {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}, at least "
            f"one, got {'none' if bad is None else f'{bad:g}'}"
        )
    return found


def normalised(frame: Tensor) -> Tensor:
    """Return a BGR uint8 picture [H, W, 3] as normalised RGB float [1, 3, H, W]."""
    rgb = frame.flip(-1).permute(2, 0, 1)[None].float() / 255
    return (rgb - _column(MEAN, rgb)) / _column(STD, rgb)


def levels(
    config: SharpMaskConfig, height: int, width: int, scales: Sequence[float]
) -> tuple[PyramidLevel, ...]:
    """Return the levels of a picture's pyramid; a side that would vanish keeps one pixel."""
    sides = ((s, *scaled_sides(height, width, s)) for s in scales)
    return tuple(PyramidLevel(s, _cells(h, config.stride), _cells(w, config.stride)) for s, h, w in sides)


def scaled_sides(height: int, width: int, scale: float) -> tuple[int, int]:
    """Return both sides at a scale, rounded to whole pixels, at least 1."""
    return max(1, round(height * scale)), max(1, round(width * scale))


def scaled(image: Tensor, scale: float, margin: int) -> Tensor:
    """Return a normalised picture at a scale, with `margin` pixels of grey on each side.

    image: [1, 3, H, W] float. Bilinear, corners on corners, without antialiasing.
    """
    height, width = scaled_sides(image.shape[-2], image.shape[-1], scale)
    if (height, width) != tuple(image.shape[-2:]):
        image = F.interpolate(image, size=(height, width), mode="bilinear", align_corners=True)
    grey = (GREY - _column(MEAN, image)) / _column(STD, image)
    framed = grey.expand(1, 3, height + 2 * margin, width + 2 * margin).clone()
    framed[..., margin : margin + height, margin : margin + width] = image
    return framed


def pyramid(image: Tensor, config: SharpMaskConfig, scales: Sequence[float]) -> Iterator[Tensor]:
    """Yield the framed picture at each scale, one at a time: the finest takes much memory."""
    for scale in scales:
        yield scaled(image, scale, config.window // 2)


def _cells(side: int, stride: int) -> int:
    return -(-side // stride) + 1


def _column(values: tuple[float, float, float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device).view(1, 3, 1, 1)
