"""Composition of scenes: mosaic, copy-paste of objects (arXiv:2012.07177), and quarter turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from model.training.data.augment import AugmentConfig
from model.training.data.scene import Scene, fit_boxes, mask_extents, pixel_counts, without_traceless


@dataclass(frozen=True)
class Cell:
    """A rectangle of a picture, in whole pixels."""

    x: int
    y: int
    width: int
    height: int


def mosaic_cells(size: int, centre_x: int, centre_y: int) -> tuple[Cell, Cell, Cell, Cell]:
    """Return the four parts of a square picture that meet at a point."""
    right, bottom = size - centre_x, size - centre_y
    return (
        Cell(0, 0, centre_x, centre_y),
        Cell(centre_x, 0, right, centre_y),
        Cell(0, centre_y, centre_x, bottom),
        Cell(centre_x, centre_y, right, bottom),
    )


def join_cells(scenes: Sequence[Scene], cells: Sequence[Cell], size: int) -> Scene:
    """Join scenes, each of the size of its cell, in a picture of size x size pixels.

    A class is labelled in the result if it is labelled in every scene.
    """
    image = torch.empty(3, size, size, dtype=torch.uint8)
    masks = torch.zeros(sum(map(len, scenes)), size, size, dtype=torch.uint8)
    boxes, done = [], 0
    for scene, cell in zip(scenes, cells, strict=True):
        rows, columns = slice(cell.y, cell.y + cell.height), slice(cell.x, cell.x + cell.width)
        image[:, rows, columns] = scene.image
        masks[done : done + len(scene), rows, columns] = scene.masks
        boxes.append(scene.boxes + torch.tensor([cell.x, cell.y, cell.x, cell.y]))
        done += len(scene)
    return Scene(
        image=image,
        boxes=torch.cat(boxes),
        classes=torch.cat([s.classes for s in scenes]),
        masks=masks,
        crowd=torch.cat([s.crowd for s in scenes]),
        has_mask=torch.cat([s.has_mask for s in scenes]),
        labelled=common_labelled([s.labelled for s in scenes]),
        exhaustive=all(s.exhaustive for s in scenes),
    )


def common_labelled(several: Sequence[frozenset[int] | None]) -> frozenset[int] | None:
    """Return the classes that are labelled in every set; None stands for all classes."""
    known = [labelled for labelled in several if labelled is not None]
    return frozenset.intersection(*known) if known else None


def paste(scene: Scene, donor: Scene, config: AugmentConfig) -> Scene:
    """Paste every object of `donor`, a scene of the same size, over `scene`.

    All of the donor's objects must have masks. Hidden parts are removed from the masks and boxes below;
    objects of which too little is left are dropped.
    """
    if len(donor) == 0:
        return scene
    above = donor.masks.amax(dim=0)  # [H, W]
    below = _covered(scene, above, config)
    return Scene(
        image=_blend(scene.image, donor.image, above),
        boxes=torch.cat([below.boxes, donor.boxes]),
        classes=torch.cat([below.classes, donor.classes]),
        masks=torch.cat([below.masks, donor.masks]),
        crowd=torch.cat([below.crowd, donor.crowd]),
        has_mask=torch.cat([below.has_mask, donor.has_mask]),
        labelled=scene.labelled,
        exhaustive=scene.exhaustive,
    )


def turned(scene: Scene, quarters: int) -> Scene:
    """Turn a square scene anticlockwise by a number of quarters."""
    size = scene.image.shape[-1]
    boxes = scene.boxes
    for _ in range(quarters % 4):
        x1, y1, x2, y2 = boxes.unbind(1)
        boxes = torch.stack([y1, size - x2, y2, size - x1], dim=1)
    # NumPy transposes bytes four times as fast as PyTorch
    image, masks = (
        torch.from_numpy(np.ascontiguousarray(np.rot90(pixels.numpy(), quarters, (-2, -1))))
        for pixels in (scene.image, scene.masks)
    )
    return replace(scene, image=image, boxes=boxes, masks=masks)


def _covered(scene: Scene, above: Tensor, config: AugmentConfig) -> Scene:
    """Remove the pixels `above` [H, W] uint8 from the scene's objects."""
    extent, _ = mask_extents(above[None])
    x1, y1, x2, y2 = (int(side) for side in extent[0])
    before = pixel_counts(scene.masks)
    masks = scene.masks.clone()
    under = masks[:, y1:y2, x1:x2].mul_(1 - above[y1:y2, x1:x2])
    after = before - (pixel_counts(scene.masks[:, y1:y2, x1:x2]) - pixel_counts(under))
    enough = (before * config.min_visible).clamp(min=1, max=config.large_enough * above.numel())
    least = torch.where(scene.crowd, 1, enough)
    shares = torch.tensor([_share_covered(box, above) for box in scene.boxes.tolist()])
    keep = torch.where(scene.has_mask, after >= least, shares <= config.max_box_cover)
    touched = after < before
    fitted = fit_boxes(replace(scene, masks=masks).select(touched))
    boxes = scene.boxes.clone()
    boxes[touched] = fitted.boxes
    left = replace(scene, masks=masks, boxes=boxes).select(keep)
    return without_traceless(left, config.min_object_side)


def _share_covered(box: list[float], above: Tensor) -> float:
    x1, y1, x2, y2 = (round(side) for side in box)
    inside = above[y1:y2, x1:x2]
    return float(inside.sum()) / max(inside.numel(), 1)


def _blend(below: Tensor, above: Tensor, mask: Tensor) -> Tensor:
    """Blend `above` over `below`, both [3, H, W] uint8, where `mask` [H, W] is 1, with soft edges."""
    extent, filled = mask_extents(mask[None])
    if not bool(filled):
        return below
    x1, y1, x2, y2 = (int(side) for side in extent[0])
    rows, columns = slice(max(y1 - 1, 0), y2 + 1), slice(max(x1 - 1, 0), x2 + 1)
    alpha = mask[rows, columns].to(torch.float32)[None]
    if min(alpha.shape[1:]) > 1:  # the blur reflects a pixel at the edges
        alpha = F.gaussian_blur(alpha, [3, 3])
    under, over = below[:, rows, columns].float(), above[:, rows, columns].float()
    blended = below.clone()
    blended[:, rows, columns] = torch.lerp(under, over, alpha).round_().to(torch.uint8)
    return blended
