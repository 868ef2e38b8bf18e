"""How a network is loaded for settings, set to them, and which of what it finds is shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model.catalog import DEFAULT_WEIGHTS, all_entries
from model.config import YolactConfig
from model.detections import Detections
from model.options import class_indices
from pipeline.live.settings import DetectionSettings
from pipeline.tracking.options import FollowOptions

if TYPE_CHECKING:
    from model.instance_predictor import LoadedPredictor
    from model.predictor import Predictor

PRIVATE_THRESHOLD = 0.15
"""People are looked for down to this score, so that hardly any is left to be seen."""


def load_network(settings: DetectionSettings) -> Predictor:
    """What `load_predictor` makes of the settings; it imports PyTorch. Raises what that raises."""
    from model.predictor import load_predictor

    return load_predictor(settings.weights, **_arguments(settings))


def load_any_network(settings: DetectionSettings) -> LoadedPredictor:
    """The same for weights of any kind, see `load_instance_predictor`. Raises what that raises."""
    from model.instance_predictor import load_instance_predictor

    return load_instance_predictor(settings.weights, **_arguments(settings))


def fitted(network: Predictor, settings: DetectionSettings, private: bool) -> Predictor:
    """The network with the settings that need no other one.

    private: it finds more than is wanted, so that nobody stays unseen: every class, low scores, as many as
             can be, and no person that another class's box would suppress. `wanted_rows` leaves it out again.

    Raises ConfigError on what makes no sense for this network.
    """
    options = _options(settings, network.config)
    wanted = network.with_options(**options)
    if not private:
        return wanted
    return wanted.with_options(
        classes=None,
        score_threshold=min(settings.score_threshold, PRIVATE_THRESHOLD),
        max_detections=network.config.detection.max_detections,
        nms="fast" if settings.nms == "class-agnostic" else settings.nms,
    )


def followed(settings: DetectionSettings, private: bool) -> FollowOptions:
    """How instances are followed from frame to frame.

    private: nothing is smoothed, for what is hidden has to be where people are in this very frame

    Raises ConfigError on a strength that there is not.
    """
    options = FollowOptions(stabilise=settings.stabilise)
    options.check()
    return FollowOptions() if private else options


def wanted_rows(
    settings: DetectionSettings, detections: Detections, private: bool = False
) -> NDArray[np.int64]:
    """Which detections the settings ask for, where the network has looked for more: their rows, [n], rising.

    private: the network did, so that scores decide alone. Otherwise the stabiliser keeps a track for a while
             whose score has fallen below the threshold.
    """
    wanted = detections.box_scores > settings.score_threshold
    if settings.stabilise != "off" and detections.track_ids is not None and not private:
        wanted |= detections.track_ids >= 0
    if settings.classes is not None:
        wanted &= np.array([name in settings.classes for name in detections.names], dtype=bool)
    return np.flatnonzero(wanted)[: settings.max_detections]


def weights_path(settings: DetectionSettings) -> Path:
    """The file that the settings' weights are in, which need not be there."""
    name = settings.weights or DEFAULT_WEIGHTS
    known = all_entries().get(name)
    return Path(name).expanduser() if known is None else known.path


def _arguments(settings: DetectionSettings) -> dict[str, Any]:
    """Of `load_predictor`, but for the weights."""
    return {
        "device": settings.device,
        "score_threshold": settings.score_threshold,
        "max_detections": settings.max_detections,
        "nms": settings.nms,
        "classes": settings.classes,
        "image_size": settings.image_size,
        "engine": settings.engine,
        "precision": settings.precision,
    }


def _options(settings: DetectionSettings, config: YolactConfig) -> dict[str, Any]:
    return {
        "score_threshold": settings.score_threshold,
        "max_detections": settings.max_detections,
        "nms": settings.nms,
        "classes": class_indices(settings.classes, config.class_names),
    }
