"""Training samples: a pure function of (seed, epoch, index), whichever process makes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from model.config import YolactConfig
from model.errors import ConfigError, DataError
from model.training.data.annotations import AnnotationSet, ImageRecord
from model.training.data.augment import VIEW_SAMPLERS, AugmentConfig, View, jitter_view
from model.training.data.compose import join_cells, mosaic_cells, paste, turned
from model.training.data.image_files import CACHE_BYTES, ImageCache, decode_rgb
from model.training.data.photometric import distort_colours
from model.training.data.scene import Scene, render
from model.training.data.targets import Targets

_MAX_REPLACEMENTS = 20


@dataclass(frozen=True, eq=False)
class Sample:
    """One training image at the network's input size S.

    image:  [3, S, S] uint8 RGB, not normalised
    name:   file of its (first) image
    broken: files that could not be decoded and were replaced by this sample
    """

    image: Tensor
    targets: Targets
    name: str
    broken: tuple[str, ...] = ()


class InstanceDataset(Dataset[Sample]):
    """The augmented images of a set. `dataset[epoch, index]` always returns the same sample.

    `image_size` replaces that of `config`; `cache_bytes` of decoded images are kept in each process that
    makes samples. Raises ConfigError when the set's classes are not those of `config`.
    """

    def __init__(
        self,
        annotations: AnnotationSet,
        config: YolactConfig,
        augmentation: AugmentConfig,
        seed: int,
        image_size: int | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        if annotations.class_names != config.class_names:
            raise ConfigError(
                f"{annotations.name} was read with {len(annotations.class_names)} classes, the network has "
                f"{len(config.class_names)}; read the data set with the network's class names"
            )
        if seed < 0:
            raise ConfigError(f"the seed is {seed}; expected 0 or more")
        self.annotations = annotations
        self.augmentation = augmentation
        self.seed = seed
        self.image_size = config.image_size if image_size is None else image_size
        self._num_classes = config.num_classes
        self._pool = _ImagePool(annotations)
        self._decoded = ImageCache(decode_rgb, cache_bytes)

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """Return the sample of an epoch (from 0) and an index.

        An image that cannot be decoded is replaced by another one, which depends on the key only. Raises
        DataError when many in a row cannot.
        """
        epoch, index = key
        broken: list[str] = []
        for attempt in range(_MAX_REPLACEMENTS):
            rng = np.random.default_rng((self.seed, epoch, index, attempt))
            if attempt:
                index = int(rng.integers(len(self)))
            try:
                scene = self._scene(index, rng)
            except _BrokenImageError as error:
                broken.append(str(error))
                continue
            name = self.annotations.images[index].name
            return Sample(scene.image, scene.targets(self._num_classes), name, tuple(broken))
        raise DataError(f"{len(broken)} images in a row cannot be decoded, the last was {broken[-1]}")

    def _scene(self, index: int, rng: np.random.Generator) -> Scene:
        config, record = self.augmentation, self.annotations.images[index]
        if config.kind != "jitter":
            view = VIEW_SAMPLERS[config.kind](record, config, rng)
            return self._render(record, view, (self.image_size, self.image_size), rng)
        scene = None
        if rng.random() < config.mosaic_probability:
            scene = self._mosaic(index, rng)
        if scene is None:
            view = jitter_view(record, config, rng)
            scene = self._render(record, view, (self.image_size, self.image_size), rng)
        if scene.exhaustive and rng.random() < config.paste_probability:
            scene = self._with_pasted(scene, rng)
        if config.turn_probability and rng.random() < config.turn_probability:
            scene = turned(scene, int(rng.integers(1, 4)))
        return scene

    def _render(
        self, record: ImageRecord, view: View, size: tuple[int, int], rng: np.random.Generator
    ) -> Scene:
        recolour = partial(distort_colours, config=self.augmentation, rng=rng)
        return render(self._decode(record), record, view, size, self.augmentation, recolour)

    def _decode(self, record: ImageRecord) -> Tensor:
        """Decode an image, [3, H, W] uint8 RGB, oriented like its labels."""
        try:
            pixels = self._decoded(record.path, record.upright)
        except ValueError as error:
            raise _BrokenImageError(record.name) from error
        if pixels.shape[:2] != (record.height, record.width):
            raise _BrokenImageError(record.name)
        return torch.from_numpy(pixels).permute(2, 0, 1)

    def _mosaic(self, index: int, rng: np.random.Generator) -> Scene | None:
        """Join four images of one coverage; None if they have too many objects."""
        config, size = self.augmentation, self.image_size
        partners = self._pool.of_same_coverage(index, 3, rng)
        records = [self.annotations.images[i] for i in (index, *partners)]
        if sum(len(record.instances) for record in records) > config.max_objects:
            return None
        centre_x, centre_y = (round(size * part) for part in rng.uniform(0.35, 0.65, 2))
        cells = mosaic_cells(size, centre_x, centre_y)
        scenes = [
            self._render(
                record,
                jitter_view(record, config, rng, config.mosaic_scale, (cell.height, cell.width)),
                (cell.height, cell.width),
                rng,
            )
            for record, cell in zip(records, cells, strict=True)
        ]
        return join_cells(scenes, cells, size)

    def _with_pasted(self, scene: Scene, rng: np.random.Generator) -> Scene:
        """Paste objects of another image, of classes that are labelled in the scene."""
        config = self.augmentation
        donor = self._pool.donor(rng)
        if donor is None:
            return scene
        whole = [
            instance
            for instance in donor.instances
            if instance.has_mask
            and not instance.crowd
            and (scene.labelled is None or instance.class_index in scene.labelled)
        ]
        if not whole:
            return scene
        count = min(int(rng.integers(1, config.max_pasted + 1)), len(whole))
        chosen = tuple(whole[i] for i in sorted(rng.choice(len(whole), count, replace=False)))
        record = replace(donor, instances=chosen)
        size = (self.image_size, self.image_size)
        return paste(scene, self._render(record, jitter_view(record, config, rng), size, rng), config)


class _ImagePool:
    """Draws images that may join another in one picture, by the set's sampling weights."""

    def __init__(self, annotations: AnnotationSet) -> None:
        images = annotations.images
        weights = np.ones(len(images)) if annotations.weights is None else np.array(annotations.weights)
        coverages = [(image.labelled, image.exhaustive) for image in images]
        groups: dict[tuple[frozenset[int] | None, bool], list[int]] = {}
        for i, coverage in enumerate(coverages):
            groups.setdefault(coverage, []).append(i)
        self._images = images
        self._groups = {coverage: _Draw(members, weights) for coverage, members in groups.items()}
        self._donors = _Draw(
            [i for i, image in enumerate(images) if any(o.has_mask and not o.crowd for o in image.instances)],
            weights,
        )

    def of_same_coverage(self, index: int, count: int, rng: np.random.Generator) -> list[int]:
        """Draw indices of images with the same coverage."""
        image = self._images[index]
        return self._groups[image.labelled, image.exhaustive].draw(count, rng)

    def donor(self, rng: np.random.Generator) -> ImageRecord | None:
        """Draw an image that has an object with a mask; None if there is none."""
        drawn = self._donors.draw(1, rng)
        return self._images[drawn[0]] if drawn else None


class _Draw:
    """Weighted draws of indices, with replacement."""

    def __init__(self, members: list[int], weights: NDArray[np.float64]) -> None:
        self._members = np.array(members, dtype=np.int64)
        total = np.cumsum(weights[self._members])
        self._until = total / total[-1] if len(total) else total

    def draw(self, count: int, rng: np.random.Generator) -> list[int]:
        if not len(self._members):
            return []
        places = np.searchsorted(self._until, rng.random(count), side="right")
        return [int(i) for i in self._members[places.clip(max=len(self._members) - 1)]]


class _BrokenImageError(Exception):
    """An image that passed the check at the start and cannot be decoded now."""
