"""What masks are made of, told beside them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from model.detection.decoding import Decoder
from model.detection.mask_parts import mask_parts
from model.detection.postprocessing import Found, add_masks, find, suppress, to_detections
from model.detection.raw_outputs import RawOutputs
from model.network.heads import MaskIoUNet
from model.options import DetectOptions
from tests.rebuilt_masks import rebuilt_masks
from tests.small_networks import SPARSE, decoding

SIDE = 16  # of the prototypes, and of frames whose masks are therefore not enlarged
OPTIONS = DetectOptions(score_threshold=0.3, max_detections=12)


class Rates(MaskIoUNet):
    """Rates a mask by its area, class by class otherwise: the order of the scores does not last."""

    def forward(self, masks: Tensor) -> Tensor:
        share = masks.mean(dim=(1, 2))[:, None]
        return torch.cat([share, 1 - share, share.square()], dim=1)


DECODERS = {"as scored": decoding(), "re-scored": decoding(mask_iou_net=Rates(3))}


def random_outputs(seed: int = 0) -> RawOutputs:
    """Of two images, with prototypes and coefficients in the ranges that a network gives them."""
    generator = torch.Generator().manual_seed(seed)
    anchors, k = len(DECODERS["as scored"].anchors), SPARSE.num_prototypes
    return RawOutputs(
        torch.randn(2, anchors, 4, generator=generator),
        torch.randn(2, anchors, 4, generator=generator) * 2,
        torch.randn(2, anchors, k, generator=generator).tanh(),
        torch.randn(2, SIDE, SIDE, k, generator=generator).relu(),
    )


def inspected(raw: RawOutputs, decoder: Decoder, options: DetectOptions = OPTIONS) -> Found:
    return add_masks(suppress(raw, decoder, options), raw, decoder, options, keep_coefficients=True)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
def test_prototypes_and_coefficients_give_the_very_masks_of_the_detections(decoder: Decoder, seed: int):
    raw = random_outputs(seed)
    found = inspected(raw, decoder)
    assert found.masks is not None
    records = to_detections(found, [(SIDE, SIDE)] * 2, SPARSE.class_names)

    for image, (prototypes, coefficients, _) in enumerate(mask_parts(found, raw)):
        here = found.valid[image]
        boxes = (found.boxes[image][here] * SIDE).numpy()
        masks = rebuilt_masks(prototypes, coefficients, boxes)
        assert len(masks) == len(records[image]) > 5
        assert len(np.unique(coefficients, axis=0)) > 5
        np.testing.assert_allclose(masks, found.masks[image][here], atol=1e-6)
        np.testing.assert_array_equal(masks > 0.5, records[image].masks)


def test_re_scoring_did_change_the_order_that_the_test_above_follows():
    found = inspected(random_outputs(), DECODERS["re-scored"])
    class_scores = found.box_scores[0][found.valid[0]]
    assert not torch.equal(class_scores, class_scores.sort(descending=True).values)


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
def test_keeping_coefficients_changes_nothing_else(decoder: Decoder):
    raw = random_outputs()
    kept, usual = inspected(raw, decoder), find(raw, decoder, OPTIONS)
    assert usual.coefficients is None
    for name, part in usual._asdict().items():
        if part is not None:
            torch.testing.assert_close(getattr(kept, name), part, rtol=0, atol=0)


def test_what_is_told_stays_when_the_outputs_are_overwritten():
    raw = random_outputs()
    ((prototypes, coefficients, _), _) = mask_parts(inspected(raw, DECODERS["as scored"]), raw)
    before = prototypes.copy(), coefficients.copy()
    for part in (raw.mask_coefficients, raw.prototypes):
        assert part is not None
        part.fill_(7)
    np.testing.assert_array_equal(prototypes, before[0])
    np.testing.assert_array_equal(coefficients, before[1])


def test_an_image_without_detections_has_prototypes_and_no_coefficients():
    raw = random_outputs()
    nothing = raw.class_logits.clone()
    nothing[1, :, 0] = 50
    raw = raw._replace(class_logits=nothing)
    (_, some, _), (prototypes, none, _) = mask_parts(inspected(raw, DECODERS["as scored"]), raw)
    assert len(some)
    assert none.shape == (0, SPARSE.num_prototypes)
    assert prototypes.shape == (SIDE, SIDE, SPARSE.num_prototypes)


def test_outputs_that_carry_gradients_are_told_of_all_the_same():
    raw = random_outputs()
    assert raw.prototypes is not None
    raw = raw._replace(prototypes=raw.prototypes.requires_grad_())
    assert len(mask_parts(inspected(raw, DECODERS["as scored"]), raw)) == 2


@pytest.mark.parametrize("boxes_only", [False, True])
def test_without_coefficients_there_is_nothing_to_tell(boxes_only: bool):
    raw = random_outputs()
    raw = raw._replace(prototypes=None) if boxes_only else raw
    found = find(raw, DECODERS["as scored"], OPTIONS)
    with pytest.raises(ValueError, match="keep_coefficients"):
        mask_parts(found, raw)
