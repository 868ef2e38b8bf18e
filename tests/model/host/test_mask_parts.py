"""What masks are made of, told beside them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from model.detections import Detections
from model.host.detection import HostFound, add_masks, suppress, to_detections
from model.host.mask_parts import mask_parts
from model.host.outputs import HostDecoder, ImageOutputs
from model.options import DetectOptions
from tests.model.host.random_outputs import ANCHORS, random_outputs
from tests.rebuilt_masks import rebuilt_masks
from tests.small_networks import SPARSE

SIDE = 16  # of the prototypes, and of frames whose masks are therefore not enlarged
OPTIONS = DetectOptions(score_threshold=0.3, max_detections=12, min_mask_region=0.0)


def rated(masks: NDArray[np.float32]) -> NDArray[np.float32]:
    """By its area, class by class otherwise: the order of the scores does not last."""
    share = masks.mean(axis=(1, 2))[:, None]
    return np.concatenate([share, 1 - share, share**2], axis=1)


DECODERS = {
    "as scored": HostDecoder(SPARSE, ANCHORS),
    "re-scored": HostDecoder(dataclasses.replace(SPARSE, mask_iou=True), ANCHORS, rated),
}


def inspected(outputs: ImageOutputs, decoder: HostDecoder) -> tuple[HostFound, Detections]:
    found = suppress(outputs, decoder.anchors, decoder.config, OPTIONS)
    found = add_masks(found, outputs, decoder, OPTIONS)
    return found, to_detections(found, decoder.config, (SIDE, SIDE), OPTIONS)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
def test_prototypes_and_coefficients_give_the_very_masks_of_the_detections(decoder: HostDecoder, seed: int):
    outputs = random_outputs(seed, SIDE)
    found, detections = inspected(outputs, decoder)
    prototypes, coefficients, _ = mask_parts(found, outputs)
    masks = rebuilt_masks(prototypes, coefficients, found.boxes * SIDE)
    assert len(masks) == len(detections) > 5
    assert len(np.unique(coefficients, axis=0)) > 5
    np.testing.assert_array_equal(masks > 0.5, detections.masks)


def test_re_scoring_did_change_the_order_that_the_test_above_follows():
    found, _ = inspected(random_outputs(0, SIDE), DECODERS["re-scored"])
    assert (np.diff(found.scores) <= 0).all()
    assert not (np.diff(found.box_scores) <= 0).all()


def test_what_is_told_stays_when_the_outputs_are_overwritten():
    outputs = random_outputs(0, SIDE)
    prototypes, coefficients, _ = mask_parts(inspected(outputs, DECODERS["as scored"])[0], outputs)
    before = prototypes.copy(), coefficients.copy()
    for part in (outputs.mask_coefficients, outputs.prototypes):
        assert part is not None
        part.fill(7)
    np.testing.assert_array_equal(prototypes, before[0])
    np.testing.assert_array_equal(coefficients, before[1])


def test_an_image_without_detections_has_prototypes_and_no_coefficients():
    outputs = random_outputs(0, SIDE)
    outputs.class_logits[:, 0] = 50
    prototypes, coefficients, _ = mask_parts(inspected(outputs, DECODERS["re-scored"])[0], outputs)
    assert coefficients.shape == (0, SPARSE.num_prototypes)
    assert prototypes.shape == (SIDE, SIDE, SPARSE.num_prototypes)


def test_without_masks_there_is_nothing_to_tell():
    outputs = random_outputs(0, SIDE)._replace(prototypes=None)
    with pytest.raises(ValueError, match="ask for masks"):
        mask_parts(inspected(outputs, DECODERS["as scored"])[0], outputs)
