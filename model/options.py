"""Options of detection and their checks; imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypedDict

from model.config import DEFAULT_THRESHOLD, DetectionConfig, YolactConfig
from model.errors import ConfigError
from model.names import did_you_mean

NMS_KINDS = ("fast", "class-agnostic", "exact", "soft")
MIN_MASK_REGION = 0.1
MOST_DETECTIONS = DetectionConfig().max_detections  # of an image that can be asked for


class LoadOptions(TypedDict, total=False):
    """The keywords of `model.predictor.load_predictor` besides the weights."""

    device: str
    engine: str
    precision: str
    image_size: int | None
    score_threshold: float | None
    max_detections: int
    nms: str
    classes: Sequence[str] | None
    min_mask_region: float
    sharpen: str | None
    crop_masks: bool
    with_masks: bool
    streams: int
    batch: int


@dataclass(frozen=True)
class DetectOptions:
    """Options of the step from raw outputs to detections.

    `score_threshold` in 0..1 is compared with the class score after NMS, None stands for the weights' own
    threshold of each class; thresholds are limited to `threshold_limit` and then multiplied by
    `threshold_scale`, both in 0..1; `max_detections` is 1..100; `nms` one of `NMS_KINDS`; `classes` the
    indices of the classes to detect, None for all; `crop_masks` False leaves masks uncropped (paper, section
    5, figure 5). Connected regions of a cropped mask that are smaller than the share `min_mask_region`, 0..1,
    of its largest one are removed; 0 keeps all.
    """

    score_threshold: float | None = None
    max_detections: int = MOST_DETECTIONS
    nms: str = "fast"
    classes: tuple[int, ...] | None = None
    crop_masks: bool = True
    threshold_scale: float = 1.0
    threshold_limit: float = 1.0
    min_mask_region: float = MIN_MASK_REGION

    def thresholds(self, config: YolactConfig) -> tuple[float, ...]:
        """Return the score, 0..1, that a detection of each of the C classes must exceed."""
        given = self.score_threshold
        own = config.detection.class_thresholds or (DEFAULT_THRESHOLD,) * config.num_classes
        wanted = own if given is None else (given,) * len(own)
        return _scaled(wanted, self.threshold_limit, self.threshold_scale)

    def check(self, config: YolactConfig) -> None:
        """Raise ConfigError on the first setting that is out of range for this configuration."""
        most = config.detection.max_detections
        if self.score_threshold is not None and not 0 <= self.score_threshold <= 1:
            raise ConfigError(f"the score threshold must be 0 to 1, got {self.score_threshold}")
        if not 1 <= self.max_detections <= most:
            raise ConfigError(f"at most 1 to {most} detections can be asked for, got {self.max_detections}")
        if not 0 <= self.min_mask_region <= 1:
            raise ConfigError(f"the least region of a mask must be 0 to 1, got {self.min_mask_region}")
        if self.nms not in NMS_KINDS:
            raise ConfigError(f"no NMS is named {self.nms!r}; there are {', '.join(NMS_KINDS)}")
        if self.classes is not None and not (
            self.classes and all(0 <= c < config.num_classes for c in self.classes)
        ):
            raise ConfigError(
                f"class indices must be 0 to {config.num_classes - 1}, and at least one, got {self.classes}"
            )


def class_indices(names: Sequence[str] | None, class_names: Sequence[str]) -> tuple[int, ...] | None:
    """Return the index of each class name, sorted; None, for all classes, stays None.

    Raises ConfigError on an unknown name, with the nearest known one, on an empty list, and on a string in
    place of a list.
    """
    if names is None:
        return None
    if isinstance(names, str):
        raise ConfigError(f"expected a list of class names, got the text {names!r}; write [{names!r}]")
    if not names:
        raise ConfigError("no class is named; leave the option out to detect all classes")
    for name in names:
        if name not in class_names:
            hint = did_you_mean(name, class_names) or _listed(class_names)
            raise ConfigError(f"the weights know no class {name!r}; {hint}")
    return tuple(sorted({class_names.index(name) for name in names}))


def _listed(class_names: Sequence[str]) -> str:
    return f"they know {', '.join(class_names[:10])}{' …' if len(class_names) > 10 else ''}"


@lru_cache(maxsize=64)  # asked for several times a frame
def _scaled(thresholds: tuple[float, ...], limit: float, scale: float) -> tuple[float, ...]:
    return tuple(scale * min(t, limit) for t in thresholds)
