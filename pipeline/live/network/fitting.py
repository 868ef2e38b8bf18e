"""Networks and settings: loading, warm-up, configuration, and the choice of the detections that are shown."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.checkpoints.catalog import DEFAULT_WEIGHTS, all_entries, current_name
from model.config import DEFAULT_THRESHOLD, YolactConfig
from model.detections import Detections
from model.options import DetectOptions, class_indices
from model.user_folders import expanded
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
    """Return the loading function behind a lock: PyTorch cannot export two networks at once.

    lock: that of everything that loads
    """

    def load_alone(settings: DetectionSettings) -> P:
        with lock:
            return load(settings)

    return load_alone


def warm_up(network: LoadedPredictor) -> None:
    """Run a network once: the first frame takes longer, and an engine that cannot run fails here.

    The frame is as wide as those of most videos: a network that keeps the aspect ratio is made ready for one
    shape. What follows its instances is made once, too: a tracker's library takes its time to load.
    """
    from pipeline.tracking.following import make_follower

    make_follower(FollowOptions())
    side = network.config.image_size
    network(np.zeros((side * 9 // 16, side, 3), np.uint8))


PRIVATE_THRESHOLD = 0.05
"""People are looked for down to this score, so that hardly any is left to be seen."""


def load_network(settings: DetectionSettings) -> Predictor:
    """Load a predictor by the settings; imports PyTorch. Raises what `load_predictor` raises.

    Their classes are left to `configured`, when it is known which ones there are.
    """
    from model.predictor import load_predictor

    return load_predictor(settings.weights, **replace(settings, classes=None).load_options())


def load_any_network(settings: DetectionSettings) -> LoadedPredictor:
    """Load a predictor from weights of any kind. Raises what `load_instance_predictor` raises."""
    from model.instance_predictor import load_instance_predictor

    return load_instance_predictor(settings.weights, **settings.load_options())


def configured(network: Predictor, settings: DetectionSettings, private: bool) -> Predictor:
    """The network with the settings that need no other one.

    private: it finds more than is wanted, so that no person is missed: every class, low scores, as many as
             can be, whole masks, and no person that another class's box would suppress. `wanted_rows`
             leaves it out again.

    Classes that it does not know are left out, see `with_known_classes`. Raises ConfigError on what makes no
    sense for this network.
    """
    options = _options(with_known_classes(settings, network.class_names), network.config)
    wanted = network.with_options(**options)
    if not private:
        return wanted
    return wanted.with_options(
        classes=None,
        threshold_limit=PRIVATE_THRESHOLD,
        max_detections=network.config.detection.max_detections,
        nms="fast" if settings.nms == "class-agnostic" else settings.nms,
        min_mask_region=0.0,
    )


def tracking_options(settings: DetectionSettings, private: bool) -> FollowOptions:
    """Return the options of tracking.

    private: nothing is smoothed, for what is hidden has to be where people are in this very frame

    Raises ConfigError on a strength that there is not.
    """
    options = FollowOptions(stabilise=settings.stabilise)
    options.check()
    return FollowOptions() if private else options


def with_known_classes(settings: DetectionSettings, class_names: Sequence[str]) -> DetectionSettings:
    """The settings without the classes that weights of these names do not know; where they know none of them,
    for all classes. So what is chosen with one network holds for another, as far as it can.
    """
    if not settings.classes:
        return settings
    known = tuple(name for name in settings.classes if name in class_names)
    return replace(settings, classes=known or None)


def own_thresholds(config: YolactConfig) -> dict[str, float]:
    """The weights' own score threshold, 0..1, of each class by its name."""
    return dict(zip(config.class_names, DetectOptions().thresholds(config), strict=True))


def wanted_rows(
    settings: DetectionSettings,
    detections: Detections,
    private: bool = False,
    own: Mapping[str, float] | None = None,
) -> NDArray[np.int64]:
    """Return the rows, [n] rising, of the detections that the settings ask for.

    private: the network did, so that scores decide alone. Otherwise the stabiliser keeps a track for a while
             whose score has fallen below the threshold.
    own:     the thresholds of the weights in use, by class. Detections may still be those of other weights,
             and classes that are missing here have the default one.
    """
    wanted = detections.box_scores > _thresholds(settings, detections, own or {})
    if settings.stabilise != "off" and detections.track_ids is not None and not private:
        wanted |= detections.track_ids >= 0
    if settings.classes is not None:
        wanted &= np.array([name in settings.classes for name in detections.names], dtype=bool)
    return np.flatnonzero(wanted)[: settings.max_detections]


def weights_path(settings: DetectionSettings) -> Path:
    """The file that the settings' weights are in, which need not be there."""
    name = current_name(settings.weights or DEFAULT_WEIGHTS)
    known = all_entries().get(name)
    return expanded(name) if known is None else known.path


def _thresholds(
    settings: DetectionSettings, detections: Detections, own: Mapping[str, float]
) -> NDArray[np.float32]:
    """[N], the score that each detection has to exceed."""
    if settings.score_threshold is not None:
        return np.full(len(detections), settings.score_threshold, np.float32)
    return np.array([own.get(name, DEFAULT_THRESHOLD) for name in detections.names], np.float32)


def _options(settings: DetectionSettings, config: YolactConfig) -> dict[str, Any]:
    return {
        "score_threshold": settings.score_threshold,
        "max_detections": settings.max_detections,
        "nms": settings.nms,
        "classes": class_indices(settings.classes, config.class_names),
        "min_mask_region": settings.min_mask_region,
    }
