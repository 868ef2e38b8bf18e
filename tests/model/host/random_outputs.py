"""Raw outputs in the ranges that networks give them, as arrays and as tensors of the same values."""

from __future__ import annotations

import numpy as np
import torch

from model.anchors import make_anchors
from model.config import YolactConfig
from model.detection.raw_outputs import RawOutputs
from model.host.outputs import ImageOutputs
from tests.small_networks import SPARSE

assert SPARSE.anchors is not None
ANCHORS = make_anchors(SPARSE.anchors, SPARSE.image_size)


def random_outputs(
    seed: int, side: int, config: YolactConfig = SPARSE, rows: int = len(ANCHORS), sure: float = 2.0
) -> ImageOutputs:
    """sure: how far class logits reach; side: of the prototypes."""
    rng = np.random.default_rng(seed)
    free = config.anchor_free is not None
    deltas = rng.normal(size=(rows, 4))
    logits = rng.normal(size=(rows, config.num_classes + (not free))) * sure
    coefficients = np.tanh(rng.normal(size=(rows, config.num_coefficients)))
    prototypes = np.maximum(rng.normal(size=(side, side, config.num_prototypes)), 0)
    if free:
        deltas, logits = np.abs(deltas) * 2, logits - 3
    return ImageOutputs(*(part.astype(np.float32) for part in (deltas, logits, coefficients, prototypes)))


def as_tensors(outputs: ImageOutputs) -> RawOutputs:
    deltas, logits, coefficients = (
        torch.from_numpy(part)[None]
        for part in (outputs.box_deltas, outputs.class_logits, outputs.mask_coefficients)
    )
    prototypes = None if outputs.prototypes is None else torch.from_numpy(outputs.prototypes)[None]
    return RawOutputs(deltas, logits, coefficients, prototypes)
