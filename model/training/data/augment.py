"""Settings of the augmentation, and the random choice of the part of an image that a sample shows.

Every random number comes from a generator that the caller passes, in a fixed order, so that a sample is
a function of its generator alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.errors import ConfigError
from model.training.data.annotations import ImageRecord

_CROP_TRIES = 50
_JITTER_TRIES = 10


@dataclass(frozen=True)
class AugmentConfig:
    """Settings of the augmentation; sides in pixels of the network's input, probabilities in 0..1.

    `kind` chooses how the visible part is found: "none" shows the whole image, "ssd" follows the paper,
    "jitter" scales the image by a factor of `scale` (1 fills the input) with an aspect ratio changed by up to
    `aspect`, and crops or pads. `mosaic_probability` joins four images, each scaled by `mosaic_scale`;
    `paste_probability` pastes 1 to `max_pasted` whole objects of another image. `turn_probability` turns the
    resulting square picture by one to three quarters. Photometric changes each come with
    `colour_probability`: `brightness` is added (0..255 scale), `contrast` and `saturation` multiply, `hue`
    turns by degrees. `fill` is the colour of what no image covers, RGB. An object is dropped when less than
    `min_visible` of it is left and that is less than `large_enough` of the picture, when a side is shorter
    than `min_object_side`, or when it has only a box of which more than `max_box_cover` is pasted over.
    `keep_aspect` never stretches an image to the square input and scales with antialiasing, as inference does
    for configurations that keep the aspect ratio; `aspect` still varies it. `tighten_boxes` fits boxes to
    what is left of the mask; without it they are clipped, as published. `max_objects` bounds the objects, and
    so the memory, of a mosaic.
    """

    kind: Literal["none", "ssd", "jitter"] = "none"
    mirror_probability: float = 0.0
    colour_probability: float = 0.0
    brightness: float = 32.0
    contrast: tuple[float, float] = (0.5, 1.5)
    saturation: tuple[float, float] = (0.5, 1.5)
    hue: float = 18.0
    expand_probability: float = 0.5
    max_expand: float = 4.0
    scale: tuple[float, float] = (0.3, 2.0)
    aspect: float = 1.25
    mosaic_probability: float = 0.0
    mosaic_scale: tuple[float, float] = (0.7, 2.0)
    paste_probability: float = 0.0
    max_pasted: int = 3
    turn_probability: float = 0.0
    keep_aspect: bool = False
    fill: tuple[int, int, int] = (124, 117, 104)
    min_visible: float = 0.15
    large_enough: float = 0.01
    min_object_side: float = 0.0
    max_box_cover: float = 0.5
    tighten_boxes: bool = True
    max_objects: int = 100

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_probability") and not 0 <= value <= 1:
                raise ConfigError(f"augmentation: {field.name} is {value}; expected 0..1")
            if isinstance(value, tuple) and len(value) == 2 and not 0 < value[0] <= value[1]:
                raise ConfigError(f"augmentation: {field.name} is {value}; expected 0 < low <= high")
        if self.kind not in VIEW_SAMPLERS:
            raise ConfigError(f"augmentation: kind is {self.kind!r}; expected {', '.join(VIEW_SAMPLERS)}")
        if min(self.aspect, self.max_expand, self.max_pasted, self.max_objects) < 1:
            raise ConfigError("augmentation: aspect, max_expand, max_pasted and max_objects start at 1")


@dataclass(frozen=True)
class CropWindow:
    """Rectangle of an image that a picture shows, in whole pixels of the image.

    It may reach outside the image. `mirror` swaps left and right.
    """

    x: int
    y: int
    width: int
    height: int
    mirror: bool = False


@dataclass(frozen=True, eq=False)
class View:
    """A window, and [N] bool, True for the image's objects that it shows."""

    window: CropWindow
    kept: NDArray[np.bool_]


def box_array(record: ImageRecord) -> NDArray[np.float64]:
    """Return the boxes [N, 4] of an image's objects, x1 y1 x2 y2 in its pixels."""
    return np.array([i.box for i in record.instances], dtype=np.float64).reshape(-1, 4)


