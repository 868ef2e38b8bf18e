"""A picture with its objects, rendered from an image file and its labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as mask_utils
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from model.training.data.annotations import ImageRecord, Instance
from model.training.data.augment import AugmentConfig, CropWindow, View
from model.training.data.rle import decode_mask, decode_masks
from model.training.data.targets import Targets


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture of H x W pixels and its N objects.

    image [3, H, W] uint8 RGB; boxes [N, 4] float32 x1 y1 x2 y2 in the picture's pixels; classes [N]
    int64; masks [N, H, W] uint8, all zero where `has_mask` [N] is False; crowd [N] bool; `labelled` and
    `exhaustive` as in `ImageRecord`.
    """

    image: Tensor
    boxes: Tensor
    classes: Tensor
    masks: Tensor
    crowd: Tensor
    has_mask: Tensor
    labelled: frozenset[int] | None = None
    exhaustive: bool = True

    def __len__(self) -> int:
        return len(self.classes)

    def select(self, keep: Tensor) -> Scene:
        """Return the scene with the objects where `keep` [N] is True."""
        if bool(keep.all()):
            return self
        per_object = ("boxes", "classes", "masks", "crowd", "has_mask")
        return replace(self, **{name: getattr(self, name)[keep] for name in per_object})

    def targets(self, num_classes: int) -> Targets:
        """Return the targets of the loss, with boxes relative to the picture."""
        height, width = self.image.shape[-2:]
        labelled = torch.ones(num_classes, dtype=torch.bool)
        if self.labelled is not None:
            labelled = torch.zeros(num_classes, dtype=torch.bool)
            labelled[sorted(self.labelled)] = True
        return Targets(
            boxes=self.boxes / torch.tensor([width, height, width, height], dtype=torch.float32),
            classes=self.classes,
            masks=self.masks,
            crowd=self.crowd,
            has_mask=self.has_mask,
            labelled=labelled,
            exhaustive=self.exhaustive,
        )


def render(
    image: Tensor,
    record: ImageRecord,
    view: View,
    size: tuple[int, int],
    config: AugmentConfig,
    recolour: Callable[[Tensor], Tensor] = lambda pixels: pixels,
) -> Scene:
    """Render a view of an image [3, H, W] uint8 and its labels, at `size` (height, width).

    `recolour` gets the image's own pixels without the fill. Objects that become invisible are dropped.
    """
    instances = [i for i, kept in zip(record.instances, view.kept, strict=True) if kept]
    masks = draw_masks(instances, record, view.window, size)
    boxes = _map_points(np.array([i.box for i in instances]).reshape(-1, 2), view.window, size).reshape(-1, 4)
    if view.window.mirror:
        boxes = boxes[:, [2, 1, 0, 3]]
    height, width = size
    scene = Scene(
        image=_cut_image(image, view.window, size, config, recolour),
        boxes=torch.from_numpy(boxes.clip(0, (width, height, width, height)).astype(np.float32)),
        classes=torch.tensor([i.class_index for i in instances], dtype=torch.int64),
        masks=masks,
        crowd=torch.tensor([i.crowd for i in instances], dtype=torch.bool),
        has_mask=torch.tensor([i.has_mask for i in instances], dtype=torch.bool),
        labelled=record.labelled,
        exhaustive=record.exhaustive,
    )
    return without_traceless(fit_boxes(scene) if config.tighten_boxes else scene, config.min_object_side)


def fit_boxes(scene: Scene) -> Scene:
    """Fit boxes to the visible masks.

    A side within a pixel of the mask's extent stays as it is, since masks consist of whole pixels.
    """
    extents, filled = mask_extents(scene.masks)
    fitted = scene.boxes.clamp(min=extents - 1, max=extents + 1)
    fit = (filled & scene.has_mask)[:, None]
    return replace(scene, boxes=torch.where(fit, fitted, scene.boxes))


def without_traceless(scene: Scene, min_side: float) -> Scene:
    """Drop objects with an empty mask, or with a side of the box of 0 or less than `min_side` pixels."""
    sides = (scene.boxes[:, 2:] - scene.boxes[:, :2]).amin(dim=1) if len(scene) else torch.zeros(0)
    filled = scene.masks.flatten(1).amax(dim=1).bool()
    return scene.select((sides > 0) & (sides >= min_side) & (filled | ~scene.has_mask))


