"""How networks are loaded by threads that share a machine, and first run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from pipeline.settings import DetectionSettings
from pipeline.tracking.options import FollowOptions

if TYPE_CHECKING:
    from model.instance_predictor import LoadedPredictor
    from model.predictor import Predictor

LoadNetwork = Callable[[DetectionSettings], "Predictor"]
LoadAnyNetwork = Callable[[DetectionSettings], "LoadedPredictor"]

P = TypeVar("P")


def one_at_a_time(
    load: Callable[[DetectionSettings], P], lock: threading.Lock
) -> Callable[[DetectionSettings], P]:
    """The same for several threads: PyTorch cannot export two networks at once, and OpenVINO runs those.

    lock: that of everything that loads
    """

    def load_alone(settings: DetectionSettings) -> P:
        with lock:
            return load(settings)

    return load_alone


def warm_up(network: LoadedPredictor) -> None:
    """Run it once: the first frame takes longer, and an engine that cannot run is to fail here.

    The frame is as wide as those of most videos: a network that keeps the aspect ratio is made ready for one
    shape. What follows its instances is made once, too: a tracker's library takes its time to load.
    """
    from pipeline.tracking.following import make_follower

    make_follower(FollowOptions())
    side = network.config.image_size
    network(np.zeros((side * 9 // 16, side, 3), np.uint8))
