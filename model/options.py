"""What a user may choose about detection, checked once, without torch."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from model.config import YolactConfig
from model.errors import ConfigError

NMS_KINDS = ("fast", "class-agnostic", "exact")


@dataclass(frozen=True)
class DetectOptions:
    """How raw outputs become detections.

    `score_threshold` in 0..1 is compared with the class score after NMS; `max_detections` is 1..100;
    `nms` one of `NMS_KINDS`; `classes` the indices to look for, None for all; `crop_masks` False leaves
    masks uncropped, which shows how prototypes localise (paper, section 5, figure 5) and where they leak.
    """

    score_threshold: float = 0.3
    max_detections: int = 100
    nms: str = "fast"
    classes: tuple[int, ...] | None = None
    crop_masks: bool = True

    def check(self, config: YolactConfig) -> None:
        """Raise ConfigError on the first setting that is out of range for this configuration."""
        most = config.detection.max_detections
        if not 0 <= self.score_threshold <= 1:
            raise ConfigError(f"the score threshold must be 0 to 1, got {self.score_threshold}")
        if not 1 <= self.max_detections <= most:
            raise ConfigError(f"at most 1 to {most} detections can be asked for, got {self.max_detections}")
        if self.nms not in NMS_KINDS:
            raise ConfigError(f"no NMS is named {self.nms!r}; there are {', '.join(NMS_KINDS)}")
        if self.classes is not None and not (
            self.classes and all(0 <= c < config.num_classes for c in self.classes)
        ):
            raise ConfigError(
                f"class indices must be 0 to {config.num_classes - 1}, and at least one, got {self.classes}"
            )


def class_indices(names: Sequence[str] | None, class_names: Sequence[str]) -> tuple[int, ...] | None:
    """The index of each class name; None stays None, which stands for all classes.

    Raises ConfigError, with the nearest name, on a name that the weights do not know, and on no names.
    """
    if names is None:
        return None
    if not names:
        raise ConfigError("no class is named; leave the choice out to look for all classes")
    for name in names:
        if name not in class_names:
            raise ConfigError(f"the weights know no class {name!r}; {_suggestion(name, class_names)}")
    return tuple(sorted({class_names.index(name) for name in names}))


def _suggestion(name: str, class_names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name.lower(), class_names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    listed = ", ".join(class_names[:10])
    return f"they know {listed}{' …' if len(class_names) > 10 else ''}"