def mask_extents(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Return the extents of masks [N, H, W], x1 y1 x2 y2 [N, 4] float32, and [N] bool, False where empty."""
    if len(masks) == 0:
        return torch.zeros(0, 4), torch.zeros(0, dtype=torch.bool)
    columns, rows = masks.amax(dim=1).bool(), masks.amax(dim=2).bool()
    filled = columns.any(dim=1)
    sides = [_first_and_last(columns), _first_and_last(rows)]
    (x1, x2), (y1, y2) = sides
    return torch.stack([x1, y1, x2, y2], dim=1).to(torch.float32) * filled[:, None], filled


def pixel_counts(masks: Tensor) -> Tensor:
    """Count the pixels of masks [N, H, W] uint8: [N] int64. NumPy counts faster than PyTorch adds."""
    return torch.tensor([int(np.count_nonzero(mask)) for mask in masks.numpy()], dtype=torch.int64)


def _first_and_last(lines: Tensor) -> tuple[Tensor, Tensor]:
    """Return the index of the first True and one past the last of [N, L] bool."""
    numbers = lines.to(torch.uint8)
    return numbers.argmax(dim=1), lines.shape[1] - numbers.flip(1).argmax(dim=1)


def _map_points(
    points: NDArray[np.floating], window: CropWindow, size: tuple[int, int]
) -> NDArray[np.float64]:
    """Map points [n, 2] (x, y) of the image to points of the picture."""
    height, width = size
    scale = np.array([width / window.width, height / window.height])
    mapped: NDArray[np.float64] = (points - (window.x, window.y)) * scale
    if window.mirror:
        mapped[:, 0] = width - mapped[:, 0]
    return mapped


def draw_masks(
    instances: list[Instance], record: ImageRecord, window: CropWindow, size: tuple[int, int]
) -> Tensor:
    """Return masks [N, height, width] uint8 of 0 and 1 of the objects, as far as they lie within the window.

    Polygons are drawn at the picture's size, never at the image's.
    """
    drawn = [n for n, instance in enumerate(instances) if instance.polygons]
    if drawn and len(drawn) == len(instances):
        return _draw_polygons(instances, window, size)
    masks = torch.zeros(len(instances), *size, dtype=torch.uint8)
    if drawn:
        masks[drawn] = _draw_polygons([instances[n] for n in drawn], window, size)
    for n, instance in enumerate(instances):
        if instance.rle is not None:
            whole = torch.from_numpy(decode_mask(instance.rle, record.width, record.height))
            cut(whole[None], window, masks[n : n + 1], InterpolationMode.NEAREST_EXACT)
    return masks


def _draw_polygons(instances: list[Instance], window: CropWindow, size: tuple[int, int]) -> Tensor:
    height, width = size
    lengths = []
    for instance in instances:
        # x and y change places: pycocotools decodes column by column, which is row by row then
        flat = [_map_points(p, window, size)[:, ::-1].reshape(-1) for p in instance.polygons]
        lengths.append(mask_utils.merge(mask_utils.frPyObjects(flat, width, height)))
    decoded = decode_masks(lengths)  # [width, height, N]
    return torch.from_numpy(decoded.transpose(2, 1, 0))  # [N, height, width]


def _cut_image(
    image: Tensor,
    window: CropWindow,
    size: tuple[int, int],
    config: AugmentConfig,
    recolour: Callable[[Tensor], Tensor],
) -> Tensor:
    fill = torch.tensor(config.fill, dtype=torch.uint8)
    picture = fill[:, None, None].repeat(1, *size)
    # the published order changes colours before the resize; after it there are fewer pixels to change
    first = config.kind == "ssd"
    cut(image, window, picture, InterpolationMode.BILINEAR, recolour, first, antialias=config.keep_aspect)
    return picture


def cut(
    image: Tensor,
    window: CropWindow,
    picture: Tensor,
    interpolation: InterpolationMode,
    recolour: Callable[[Tensor], Tensor] = lambda pixels: pixels,
    recolour_first: bool = False,
    antialias: bool = False,
) -> None:
    """Draw the window of an image [D, H, W] into `picture` [D, h, w], in place.

    What lies outside the image is left as it is. Antialiasing is as at inference.
    """
    rows = _overlap(window.y, window.height, image.shape[1], picture.shape[1])
    columns = _overlap(window.x, window.width, image.shape[2], picture.shape[2])
    if rows is None or columns is None:
        return
    (source_y, target_y), (source_x, target_x) = rows, columns
    pixels = image[:, source_y, source_x]
    if recolour_first:
        pixels = recolour(pixels)
    target = [target_y.stop - target_y.start, target_x.stop - target_x.start]
    pixels = F.resize(pixels, target, interpolation=interpolation, antialias=antialias)
    if not recolour_first:
        pixels = recolour(pixels)
    if window.mirror:
        width = picture.shape[2]
        target_x = slice(width - target_x.stop, width - target_x.start)
        pixels = F.horizontal_flip(pixels)
    picture[:, target_y, target_x] = pixels


def _overlap(start: int, length: int, available: int, target: int) -> tuple[slice, slice] | None:
    """Return, along one axis, the pixels of the image in the window and their place in the picture."""
    low, high = max(start, 0), min(start + length, available)
    scale = target / length
    first, last = round((low - start) * scale), round((high - start) * scale)
    if high <= low or last <= first:
        return None
    return slice(low, high), slice(first, last)
