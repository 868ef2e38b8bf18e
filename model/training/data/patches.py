"""Training patches of DeepMask and SharpMask, cut from labelled images as they are needed.

A batch is wholly of masks, to learn outlines from, or wholly of scores, to learn what is an object. Every
batch is a pure function of the seed and its number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import InterpolationMode

from model.errors import DataError
from model.sharpmask.config import SharpMaskConfig
from model.sharpmask.pyramid import GREY, MEAN, STD
from model.training.data.annotations import AnnotationSet, ImageRecord, Instance
from model.training.data.augment import CropWindow
from model.training.data.image_files import CACHE_BYTES, ImageCache, decode_rgb
from model.training.data.scene import cut, draw_masks

_CANONICAL = 128 / 224  # longest side of an object, as a share of the window
_SCALE_JITTER = 0.25  # octaves, either way
_SHIFT_JITTER = 16  # pixels of the patch, either way
_OCTAVE_STEP = 4  # scales of score patches, an octave
_EXPONENTS = (-3.0, 2.0)  # of 2, of those scales
# a negative is this far from every object's centre, or an octave from its scale
_NEGATIVE_DISTANCE = 32
_TRIES = 100
_SMALLEST_AREA, _SMALLEST_SIDE = 100, 5
_REPLACEMENTS = 20


@dataclass(frozen=True, eq=False)
class PatchBatch:
    """Patches to learn from: of masks, or of scores.

    images:  [B, 3, P, P] float, normalised RGB
    targets: [B, T, T] float of -1 and 1, the masks at T x T pixels of the window; or [B] float of -1 and 1
    """

    images: Tensor
    targets: Tensor

    @property
    def of_masks(self) -> bool:
        """True if the targets are masks."""
        return self.targets.ndim == 3

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class _Crop:
    """A square part of an image: its centre and side in pixels of the image, and whether it is mirrored."""

    x: float
    y: float
    side: float
    mirror: bool

    def window(self, part: float = 1.0) -> CropWindow:
        """Return the square in whole pixels, or `part` of it about the same centre."""
        side = max(1, round(self.side * part))
        return CropWindow(round(self.x - side / 2), round(self.y - side / 2), side, side, self.mirror)


class PatchBatches(Dataset[PatchBatch]):
    """Batches by number, from 0 without end.

    target_side:    pixels of mask targets a side
    mask_share:     probability that a batch is of masks
    cache_bytes:    of decoded images, kept in each process

    Scores are learned from images alone in which everything is labelled, positives too: elsewhere an object
    that nobody labelled would be taught as background, and the kind of photograph would give labels away.
    Raises DataError where there is nothing to learn masks, or scores, from.
    """

    def __init__(
        self,
        annotations: AnnotationSet,
        config: SharpMaskConfig,
        seed: int,
        batch_size: int,
        target_side: int,
        mask_share: float = 0.5,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.config, self.seed, self.batch_size = config, seed, batch_size
        self.target_side, self.mask_share = target_side, mask_share
        self._masks = _by_class(annotations)
        self._scores = [r for r in annotations.images if r.labelled is None and r.exhaustive and _objects(r)]
        self._decoded = ImageCache(decode_rgb, cache_bytes)
        if not self._masks:
            raise DataError(f"{annotations.name}: there are no masks to learn from, only boxes or nothing")
        if mask_share < 1 and not self._scores:
            raise DataError(
                f"{annotations.name}: scores need images in which all classes are labelled, and there is none"
            )

    def __getitem__(self, number: int) -> PatchBatch:
        """Return the batch of that number. Raises DataError where many images in a row cannot be decoded."""
        rng = np.random.default_rng((self.seed, number))
        make = self._mask_patch if rng.random() < self.mask_share else self._score_patch
        made = [self._retried(make, rng) for _ in range(self.batch_size)]
        images = torch.stack([image for image, _ in made]).float() / 255
        images = (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        return PatchBatch(images, torch.stack([target for _, target in made]))

    def _retried(
        self, make: Callable[[np.random.Generator], tuple[Tensor, Tensor]], rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return what `make` does; where its image cannot be decoded, another one takes its place."""
        for attempt in range(1, _REPLACEMENTS + 1):
            try:
                return make(rng)
            except ValueError as error:
                if attempt == _REPLACEMENTS:
                    raise DataError(f"{attempt} images in a row cannot be decoded: {error}") from error
        raise AssertionError("every attempt returns or raises")

    def _mask_patch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return a patch around an object [3, P, P] uint8, and its mask [T, T] of -1 and 1."""
        of_class = self._masks[int(rng.integers(len(self._masks)))]
        record, instance = of_class[int(rng.integers(len(of_class)))]
        scale = _longest(instance) / self._canonical * 2 ** rng.uniform(-_SCALE_JITTER, _SCALE_JITTER)
        x, y = _centre(instance)
        dx, dy = rng.uniform(-_SHIFT_JITTER, _SHIFT_JITTER, 2) * scale
        crop = _Crop(x + dx, y + dy, self.config.patch * scale, bool(rng.random() < 0.5))
        inner = crop.window(self.config.window / self.config.patch)
        mask = draw_masks([instance], record, inner, (self.target_side, self.target_side))[0]
        return self._cut(record, crop), mask.float() * 2 - 1

    def _score_patch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return a patch [3, P, P] uint8 and its label, 1 for an object in its middle, -1 for none."""
        record = self._scores[int(rng.integers(len(self._scores)))]
        positive = bool(rng.random() < 0.5)
        x, y, exponent = (self._positive if positive else self._negative)(record, rng)
        crop = _Crop(x, y, self.config.patch / 2**exponent, bool(rng.random() < 0.5))
        return self._cut(record, crop), torch.tensor(1.0 if positive else -1.0)

    def _positive(self, record: ImageRecord, rng: np.random.Generator) -> tuple[float, float, float]:
        """Return an object's centre and scale: a scale that occurs at random, then an object of it."""
        objects = _objects(record)
        exponents = np.array([self._exponent(instance) for instance in objects])
        exponent = float(rng.choice(np.unique(exponents)))
        of_scale = np.flatnonzero(exponents == exponent)
        x, y = _centre(objects[int(rng.choice(of_scale))])
        return x, y, exponent

    def _negative(self, record: ImageRecord, rng: np.random.Generator) -> tuple[float, float, float]:
        """Return a place and scale far from every object; after some tries whatever came."""
        places = np.array([(*_centre(i), self._exponent(i)) for i in record.instances])
        low, high = (int(e * _OCTAVE_STEP) for e in _EXPONENTS)
        for _ in range(_TRIES):
            exponent = int(rng.integers(low, high + 1)) / _OCTAVE_STEP
            x, y = rng.uniform(0, record.width), rng.uniform(0, record.height)
            distance = np.abs(places[:, :2] - (x, y)).max(1) * 2**exponent
            if ((distance >= _NEGATIVE_DISTANCE) | (np.abs(places[:, 2] - exponent) >= 1)).all():
                break
        return float(x), float(y), exponent

    @property
    def _canonical(self) -> int:
        return math.ceil(self.config.window * _CANONICAL)

    def _exponent(self, instance: Instance) -> float:
        """Return the exponent of 2, in quarters, at which an object is about as long as it should be."""
        exact = math.log2(self._canonical / max(1.0, _longest(instance)))
        return float(np.clip(math.ceil(exact * _OCTAVE_STEP) / _OCTAVE_STEP, *_EXPONENTS))

    def _cut(self, record: ImageRecord, crop: _Crop) -> Tensor:
        """Return the crop [3, P, P] uint8 RGB, grey beyond the image. Raises ValueError on a broken file."""
        pixels = self._decoded(record.path, record.upright)
        if pixels.shape[:2] != (record.height, record.width):
            raise ValueError(f"{record.name} has another size than its labels say")
        side = self.config.patch
        picture = torch.full((3, side, side), round(GREY * 255), dtype=torch.uint8)
        image = torch.from_numpy(pixels).permute(2, 0, 1)
        cut(image, crop.window(), picture, InterpolationMode.BILINEAR, antialias=True)
        return picture