def whole_view(
    record: ImageRecord, config: AugmentConfig, rng: np.random.Generator, shape: tuple[int, int] = (1, 1)
) -> View:
    """Return a view of the whole image, as at inference; `shape` as for `jitter_view`."""
    width, height = record.width, record.height
    if config.keep_aspect:
        height, width = (round(side) for side in _fitting(record, shape))
    x, mirror = 0, _mirrored(config, rng)
    if mirror and width > record.width:
        x = record.width - width  # the padding stays at the right
    return View(CropWindow(x, 0, width, height, mirror), np.ones(len(record.instances), bool))


def ssd_view(record: ImageRecord, config: AugmentConfig, rng: np.random.Generator) -> View:
    """Return a view by SSD's expansion and crop (arXiv:1512.02325, section 2.2), as published.

    Objects whose centre lies inside stay, and at least one that is no crowd must. The minimum-IoU
    condition is left out: it had no effect in that training.
    """
    canvas = CropWindow(0, 0, record.width, record.height)
    if rng.random() < config.expand_probability:
        canvas = _expanded(canvas, config.max_expand, rng)
    view = _ssd_crop(record, canvas, rng)
    return View(_with_mirror(view.window, _mirrored(config, rng)), view.kept)


def jitter_view(
    record: ImageRecord,
    config: AugmentConfig,
    rng: np.random.Generator,
    scale: tuple[float, float] | None = None,
    shape: tuple[int, int] = (1, 1),
) -> View:
    """Return a view of the image, scaled randomly and cropped or padded so that an object stays visible.

    shape: height and width of the picture that shows it, in any unit
    """
    low, high = scale or config.scale
    boxes, crowd = box_array(record), _crowd_array(record)
    for _ in range(_JITTER_TRIES):
        window = _jittered(record, (low, high), config, shape, rng)
        kept = _worth_keeping(boxes, crowd, window, config)
        if (kept & ~crowd).any() or crowd.all():
            return View(_with_mirror(window, _mirrored(config, rng)), kept)
    return whole_view(record, config, rng, shape)


VIEW_SAMPLERS: dict[str, Callable[[ImageRecord, AugmentConfig, np.random.Generator], View]] = {
    "none": whole_view,
    "ssd": ssd_view,
    "jitter": jitter_view,
}

# "ssd" is the paper's recipe; "compact" suits small networks that start from random weights, "mild" short
# runs of them, "light" their last stage; "crowded" and then "plain" networks that keep the aspect ratio
AUGMENTATIONS: dict[str, AugmentConfig] = {
    "none": AugmentConfig(),
    "ssd": AugmentConfig("ssd", mirror_probability=0.5, colour_probability=0.5, tighten_boxes=False),
    "compact": AugmentConfig(
        "jitter",
        mirror_probability=0.5,
        colour_probability=0.5,
        mosaic_probability=0.3,
        paste_probability=0.5,
        turn_probability=0.3,
        min_object_side=3.0,
    ),
    "mild": AugmentConfig(
        "jitter",
        mirror_probability=0.5,
        colour_probability=0.3,
        paste_probability=0.3,
        turn_probability=0.15,
        scale=(0.5, 1.5),
        min_object_side=3.0,
    ),
    "light": AugmentConfig(mirror_probability=0.5, colour_probability=0.3, min_object_side=3.0),
    "crowded": AugmentConfig(
        "jitter",
        mirror_probability=0.5,
        colour_probability=0.3,
        mosaic_probability=0.5,
        mosaic_scale=(0.8, 2.2),
        paste_probability=0.3,
        turn_probability=0.1,
        scale=(0.6, 1.8),
        aspect=1.15,
        keep_aspect=True,
        min_object_side=3.0,
    ),
    "plain": AugmentConfig(
        "jitter",
        mirror_probability=0.5,
        colour_probability=0.2,
        scale=(0.8, 1.3),
        aspect=1.05,
        keep_aspect=True,
        min_object_side=3.0,
    ),
}


