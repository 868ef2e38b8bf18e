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
    from model.sharpmask.predictor import ProposalPredictor

    LoadedPredictor: TypeAlias = Predictor | MaskRcnnPredictor | ProposalPredictor


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
    """Load a predictor for weights of YOLACT, Mask R-CNN, or DeepMask and SharpMask.

    weights: as for `load_predictor`; a file says by its content which model it is of
    options: the other keywords of `load_predictor`; the others refuse those that they do not know

    Raises what `load_predictor`, `load_mask_rcnn` and `load_proposal_predictor` raise.
    """
    from model.checkpoints.catalog import resolve_weights
    from model.checkpoints.kinds import is_mask_rcnn, is_sharpmask_file

    path = resolve_weights(weights)
    if is_sharpmask_file(path):
        from model.sharpmask.predictor import display_options, load_proposal_predictor

        return load_proposal_predictor(
            path,
            display_options(options),
            options.get("device", "auto"),
            options.get("engine", "auto"),
            options.get("precision", "auto"),
        )
    if is_mask_rcnn(path):
        from model.mask_rcnn import load_mask_rcnn

        return load_mask_rcnn(path, **options)
    from model.predictor import load_predictor

    return load_predictor(path, **options)
