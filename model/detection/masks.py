"""Masks from prototypes and coefficients: linear assembly and cropping, in tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from model.host.masks import CROP_PADDING, LEAST_HALF_SIDE, PLACE_SCALE


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
