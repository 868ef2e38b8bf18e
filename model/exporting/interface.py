"""Inputs and outputs of an exported YOLACT, and its form without masks; imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.config import YolactConfig
from model.engines.openvino_core import refuse_telemetry
from model.outputs import BOX_OUTPUTS

if TYPE_CHECKING:
    import openvino

INPUT = "images"


def without_masks(model: openvino.Model) -> openvino.Model:
    """Return a copy of a model without the prototypes and the operations that only they need."""
    refuse_telemetry()
    from openvino import Model

    copy = model.clone()
    kept = Model([copy.output(name) for name in BOX_OUTPUTS], copy.get_parameters(), copy.get_friendly_name())
    for key, value in model.get_rt_info().items():
        kept.set_rt_info(value, key)
    return kept


def input_sides(config: YolactConfig) -> tuple[int, int]:
    """Return height and width of the input, in pixels; -1 for any, where the aspect ratio is kept."""
    return (-1, -1) if config.keeps_aspect_ratio else (config.image_size, config.image_size)
