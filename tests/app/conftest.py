"""A small network, small photographs, and the command that brings them together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from app.cli import main
from model.checkpoints.yolact import save_checkpoint
from model.config import BackboneConfig
from model.network.yolact import build_yolact
from tests.small_networks import COMPACT

Annotate = Callable[..., int]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network of two classes that finds something in every picture."""
    torch.manual_seed(0)
    config = dataclasses.replace(
        COMPACT,
        image_size=64,
        backbone=BackboneConfig("resnet18", width=8),
        class_names=("person", "traffic light"),
        fpn_channels=16,
        protonet_channels=(8,),
        protonet_out_channels=8,
        num_prototypes=4,
    )
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    save_checkpoint(path, config, build_yolact(config).state_dict())
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three small photographs: a.jpg, b.png and c.webp."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, size in (("a.jpg", (40, 60)), ("b.png", (61, 33)), ("c.webp", (48, 48))):
        cv2.imwrite(str(folder / name), cv2.resize(rng.integers(0, 255, (5, 5, 3), np.uint8), size))
    return folder


@pytest.fixture
def annotate(weights: Path) -> Annotate:
    """Runs `annotate` with these arguments, which come last and so prevail; returns the exit code."""

    def run(*arguments: str | Path) -> int:
        detection = ("--weights", weights, "--score-threshold", "0", "--top-k", "5")
        common = (*detection, "--device", "cpu", "--engine", "torch", "--precision", "fp32")
        return main(["annotate", *map(str, (*common, *arguments))])

    return run
