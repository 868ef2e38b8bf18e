"""The photographs that an exported model is calibrated and proven on."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from app.labelled_data import tell_left_out
from model.config import YolactConfig
from model.errors import ConfigError
from model.evaluation.coco_eval import ClassMatch, match_classes
from model.evaluation.ground_truth import ImagePlace, select_images
from model.preprocessing import preprocess
from model.project import PHOTOS
from model.training.data.coco.values import Id
from model.training.data.labelled import load_labelled
from pipeline.sources.images import find_media, read_image

if TYPE_CHECKING:
    from pycocotools.coco import COCO

MOST_HELD_OUT = 64
SEED = 0


@dataclass(frozen=True, eq=False)
class Labels:
    """Ground truth, and the id in it of each image of a `ProofSet`."""

    truth: COCO
    classes: ClassMatch
    ids: tuple[Id, ...]


@dataclass(frozen=True, eq=False)
class ProofSet:
    """Images to compare two models on; `name` is what to call them, `labels` None where there are none."""

    name: str
    places: tuple[ImagePlace, ...]
    labels: Labels | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files."""
        return tuple(place.path for place in self.places)


@dataclass(frozen=True)
class Prepared:
    """Images as the network takes them, [1, 3, S, S] float32, read anew each time they are gone through."""

    paths: tuple[Path, ...]
    config: YolactConfig

    def __len__(self) -> int:
        return len(self.paths)

    def __contains__(self, image: object) -> bool:
        return any(image is prepared for prepared in self)

    def __iter__(self) -> Iterator[torch.Tensor]:
        for path in self.paths:
            yield preprocess(torch.from_numpy(read_image(path))[None], self.config)


def demo_photographs() -> ProofSet:
    """Return the photographs that come with the project."""
    return ProofSet("the demo photographs", tuple(map(ImagePlace, find_media(PHOTOS).images)))


def labelled_images(
    data: Path, images: Path | None, config: YolactConfig, coverage: Sequence[str] = ()
) -> ProofSet:
    """Return the images of a labelled data set with one of the given coverages, all if none is given.

    Raises DataError and ConfigError on one that cannot serve.
    """
    read = load_labelled(data, images)
    tell_left_out(read)
    found = read.confined(select_images(read.truth, coverage))
    found.require_images("export is proven on all images of --data, so leave these out of it")
    classes = match_classes(found.truth, config.class_names)
    labels = Labels(found.truth, classes, tuple(record["id"] for record in found.images))
    return ProofSet(found.file.name, tuple(map(found.place, found.images)), labels)


def split(folders: Sequence[Path], most: int) -> tuple[tuple[Path, ...], ProofSet]:
    """Split the images of folders into at most `most` for calibration, and others, held out, for the proof.

    The choice is random but the same each time, and each folder has its share in proportion to its images.
    Raises ConfigError when there are fewer than two, and SourceError when there is none in a folder.
    """
    name = ", ".join(map(str, folders))
    # in one part alone, though a folder is named twice
    once = {path.resolve(): path for folder in folders for path in find_media(folder).images}
    paths = list(once.values())
    if len(paths) < 2:
        raise ConfigError(f"{name}: holds one image; int8 is calibrated on some and proven on others")
    random.Random(SEED).shuffle(paths)
    held_out = min(MOST_HELD_OUT, max(1, len(paths) // 5))
    calibration = paths[held_out : held_out + most]
    return tuple(calibration), ProofSet(f"held out of {name}", tuple(map(ImagePlace, paths[:held_out])))
