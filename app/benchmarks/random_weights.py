"""Networks of random weights, which cost what trained ones do.

A process whose memory is measured does not import this: it needs no network to be built in PyTorch.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from app.benchmarks.network import injecting
from model.checkpoints.yolact import save_checkpoint
from model.config import preset
from model.network.yolact import build_yolact
from model.predictor import Predictor


def random_predictor(config: str, **settings: Any) -> Predictor:
    """A predictor for a network of random weights, which costs what a trained one does; see `injecting`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{config}.pt"
        write_random_weights(config, path)
        return injecting(path, **settings)


def write_random_weights(config: str, path: Path) -> None:
    """Write a checkpoint of random weights, the same ones every time."""
    torch.manual_seed(0)
    network = build_yolact(preset(config))
    save_checkpoint(path, network.config, network.state_dict())