def augmentation(name: str) -> AugmentConfig:
    """Return the augmentation of that name. Raises ConfigError with the known names."""
    if name not in AUGMENTATIONS:
        raise ConfigError(f"no augmentation is named {name!r}; there are {', '.join(AUGMENTATIONS)}")
    return AUGMENTATIONS[name]


def _mirrored(config: AugmentConfig, rng: np.random.Generator) -> bool:
    return bool(rng.random() < config.mirror_probability)


def _with_mirror(window: CropWindow, mirror: bool) -> CropWindow:
    return CropWindow(window.x, window.y, window.width, window.height, mirror)


def _crowd_array(record: ImageRecord) -> NDArray[np.bool_]:
    return np.array([i.crowd for i in record.instances], dtype=bool)


def _expanded(whole: CropWindow, largest: float, rng: np.random.Generator) -> CropWindow:
    """Return a canvas up to `largest` times as wide and high, with the image at a random place."""
    ratio = rng.uniform(1, largest)
    width, height = int(whole.width * ratio), int(whole.height * ratio)
    left, top = rng.uniform(0, width - whole.width), rng.uniform(0, height - whole.height)
    return CropWindow(-int(left), -int(top), width, height)


def _ssd_crop(record: ImageRecord, canvas: CropWindow, rng: np.random.Generator) -> View:
    boxes, crowd = box_array(record), _crowd_array(record)
    everything = View(canvas, np.ones(len(boxes), bool))
    if crowd.all():  # a crop could keep no object
        return everything
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    while rng.random() >= 1 / 6:
        for _ in range(_CROP_TRIES):
            width, height = rng.uniform(0.3, 1, 2) * (canvas.width, canvas.height)
            if not 0.5 <= height / width <= 2:
                continue
            x = canvas.x + int(rng.uniform(0, canvas.width - width))
            y = canvas.y + int(rng.uniform(0, canvas.height - height))
            crop = CropWindow(x, y, max(int(width), 1), max(int(height), 1))
            low, high = (crop.x, crop.y), (crop.x + crop.width, crop.y + crop.height)
            kept = np.all((centres > low) & (centres < high), axis=1)
            if (kept & ~crowd).any():
                return View(crop, kept)
    return everything


def _fitting(record: ImageRecord, shape: tuple[int, int]) -> tuple[float, float]:
    """Return height and width of the smallest rectangle of this shape that holds the whole image."""
    unit = max(record.height / shape[0], record.width / shape[1])
    return unit * shape[0], unit * shape[1]


def _jittered(
    record: ImageRecord,
    scale: tuple[float, float],
    config: AugmentConfig,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> CropWindow:
    factor = rng.uniform(*scale)
    stretch = math.exp(rng.uniform(-0.5, 0.5) * math.log(config.aspect))
    whole_width, whole_height = float(record.width), float(record.height)
    if config.keep_aspect:
        whole_height, whole_width = _fitting(record, shape)
    width = max(round(whole_width / factor * stretch), 1)
    height = max(round(whole_height / factor / stretch), 1)
    # from flush with one side to flush with the other, whichever of window and image is the larger
    x = round(rng.random() * (record.width - width))
    y = round(rng.random() * (record.height - height))
    return CropWindow(x, y, width, height)


def _worth_keeping(
    boxes: NDArray[np.float64], crowd: NDArray[np.bool_], window: CropWindow, config: AugmentConfig
) -> NDArray[np.bool_]:
    """Return [N] bool, True for objects of which the window shows enough, and for any part of a crowd."""
    low, high = (window.x, window.y), (window.x + window.width, window.y + window.height)
    sides = np.minimum(boxes[:, 2:], high) - np.maximum(boxes[:, :2], low)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    visible = sides.clip(0).prod(axis=1)
    picture = config.large_enough * window.width * window.height
    enough = visible >= np.minimum(areas * config.min_visible, picture)
    worth: NDArray[np.bool_] = (visible > 0) & (enough | crowd)
    return worth
