"""A small network that has learned nothing and is sure of what it sees: enough to compare detections with."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from model.checkpoints.yolact import save_checkpoint
from model.network.yolact import Yolact
from tests.small_networks import TINY, small_network


def confident_network(seed: int = 0) -> Yolact:
    """Random weights, tuned so that in a photograph some boxes score above 0.3, all differently."""
    network = small_network(TINY, seed)
    with torch.no_grad():
        # [a, C + 1], background first
        network.head.conf_layer.bias.view(-1, TINY.num_classes + 1)[:, 0] += 1.7
        network.head.conf_layer.weight *= 0.3
    return network


def confident_weights(path: Path) -> Path:
    """The same as a file."""
    network = confident_network()
    save_checkpoint(path, network.config, network.state_dict(), licence="as you like <&>")
    return path


def photographs(folder: Path, count: int = 5) -> Path:
    """A folder of small pictures that differ."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        blocks = rng.integers(0, 255, (6, 8, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), cv2.resize(blocks, (96, 72)))
    return folder
