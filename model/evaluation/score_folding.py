"""A calibration of scores put into a network's weights, where it costs nothing at run time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from torch import Tensor

from model.config import YolactConfig
from model.errors import ConfigError
from model.evaluation.calibration import Platt, confidence_after

_LAYERS = "head.output."


def folded_state(state: Mapping[str, Tensor], config: YolactConfig, platt: Platt) -> dict[str, Tensor]:
    """The weights of a network whose class scores are those of `state`, calibrated.

    The rows of the classes come first in `head.output.*`: weights and bias are multiplied by the slope, and
    the offset is added to the bias. These few tensors become float32, also where the rest is in half
    precision: rounded once more, near scores could change places. Raises ConfigError on a network with
    anchors, whose scores are a softmax that no such change calibrates.
    """
    if config.anchor_free is None:
        raise ConfigError(
            f"{config.name} has anchors and a softmax of its classes; scores can be calibrated in a network "
            "without anchors (livemask_n, _s and _m)"
        )
    folded = dict(state)
    for key in (key for key in state if key.startswith(_LAYERS)):
        value = state[key].float().clone()
        value[: config.num_classes] *= platt.slope
        if key.endswith(".bias"):
            value[: config.num_classes] += platt.offset
        folded[key] = value
    return folded


def calibrated_config(config: YolactConfig, platt: Platt, thresholds: Sequence[float]) -> YolactConfig:
    """The configuration with thresholds for its classes, and with as many boxes in NMS as before."""
    detection = dataclasses.replace(
        config.detection,
        confidence_threshold=confidence_after(config.detection.confidence_threshold, platt),
        class_thresholds=tuple(float(threshold) for threshold in thresholds),
    )
    return dataclasses.replace(config, detection=detection)
