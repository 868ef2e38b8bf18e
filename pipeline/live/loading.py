"""How networks are loaded by threads that share a machine, and first run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pipeline.live.settings import DetectionSettings

if TYPE_CHECKING:
    from model.predictor import Predictor

LoadNetwork = Callable[[DetectionSettings], "Predictor"]


def one_at_a_time(load: LoadNetwork) -> LoadNetwork:
    """The same for several threads: PyTorch cannot export two networks at once, and OpenVINO runs those."""
    lock = threading.Lock()

    def load_alone(settings: DetectionSettings) -> Predictor:
        with lock:
            return load(settings)

    return load_alone


def warm_up(network: Predictor) -> None:
    """Run it once: the first frame takes longer, and an engine that cannot run is to fail here."""
    side = network.config.image_size
    network(np.zeros((side, side, 3), np.uint8))