def _by_class(annotations: AnnotationSet) -> list[list[tuple[ImageRecord, Instance]]]:
    """Return for each class that has any the objects whose masks are learned, with their images."""
    found: dict[int, list[tuple[ImageRecord, Instance]]] = {}
    for record in annotations.images:
        for instance in _objects(record):
            x1, y1, x2, y2 = instance.box
            sides = (x2 - x1, y2 - y1)
            if instance.has_mask and min(sides) >= _SMALLEST_SIDE and sides[0] * sides[1] >= _SMALLEST_AREA:
                found.setdefault(instance.class_index, []).append((record, instance))
    return [found[index] for index in sorted(found)]


def _objects(record: ImageRecord) -> list[Instance]:
    return [instance for instance in record.instances if not instance.crowd]


def _longest(instance: Instance) -> float:
    x1, y1, x2, y2 = instance.box
    return max(x2 - x1, y2 - y1)


def _centre(instance: Instance) -> tuple[float, float]:
    x1, y1, x2, y2 = instance.box
    return (x1 + x2) / 2, (y1 + y2) / 2


def patch_loader(batches: PatchBatches, start: int, workers: int) -> Iterator[PatchBatch]:
    """Yield batches from number `start` on, made by `workers` processes, or by this one for 0."""
    numbers: Sequence[int] = range(start, start + 1_000_000_000)
    loader = DataLoader(batches, batch_size=None, sampler=numbers, num_workers=workers)
    yield from loader
