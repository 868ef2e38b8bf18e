"""Interface of instance predictors: YOLACT, a two-stage model, or recorded masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, Unpack

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections
from model.options import LoadOptions

if TYPE_CHECKING:
    from model.mask_rcnn import MaskRcnnPredictor
    from model.predictor import Predictor

    LoadedPredictor: TypeAlias = Predictor | MaskRcnnPredictor


class InstancePredictor(Protocol):
    """Turns frames into detections, such as `model.predictor.Predictor`. For one thread at a time."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names that `Detections.classes` are indices into, without background."""

    @property
    def score_threshold(self) -> float:
        """Score that a detection must exceed, 0..1."""

    def __call__(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Return the detections of each frame, in their order.

        frames: any number of [H, W, 3] uint8 BGR, of any sizes. They are not changed.
        """


def load_instance_predictor(
    weights: str | Path | None = None, **options: Unpack[LoadOptions]
) -> LoadedPredictor:
    """Load a predictor for weights of YOLACT or of Mask R-CNN.

    weights: as for `load_predictor`; a file says by its content which model it is of
    options: the other keywords of `load_predictor`; Mask R-CNN refuses those that it does not know

    Raises what `load_predictor` and `load_mask_rcnn` raise.
    """
    from model.checkpoints.catalog import resolve_weights
    from model.checkpoints.mask_rcnn import is_mask_rcnn

    path = resolve_weights(weights)
    if is_mask_rcnn(path):
        from model.mask_rcnn import load_mask_rcnn

        return load_mask_rcnn(path, **options)
    from model.predictor import load_predictor

    return load_predictor(path, **options)
