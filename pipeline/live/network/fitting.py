"""Networks and settings: loading, warm-up, configuration, and the choice of the detections that are shown."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.checkpoints.catalog import DEFAULT_WEIGHTS, all_entries, current_name, resolve_weights
from model.config import DEFAULT_THRESHOLD, YolactConfig
from model.detections import Detections
from model.options import DetectOptions, class_indices
from model.user_folders import expanded
from pipeline.live.events import Loaded
from pipeline.settings import DetectionSettings, ProposalSettings
from pipeline.tracking.options import FollowOptions

if TYPE_CHECKING:
    from typing import TypeAlias

    from model.instance_predictor import LoadedPredictor
    from model.predictor import Predictor
    from model.sharpmask.predictor import ProposalPredictor

    LiveNetwork: TypeAlias = Predictor | ProposalPredictor

LoadNetwork = Callable[[DetectionSettings], "LiveNetwork"]
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


def load_network(settings: DetectionSettings) -> LiveNetwork:
    """Load YOLACT or a proposal network by the settings; imports PyTorch.

    Their classes are left to `configured`, when it is known which ones there are. Raises what
    `load_predictor` and `load_instance_predictor` raise.
    """
    from model.checkpoints.kinds import is_sharpmask_file
    from model.predictor import load_predictor

    if is_sharpmask_file(resolve_weights(settings.weights)):
        from model.sharpmask.predictor import ProposalPredictor

        network = load_any_network(_of_one_class(settings))
        assert isinstance(network, ProposalPredictor)
        return network
    return load_predictor(settings.weights, **replace(settings, classes=None).load_options())


def load_any_network(settings: DetectionSettings) -> LoadedPredictor:
    """Load a predictor from weights of any kind. Raises what `load_instance_predictor` raises."""
    from model.instance_predictor import load_instance_predictor

    return load_instance_predictor(settings.weights, **settings.load_options())


def configured(network: LiveNetwork, settings: DetectionSettings, private: bool) -> LiveNetwork:
    """The network with the settings that need no other one.

    private: it finds more than is wanted, so that no person is missed: every class, low scores, as many as
             can be, whole masks that are not sharpened, and no person that another class's box would
             suppress. `wanted_rows` leaves it out again.

    Classes that it does not know are left out, see `with_known_classes`. Raises ConfigError on what makes no
    sense for this network. A proposal network knows no person, so that privacy hides the whole picture.
    """
    from model.predictor import Predictor

    if not isinstance(network, Predictor):
        return _configured_proposals(network, settings)
    options = _options(with_known_classes(settings, network.class_names), network.config)
    wanted = network.with_options(**options)
    if not private:
        return wanted
    return wanted.without_sharpener().with_options(
        classes=None,
        threshold_limit=PRIVATE_THRESHOLD,
        max_detections=network.config.detection.max_detections,
        nms="fast" if settings.nms == "class-agnostic" else settings.nms,
        min_mask_region=0.0,
    )


def _configured_proposals(network: ProposalPredictor, settings: DetectionSettings) -> ProposalPredictor:
    from model.sharpmask.predictor import display_options

    options = display_options(_of_one_class(settings).load_options())
    return network.with_options(
        score_threshold=options.score_threshold, max_detections=options.max_detections
    )


def _of_one_class(settings: DetectionSettings) -> DetectionSettings:
    """The settings for a network of one class, whose NMS is class-agnostic in any case."""
    nms = "exact" if settings.nms == "class-agnostic" else settings.nms
    return replace(settings, classes=None, nms=nms)


def with_proposal_settings(network: LiveNetwork, settings: ProposalSettings) -> LiveNetwork:
    """The network with these settings if it proposes objects; any other as it is.

    Raises ConfigError on values that make no sense.
    """
    from model.predictor import Predictor

    if isinstance(network, Predictor):
        return network
    return network.with_options(top_n=settings.windows, nms_iou=settings.nms_iou, refine=settings.refine)


def tracking_options(settings: DetectionSettings, private: bool) -> FollowOptions:
    """Return the options of tracking.

    private: nothing is smoothed, for what is hidden has to be where people are in this very frame

    Raises ConfigError on a strength that there is not.
    """
    options = settings.follow_options
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


def own_thresholds(network: LiveNetwork) -> dict[str, float]:
    """The weights' own score threshold, 0..1, of each class by its name; 0 for proposals of objects."""
    from model.predictor import Predictor

    if not isinstance(network, Predictor):
        return dict.fromkeys(network.class_names, 0.0)
    return dict(zip(network.class_names, DetectOptions().thresholds(network.config), strict=True))


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


def description(network: LiveNetwork, settings: DetectionSettings) -> Loaded:
    """Return the event about a network that is used with these settings."""
    from model.predictor import Predictor

    facts = Loaded(
        weights_path(settings),
        str(network.choice),
        network.class_names,
        network.config.image_size,
        0,
        settings,
        tuple(own_thresholds(network).values()),
        proposes=True,
    )
    if not isinstance(network, Predictor):
        return facts
    engine, config = network.engine, network.config
    choice = network.choice or f"{engine.name} {engine.precision} on {engine.device}"
    return replace(
        facts,
        choice=str(choice),
        prototypes=config.num_prototypes,
        keeps_aspect_ratio=config.keeps_aspect_ratio,
        proposes=False,
    )


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
