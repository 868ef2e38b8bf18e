"""Masks from prototypes and coefficients: linear assembly, cropping, and resizing to the frame."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from model.detections import MaskCrop

CROP_PADDING = 1.0  # prototype pixels around a box (as released)
PLACE_SCALE = 8.0  # so that a coefficient of 1 outweighs the prototypes
LEAST_HALF_SIDE = 0.004  # of a box, relative to the image: a pixel or two


def assemble(prototypes: Tensor, coefficients: Tensor) -> Tensor:
    """Compute sigmoid(P Cᵀ), one matrix product (paper, equation 1).

    prototypes: [B, Hp, Wp, K]; coefficients: [B, N, K]. Returns [B, N, Hp, Wp] in 0..1.
    """
    batch, height, width, _ = prototypes.shape
    # [B, N, K] x [B, K, Hp·Wp] -> [B, N, Hp·Wp]
    logits = coefficients @ prototypes.flatten(1, 2).transpose(1, 2)
    return logits.sigmoid().view(batch, -1, height, width)


def in_place(prototypes: Tensor, coefficients: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Extend prototypes and coefficients by a polynomial of each pixel's position in the box.

    prototypes:   [B, Hp, Wp, K]
    coefficients: [B, N, K + 6], the last six of 1, u, v, u², v² and uv times `PLACE_SCALE`; u and v run from
                  -1 to 1 across the box. Without those six both are returned as they are
    boxes:        [B, N, 4] x1 y1 x2 y2, relative to the prototypes

    Where people overlap, prototypes show all of them; a sum that falls off towards a side or a corner of the
    box leaves one. Returns [B, Hp, Wp, K + 6], whose last six are 1, x, y, x², y² and xy of a pixel, 0..1,
    and [B, N, K + 6]: a polynomial of u and v is one of x and y, with coefficients of its own.
    """
    count = prototypes.shape[-1]
    if coefficients.shape[-1] == count:
        return prototypes, coefficients
    batch, height, width, _ = prototypes.shape
    maps = _place_maps(height, width, boxes.device).to(prototypes.dtype).expand(batch, -1, -1, -1)
    learned, terms = coefficients[..., :count], coefficients[..., count:]
    return (
        torch.cat([prototypes, maps], dim=-1),
        torch.cat([learned, _of_the_image(terms * PLACE_SCALE, boxes)], dim=-1),
    )


def _place_maps(height: int, width: int, device: torch.device) -> Tensor:
    """Return 1, x, y, x², y² and xy of each pixel's centre, 0..1: [height, width, 6]."""
    x = ((torch.arange(width, device=device) + 0.5) / width).expand(height, width)
    y = ((torch.arange(height, device=device) + 0.5) / height)[:, None].expand(height, width)
    return torch.stack([torch.ones_like(x), x, y, x * x, y * y, x * y], dim=-1)


def _of_the_image(terms: Tensor, boxes: Tensor) -> Tensor:
    """Convert coefficients [..., 6] of 1 u v u² v² uv to 1 x y x² y² xy: u = a·x + b, v = c·y + d."""
    low, high = boxes[..., :2], boxes[..., 2:]
    half = ((high - low) / 2).clamp(min=LEAST_HALF_SIDE)
    a, c = (1 / half).unbind(-1)
    b, d = (-(low + high) / 2 / half).unbind(-1)
    one, u, v, uu, vv, uv = terms.unbind(-1)
    return torch.stack(
        [
            one + u * b + v * d + uu * b * b + vv * d * d + uv * b * d,
            a * (u + 2 * uu * b + uv * d),
            c * (v + 2 * vv * d + uv * b),
            uu * a * a,
            vv * c * c,
            uv * a * c,
        ],
        dim=-1,
    )


def crop_bounds(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return the bounds of cropped masks: [..., 4] x1 y1 x2 y2 in prototype pixels, not rounded.

    boxes: [..., 4] relative corners, in any order. Scaled, padded by one pixel, clamped to the map.
    """
    x1, x2 = _padded(boxes[..., 0::2], width)
    y1, y2 = _padded(boxes[..., 1::2], height)
    return torch.stack([x1, y1, x2, y2], dim=-1)


def _padded(edges: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """Return the lower and the upper bound, [...] each, of edges [..., 2], relative, along one axis."""
    low = edges.amin(dim=-1) * cells - CROP_PADDING
    high = edges.amax(dim=-1) * cells + CROP_PADDING
    return low.clamp(0, cells), high.clamp(0, cells)


def inside(bounds: Tensor, height: int, width: int) -> Tensor:
    """Return [..., height, width] bool, True inside bounds [..., 4]: x1 ≤ x < x2 and y1 ≤ y < y2."""
    x = torch.arange(width, device=bounds.device, dtype=bounds.dtype)
    y = torch.arange(height, device=bounds.device, dtype=bounds.dtype)
    x1, y1, x2, y2 = bounds[..., None].unbind(-2)  # [..., 1] each
    columns = (x >= x1) & (x < x2)
    rows = (y >= y1) & (y < y2)
    return rows[..., :, None] & columns[..., None, :]


def crop(masks: Tensor, boxes: Tensor) -> Tensor:
    """Set masks [..., Hp, Wp] to 0 outside their padded boxes [..., 4], relative corners."""
    height, width = masks.shape[-2:]
    return masks * inside(crop_bounds(boxes, height, width), height, width)


def enlarge(
    mask: Tensor, bounds: tuple[float, float, float, float], frame_height: int, frame_width: int
) -> MaskCrop:
    """Resize one mask to the frame and threshold it at 0.5, computed only where it can hold pixels.

    mask: [Hp, Wp] float on the CPU, 0 outside of `bounds` (x1 y1 x2 y2 in prototype pixels)

    The result equals bilinear resizing of the whole mask with half-pixel centres: a product with an
    interpolation matrix on either side, of which only the rows and columns of the crop are computed.
    """
    x1, y1, x2, y2 = bounds
    rows = _reach(y1, y2, mask.shape[0], frame_height)
    columns = _reach(x1, x2, mask.shape[1], frame_width)
    sources = tuple(slice(max(int(low) - 1, 0), int(high) + 2) for low, high in ((y1, y2), (x1, x2)))
    vertical = _interpolation(frame_height, mask.shape[0])[rows, sources[0]]
    horizontal = _interpolation(frame_width, mask.shape[1])[columns, sources[1]]
    probabilities = vertical @ mask[sources] @ horizontal.T
    return MaskCrop(columns.start, rows.start, (probabilities > 0.5).numpy())


def _reach(low: float, high: float, cells: int, pixels: int) -> slice:
    """Return the frame pixels that cells low ≤ i < high influence: half a cell more than their own."""
    scale = pixels / cells
    start = int((low - 0.5) * scale - 0.5)
    stop = int((high + 1.5) * scale - 0.5) + 1
    return slice(min(max(start, 0), pixels), min(max(stop, 0), pixels))


@lru_cache(maxsize=16)
def _interpolation(pixels: int, cells: int) -> Tensor:
    """Return the weights of bilinear resizing, [pixels, cells] float32."""
    position = ((torch.arange(pixels, dtype=torch.float64) + 0.5) * cells / pixels - 0.5).clamp(0, cells - 1)
    index = torch.arange(cells, dtype=torch.float64)
    return (1 - (position[:, None] - index).abs()).clamp(min=0).float()
