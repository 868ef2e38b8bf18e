"""A picture at several scales, each framed in grey, as the proposal networks see it."""

from __future__ import annotations

from collections.abc import Sequence
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


@dataclass(frozen=True, eq=False)
class FramedPicture:
    """A picture at a scale, with `margin` pixels of grey on each side, made in parts as they are needed.

    image: [1, 3, H, W] float, normalised. Resizing is bilinear, corners on corners, without antialiasing.
    """

    image: Tensor
    scale: float
    margin: int

    @property
    def height(self) -> int:
        """Rows of pixels, with both margins."""
        return self._sides[0] + 2 * self.margin

    @property
    def width(self) -> int:
        """Columns of pixels, with both margins."""
        return self._sides[1] + 2 * self.margin

    @property
    def _sides(self) -> tuple[int, int]:
        return scaled_sides(self.image.shape[-2], self.image.shape[-1], self.scale)

    def part(self, top: int, bottom: int, left: int, right: int) -> Tensor:
        """Return the pixels [1, 3, bottom - top, right - left] of a part."""
        image, (height, width) = self.image, self._sides
        rows = _inside(top - self.margin, bottom - self.margin, height)
        columns = _inside(left - self.margin, right - self.margin, width)
        y, x = rows[0] + self.margin - top, columns[0] + self.margin - left
        grey = (GREY - _column(MEAN, image)) / _column(STD, image)
        framed = grey.expand(1, 3, bottom - top, right - left).clone()
        inner = framed[..., y : y + rows[1] - rows[0], x : x + columns[1] - columns[0]]
        if (height, width) == tuple(image.shape[-2:]):
            inner.copy_(image[..., slice(*rows), slice(*columns)])
        elif tuple(inner.shape[-2:]) == (height, width):
            inner.copy_(F.interpolate(image, size=(height, width), mode="bilinear", align_corners=True))
        else:
            for channel in range(3):  # one after another, which takes less memory
                of_rows = _resized_part(image[:, channel], -2, height, *rows)
                inner[:, channel] = _resized_part(of_rows, -1, width, *columns)
        return framed

    def whole(self) -> Tensor:
        """Return all pixels."""
        return self.part(0, self.height, 0, self.width)


def _inside(start: int, stop: int, size: int) -> tuple[int, int]:
    """Return the part of a range that lies in 0 to `size`; both ends are the same where none does."""
    first = min(max(0, start), size)
    return first, max(first, min(stop, size))


def _resized_part(image: Tensor, dim: int, size: int, start: int, stop: int) -> Tensor:
    """Return the places `start` to `stop` of a dimension that is resized to `size`, corners on corners."""
    source = image.shape[dim]
    step = (source - 1) / (size - 1) if size > 1 else 0.0
    at = torch.arange(start, stop, device=image.device, dtype=torch.float32) * step
    low = at.floor().long().clamp(max=source - 1)
    high = (low + 1).clamp(max=source - 1)
    shape = [-1 if d == image.ndim + dim else 1 for d in range(image.ndim)]
    return torch.lerp(image.index_select(dim, low), image.index_select(dim, high), (at - low).view(shape))


def pyramid(image: Tensor, config: SharpMaskConfig, scales: Sequence[float]) -> tuple[FramedPicture, ...]:
    """Return the framed picture at each scale; image: [1, 3, H, W] float, normalised."""
    return tuple(FramedPicture(image, scale, config.window // 2) for scale in scales)


def _cells(side: int, stride: int) -> int:
    return -(-side // stride) + 1


def _column(values: tuple[float, float, float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device).view(1, 3, 1, 1)
