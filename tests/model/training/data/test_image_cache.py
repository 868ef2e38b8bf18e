"""Decoded images are kept up to a limit, and nothing that is made of them changes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as F

from model.config import preset
from model.training.data.augment import AUGMENTATIONS
from model.training.data.data_formats import load_annotations
from model.training.data.dataset import InstanceDataset
from model.training.data.image_files import ImageCache
from model.training.data.photometric import turn_hue
from tests.tiny_data import coco_json


def test_a_file_is_decoded_once():
    asked: list[Path] = []

    def decode(path: Path, _upright: bool) -> np.ndarray:
        asked.append(path)
        return np.zeros((4, 4, 3), np.uint8)

    cache = ImageCache(decode)
    first = cache(Path("a"), True)

    assert cache(Path("a"), True) is first
    assert cache(Path("a"), False) is not first  # not turned: another picture
    assert asked == [Path("a"), Path("a")]


def test_what_does_not_fit_is_decoded_anew():
    asked: list[Path] = []

    def decode(path: Path, _upright: bool) -> np.ndarray:
        asked.append(path)
        return np.zeros((4, 4, 3), np.uint8)

    cache = ImageCache(decode, limit=100)  # bytes, for two images of 48
    for name in ("a", "b", "c", "a", "b", "c"):
        cache(Path(name), True)

    assert [path.name for path in asked] == ["a", "b", "c", "c"]


def test_a_file_that_cannot_be_decoded_is_not_remembered():
    def decode(path: Path, _upright: bool) -> np.ndarray:
        raise ValueError(path)

    cache = ImageCache(decode)
    for _ in range(2):
        with pytest.raises(ValueError, match="a"):
            cache(Path("a"), True)


def test_samples_are_the_same_with_and_without_it(tmp_path: Path):
    found = load_annotations(coco_json(tmp_path, {"a.png": [(5, 5, 30, 40)], "b.png": [(20, 10, 60, 40)]}))
    config = dataclasses.replace(preset("livemask_n"), class_names=found.class_names, image_size=64)
    kept = InstanceDataset(found, config, AUGMENTATIONS["crowded"], seed=0)
    anew = InstanceDataset(found, config, AUGMENTATIONS["crowded"], seed=0, cache_bytes=0)

    for epoch in range(20):
        one, other = kept[epoch, epoch % 2], anew[epoch, epoch % 2]
        assert torch.equal(one.image, other.image)
        assert torch.equal(one.targets.masks, other.targets.masks)


@pytest.mark.parametrize("turn", [-0.05, 0.0, 0.01, 0.3, -0.5])
def test_hues_turn_as_torchvision_turns_them(turn: float):
    chance = torch.Generator().manual_seed(0)
    for levels in (2, 4, 256):  # few: greys and channels that are equal
        image = torch.randint(0, levels, (3, 37, 41), generator=chance).float() / (levels - 1)
        assert torch.equal(turn_hue(image, turn), F.adjust_hue(image.clone(), turn))
