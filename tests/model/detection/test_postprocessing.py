"""From raw outputs to detections."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from model.detection.boxes import decode
from model.detection.masks import assemble, crop
from model.detection.postprocessing import _suppress, add_masks, find, postprocess, suppress
from model.detections import Detections
from model.errors import ConfigError
from model.network.heads import MaskIoUNet
from model.network.yolact import RawOutputs
from model.options import NMS_KINDS, DetectOptions
from tests.small_networks import Decoding, decoding, raw_outputs, small_network

LEFT, RIGHT = (0.0, 0.25, 0.5, 0.75), (0.5, 0.25, 1.0, 0.75)
DECODER = decoding()


def found(objects: Any, decoder: Decoding = DECODER, **options: Any) -> Detections:
    """Detections in a frame 40 high and 80 wide."""
    return postprocess(raw_outputs(decoder, objects), decoder, [(40, 80)], **options)[0]


def test_detections_come_best_first_in_frame_pixels():
    result = found([(LEFT, {0: 0.6}), (RIGHT, {2: 0.9})])

    assert result.names == ("bird", "cat")
    np.testing.assert_allclose(result.boxes, [[40, 10, 80, 30], [0, 10, 40, 30]], atol=1e-3)
    np.testing.assert_allclose(result.scores, [0.9, 0.6], atol=1e-5)
    assert np.array_equal(result.scores, result.box_scores)
    assert (result.boxes.dtype, result.scores.dtype, result.classes.dtype) == (
        np.float32,
        np.float32,
        np.int64,
    )


def test_the_default_threshold_is_0_3_on_the_class_score():
    objects = [(LEFT, {0: 0.31}), (RIGHT, {2: 0.29})]
    assert found(objects).names == ("cat",)
    assert found(objects, score_threshold=0.28).names == ("cat", "bird")


def test_boxes_are_clamped_to_the_frame_but_overlap_as_they_are():
    # inside the frame these two are the same, outside they are not
    wide, narrow = (-3.0, 0.25, 0.5, 0.75), (-0.1, 0.25, 0.5, 0.75)
    result = found([(wide, {0: 0.9}), (narrow, {0: 0.8})])
    np.testing.assert_allclose(result.boxes, [[0, 10, 40, 30]] * 2, atol=1e-3)


def test_nothing_found_is_an_empty_record_with_masks_of_the_frames_size():
    result = found([(LEFT, {0: 0.2})])
    assert len(result) == 0
    assert result.masks.shape == (0, 40, 80)


def test_no_more_than_asked_for_remain_and_they_are_the_best():
    objects = [((0.1 * i, 0, 0.1 * i + 0.09, 1.0), {0: 0.4 + 0.05 * i}) for i in range(10)]
    assert len(found(objects)) == 10
    np.testing.assert_allclose(found(objects, max_detections=3).scores, [0.85, 0.8, 0.75], atol=1e-5)


@pytest.mark.parametrize("nms", NMS_KINDS)
def test_classes_that_are_not_looked_for_take_no_part(nms: str):
    objects = [(LEFT, {0: 0.5, 2: 0.4}), (RIGHT, {1: 0.9})]
    assert found(objects, nms=nms, classes=(2,)).names == ("bird",)
    assert found(objects, nms=nms, classes=(2, 1, 1)).names == ("dog", "bird")


@pytest.mark.parametrize("nms", NMS_KINDS)
def test_every_kind_of_nms_gives_records_of_one_form(nms: str):
    result = found([(LEFT, {0: 0.6}), (RIGHT, {2: 0.9})], nms=nms)
    assert result.names == ("bird", "cat")
    assert result.masks.shape == (2, 40, 80)


@pytest.mark.parametrize("bad", [{"score_threshold": 2}, {"nms": "none"}, {"max_detections": 0}])
def test_settings_that_make_no_sense_are_refused(bad: dict[str, Any]):
    with pytest.raises(ConfigError):
        found([], **bad)


def test_masks_reach_no_further_than_box_and_padding_unless_cropping_is_off():
    cropped, whole = found([(LEFT, {0: 0.9})]), found([(LEFT, {0: 0.9})], crop_masks=False)

    rows, columns = np.nonzero(cropped.masks[0])
    # 16 prototype pixels are 40 by 80 frame pixels: a padding of 2.5 and 5
    assert (rows.min(), rows.max(), columns.max()) == pytest.approx((10, 30, 40), abs=6)
    assert whole.masks.all()


def test_masks_are_those_of_the_slow_full_frame_way():
    network = small_network()
    with torch.inference_mode():
        raw = network(
            torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(24))
        )  # scores that tie
        raw = raw._replace(box_deltas=raw.box_deltas * 5)
        sizes = [(45, 71), (7, 200)]
        results = postprocess(raw, network, sizes, score_threshold=0.05, max_detections=20)
        found = find(raw, network, DetectOptions(0.05, 20))

    for image, (result, size) in enumerate(zip(results, sizes, strict=True)):
        assert len(result) == 20
        for row, mask in enumerate(result.masks):
            expected = slow_mask(raw, image, found.boxes[image, row], result, row, network, size)
            undecided = np.abs(expected - 0.5) < 1e-5
            assert (undecided | (mask == (expected > 0.5))).all()


def slow_mask(
    raw: RawOutputs,
    image: int,
    box: Tensor,
    result: Detections,
    row: int,
    network: Any,
    size: tuple[int, int],
) -> np.ndarray:
    """The mask of the anchor that has this class score and this box, enlarged as a whole."""
    probabilities = raw.class_logits[image].softmax(-1)[:, 1 + result.classes[row]]
    apart = (decode(raw.box_deltas[image], network.anchors) - box).abs().sum(dim=1)
    anchor = int(((probabilities - float(result.scores[row])).abs() + apart).argmin())
    mask = assemble(raw.prototypes[image][None], raw.mask_coefficients[image, anchor][None, None])[0, 0]
    cropped = crop(mask, box)
    return F.interpolate(cropped[None, None], size=size, mode="bilinear", align_corners=False)[0, 0].numpy()


def test_boxes_only_outputs_give_the_same_boxes_and_no_masks():
    network, images = small_network(), torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        full = postprocess(network(images), network, [(64, 64)], score_threshold=0.0)[0]
        boxes = postprocess(network(images, with_masks=False), network, [(64, 64)], score_threshold=0.0)[0]

    assert not boxes.has_masks
    assert full.has_masks
    np.testing.assert_array_equal(boxes.boxes, full.boxes)


@pytest.mark.parametrize("nms", NMS_KINDS)
@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.6, 1.0])
@pytest.mark.parametrize("classes", [None, (1,)])
def test_leaving_out_on_the_cpu_what_cannot_be_shown_changes_nothing(
    nms: str, threshold: float, classes: tuple[int, ...] | None
):
    generator = torch.Generator().manual_seed(3)
    anchors = len(DECODER.anchors)
    raw = RawOutputs(
        torch.randn(2, anchors, 4, generator=generator) * 2,
        torch.randn(2, anchors, 4, generator=generator) * 2,
        torch.randn(2, anchors, 32, generator=generator),
        torch.rand(2, 16, 16, 32, generator=generator),
    )
    options = DetectOptions(threshold, nms=nms, classes=classes)

    quick = suppress(raw, DECODER, options)
    slow = _suppress(raw, DECODER.anchors, DECODER.config, options)

    assert quick.valid.sum() == slow.valid.sum()
    for image in range(2):
        for ours, expected in zip(quick, slow, strict=True):
            if ours is not None and expected is not None:
                found_here, wanted = ours[image][quick.valid[image]], expected[image][slow.valid[image]]
                torch.testing.assert_close(found_here, wanted, rtol=1e-5, atol=1e-6)


def test_an_image_whose_outputs_are_not_numbers_has_no_detections():
    raw = raw_outputs(DECODER, [(LEFT, {0: 0.9})])
    broken = raw._replace(class_logits=raw.class_logits * float("nan"))
    for nms in NMS_KINDS:
        assert len(postprocess(broken, DECODER, [(40, 80)], score_threshold=0.0, nms=nms)[0]) == 0


def test_the_two_halves_can_be_taken_apart_and_boxes_come_before_masks():
    raw = raw_outputs(DECODER, [(LEFT, {0: 0.6}), (RIGHT, {2: 0.9})])
    options = DetectOptions()

    boxes = suppress(raw, DECODER, options)
    whole = add_masks(boxes, raw, DECODER, options)

    assert boxes.masks is None
    assert boxes.coefficients is not None
    assert whole.coefficients is None
    assert whole.masks is not None
    assert whole.masks.shape == (1, 2, 16, 16)
    assert add_masks(boxes, raw._replace(prototypes=None), DECODER, options) is boxes


class Rates(MaskIoUNet):
    """Rates a mask by its area, so that a test knows what to expect."""

    def forward(self, masks: Tensor) -> Tensor:
        share = masks.mean(dim=(1, 2))[:, None]
        return torch.cat([share, share * 2, share * 0], dim=1)


def test_re_scoring_multiplies_sorts_again_and_keeps_the_class_score():
    decoder = decoding(mask_iou_net=Rates(3))
    small, large = (0.0, 0.0, 0.3, 0.3), (0.3, 0.3, 1.0, 1.0)

    result = found([(small, {0: 0.9}), (large, {1: 0.5})], decoder)

    assert result.names == ("dog", "cat")
    np.testing.assert_allclose(result.box_scores, [0.5, 0.9], atol=1e-5)
    shares = [float(torch.sigmoid(torch.tensor(10.0))) * area / 256 for area in (13 * 13, 6 * 6)]
    np.testing.assert_allclose(result.scores, [0.5 * shares[0] * 2, 0.9 * shares[1]], rtol=0.2)
    # masks and boxes went along
    assert result.masks[0].sum() > result.masks[1].sum()
    assert result.boxes[0, 2] > result.boxes[1, 2]


def test_the_users_threshold_is_on_the_class_score_even_with_re_scoring_and_the_cut_comes_last():
    decoder = decoding(mask_iou_net=Rates(3))
    small, large = (0.0, 0.0, 0.3, 0.3), (0.3, 0.3, 1.0, 1.0)
    objects = [(small, {0: 0.9}), (large, {1: 0.5})]

    assert found(objects, decoder, score_threshold=0.45).names == ("dog", "cat")
    assert found(objects, decoder, score_threshold=0.55).names == ("cat",)
    assert found(objects, decoder, max_detections=1).names == ("dog",)


def test_a_box_that_is_not_finite_is_left_out_and_suppresses_nothing():
    raw = raw_outputs(DECODER, [(LEFT, {0: 0.9}), (LEFT, {0: 0.8}), (LEFT, {0: 0.7})])
    raw.box_deltas[0, 0] = torch.tensor([0, 0, 1e9, 1e9])
    raw.box_deltas[0, 1, 0] = float("nan")

    result = postprocess(raw, DECODER, [(40, 80)])[0]

    np.testing.assert_allclose(result.scores, [0.7], atol=1e-5)


def test_a_frame_of_one_pixel_is_a_frame():
    raw = raw_outputs(DECODER, [(LEFT, {0: 0.9})])
    result = postprocess(raw, DECODER, [(1, 1)])[0]
    assert result.masks.shape == (1, 1, 1)


def test_outputs_that_still_carry_gradients_are_read_all_the_same():
    network = small_network()
    assert len(postprocess(network(torch.rand(1, 3, 64, 64)), network, [(9, 9)], score_threshold=0.0)[0]) > 0


def test_as_many_frame_sizes_as_images_are_asked_for():
    with pytest.raises(ValueError, match="zip"):
        postprocess(raw_outputs(DECODER, []), DECODER, [(1, 1), (2, 2)])


@pytest.mark.parametrize(
    ("options", "columns"),
    [({}, {8}), ({"min_mask_region": 0.0}, {2, 8}), ({"crop_masks": False}, {2, 8})],
)
def test_small_regions_of_cropped_masks_go_unless_all_are_wanted(options: dict[str, Any], columns: set[int]):
    prototypes = torch.zeros(16, 16, DECODER.config.num_prototypes)
    prototypes[..., 0] = -10
    prototypes[:, 8, 0] = prototypes[7, 2, 0] = 10  # a pillar, and a cell apart from it

    raw = raw_outputs(DECODER, [((0.0, 0.0, 1.0, 1.0), {0: 0.9})], prototypes)
    (result,) = postprocess(raw, DECODER, [(16, 16)], **options)

    assert set(np.nonzero(result.masks[0])[1].tolist()) == columns
