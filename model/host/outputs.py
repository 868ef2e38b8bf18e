"""A network's outputs for one image, as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.config import YolactConfig
from model.engines.base import Engine
from model.outputs import LEVELS

Floats: TypeAlias = NDArray[np.float32]

MaskIoU: TypeAlias = Callable[[Floats], Floats]
"""The re-scoring network of YOLACT++: masks [N, Hp, Wp], 0..1 and cropped, in; IoUs [N, C] out."""


class ImageOutputs(NamedTuple):
    """Raw outputs of one image, all float32, as `model.detection.raw_outputs.RawOutputs` describes them."""

    box_deltas: Floats  # [A, 4]
    class_logits: Floats  # [A, C + 1] or [A, C]
    mask_coefficients: Floats  # [A, K] or [A, K + 6]
    prototypes: Floats | None  # [Hp, Wp, K]; None in boxes-only mode
    levels: tuple[Floats, ...] | None = None  # [C, h, w] each, finest first; None unless asked for


HostEngine: TypeAlias = Engine[Floats, list[ImageOutputs]]
"""Images [B, 3, h, w] as `model.host.preparing` makes them in; the outputs of each out."""


@dataclass(frozen=True, eq=False)
class HostDecoder:
    """Configuration and anchors, to read a network's outputs.

    anchors:  [A, 4] float32, cx cy w h relative to the image, of a square input; not used where the aspect
              ratio is kept, for there the cells depend on the frame's shape
    mask_iou: the re-scoring network, or None
    """

    config: YolactConfig
    anchors: Floats
    mask_iou: MaskIoU | None = None


def image_outputs(parts: Mapping[str, Floats]) -> list[ImageOutputs]:
    """Return the outputs of each image of a batch; the memory is shared.

    parts: an engine's outputs by name, the first dimension is the batch; prototypes and levels may be absent
    """
    prototypes = parts.get("prototypes")
    levels = [parts[name] for name in LEVELS if name in parts]
    return [
        ImageOutputs(
            parts["box_deltas"][number],
            parts["class_logits"][number],
            parts["mask_coefficients"][number],
            None if prototypes is None else prototypes[number],
            tuple(level[number] for level in levels) or None,
        )
        for number in range(len(parts["box_deltas"]))
    ]
