"""Detections of letterboxed frames land where they are in the frame; and the threshold of each class."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from model.config import YolactConfig
from model.detection.decoding import Decoding, for_frames
from model.detection.postprocessing import find, postprocess
from model.detection.raw_outputs import RawOutputs
from model.detections import Detections
from model.input_shape import InputShape, input_shape
from model.network.anchors import make_cells
from model.options import DetectOptions
from tests.small_networks import FREE, free_outputs, raw_outputs
from tests.small_networks import decoding as sparse_decoding

# frames whose content is 72 of 96 rows, 72 of 96 columns, and one that needs no padding
WIDE, TALL, SQUARE = (90, 160), (160, 90), (64, 64)
SIZES = [WIDE, TALL, SQUARE, (720, 1280), (45, 80), (1000, 250)]
BOX = (0.25, 0.5, 0.5, 1.0)


def square(side: int) -> InputShape:
    return InputShape((side, side), (side, side))


DECODER = Decoding(FREE, make_cells(square(FREE.image_size)))


def detect(
    size: tuple[int, int],
    objects: list[Any],
    prototypes: Tensor | None = None,
    config: YolactConfig = FREE,
    **options: Any,
) -> Detections:
    raw = free_outputs(config, input_shape(config, size), objects, prototypes)
    return postprocess(raw, dataclasses.replace(DECODER, config=config), [size], **options)[0]


def in_pixels(box: tuple[float, float, float, float], size: tuple[int, int]) -> list[float]:
    height, width = size
    return [box[0] * width, box[1] * height, box[2] * width, box[3] * height]


@pytest.mark.parametrize("size", SIZES)
def test_a_box_covers_the_part_of_the_frame_that_the_network_saw_it_in(size: tuple[int, int]):
    found = detect(size, [(BOX, {1: 0.9})])

    assert found.names == ("dog",)
    assert found.image_size == size
    np.testing.assert_allclose(found.scores, [0.9], atol=1e-5)
    np.testing.assert_allclose(found.boxes, [in_pixels(BOX, size)], atol=max(size) * 1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_a_mask_covers_what_its_prototypes_cover_and_nothing_of_the_padding(size: tuple[int, int]):
    shape = input_shape(FREE, size)
    rows, columns = (side // 4 for side in shape.content)
    # everywhere against, the padding too, but for the lower half of the second quarter of the content
    prototypes = torch.zeros(shape.padded[0] // 4, shape.padded[1] // 4, FREE.num_prototypes)
    prototypes[..., 1] = 10
    here = (slice(rows // 2, rows), slice(columns // 4, columns // 2))
    prototypes[*here] = 0
    prototypes[*here, 0] = 10
    prototypes[rows:, :, 0] = prototypes[:, columns:, 0] = 1000  # must not leak in
    raw = free_outputs(FREE, shape, [((0.0, 0.0, 1.0, 1.0), {0: 0.9})], prototypes)
    raw.mask_coefficients[..., 1] = -1

    (found,) = postprocess(raw, DECODER, [size])

    covered = np.zeros(size, bool)
    top, bottom = rows // 2 / rows * size[0], size[0]
    left, right = columns // 4 / columns * size[1], columns // 2 / columns * size[1]
    covered[round(top) : bottom, round(left) : round(right)] = True
    assert found.masks.shape == (1, *size)
    wrong = found.masks[0] ^ covered
    # no more than a line of pixels along the edges that are inside of the frame
    assert wrong.sum() <= 1.1 * (bottom - top) * 2 + (right - left)


@pytest.mark.parametrize("size", [WIDE, TALL])
def test_what_is_found_in_the_padding_is_of_no_frame(size: tuple[int, int]):
    shape = input_shape(FREE, size)
    padding = make_cells(shape)[:, :2].amax(dim=1) > 1
    raw = free_outputs(FREE, shape, [(BOX, {1: 0.6})])
    raw.class_logits[0, padding] = 5.0  # sure of everything

    (found,) = postprocess(raw, DECODER, [size])

    assert bool(padding.any())
    assert found.names == ("dog",)


def test_a_box_that_reaches_into_the_padding_ends_with_the_frame():
    found = detect(WIDE, [((0.25, 0.5, 0.5, 1.2), {1: 0.9})])
    np.testing.assert_allclose(found.boxes, [in_pixels(BOX, WIDE)], atol=0.1)


def test_a_frame_of_one_line_has_masks_of_one_line():
    found = detect((1, 300), [((0.2, 0.0, 0.6, 1.0), {2: 0.9})])

    assert found.names == ("bird",)
    assert found.masks.shape == (1, 1, 300)
    assert 100 <= int(found.masks.sum()) <= 180


def test_frames_of_one_shape_are_one_batch_whatever_their_sizes_and_others_are_refused():
    shape = input_shape(FREE, WIDE)
    one = free_outputs(FREE, shape, [(BOX, {1: 0.9})])
    two = RawOutputs._make(None if part is None else torch.cat([part, part]) for part in one)

    found = postprocess(two, DECODER, [WIDE, (720, 1280)])

    for size, detections in zip((WIDE, (720, 1280)), found, strict=True):
        np.testing.assert_allclose(detections.boxes, [in_pixels(BOX, size)], atol=0.2)
    with pytest.raises(ValueError, match="frames of one batch are of one shape"):
        postprocess(two, DECODER, [WIDE, TALL])


def test_where_frames_are_stretched_outputs_and_decoder_are_taken_as_they_are():
    decoder = sparse_decoding()
    raw = raw_outputs(decoder, [])
    assert for_frames(raw, decoder, WIDE) == (raw, decoder)


def test_boxes_alone_are_found_without_prototypes():
    shape = input_shape(FREE, TALL)
    raw = free_outputs(FREE, shape, [(BOX, {1: 0.9})])._replace(prototypes=None)

    (found,) = postprocess(raw, DECODER, [TALL])

    assert not found.has_masks
    np.testing.assert_allclose(found.boxes, [in_pixels(BOX, TALL)], atol=0.1)


def with_thresholds(config: YolactConfig, *thresholds: float) -> YolactConfig:
    detection = dataclasses.replace(config.detection, class_thresholds=thresholds)
    return dataclasses.replace(config, detection=detection)


THREE = [
    ((0.0, 0.0, 0.3, 1.0), {0: 0.5}),
    ((0.35, 0.0, 0.6, 1.0), {1: 0.5}),
    ((0.7, 0.0, 1.0, 1.0), {2: 0.2}),
]


@pytest.mark.parametrize(
    ("thresholds", "options", "names"),
    [
        ((), {}, {"cat", "dog"}),  # 0.3 for all
        ((0.6, 0.4, 0.1), {}, {"dog", "bird"}),
        ((0.6, 0.6, 0.1), {}, {"bird"}),
        ((0.6, 0.4, 0.1), {"classes": (0, 1)}, {"dog"}),
        ((0.6, 0.4, 0.1), {"classes": (2,)}, {"bird"}),
        ((0.6, 0.4, 0.1), {"score_threshold": 0.45}, {"cat", "dog"}),
        ((0.9, 0.9, 0.9), {"score_threshold": 0.1}, {"cat", "dog", "bird"}),
    ],
)
def test_each_class_has_the_weights_own_threshold_unless_one_is_asked_for(
    thresholds: tuple[float, ...], options: dict[str, Any], names: set[str]
):
    found = detect(WIDE, THREE, config=with_thresholds(FREE, *thresholds), **options)
    assert set(found.names) == names


def test_thresholds_of_classes_count_for_networks_with_anchors_too():
    decoder = sparse_decoding()
    decoder = dataclasses.replace(decoder, config=with_thresholds(decoder.config, 0.6, 0.4, 0.1))
    (found,) = postprocess(raw_outputs(decoder, THREE), decoder, [WIDE])
    assert set(found.names) == {"dog", "bird"}


def test_a_scale_lowers_the_threshold_of_every_class():
    config = with_thresholds(FREE, 0.6, 0.4, 0.1)
    outputs = free_outputs(config, input_shape(config, WIDE), THREE)
    raw, decoder = for_frames(outputs, dataclasses.replace(DECODER, config=config), WIDE)
    found = find(raw, decoder, DetectOptions(threshold_scale=0.75))
    assert set(found.classes[found.valid].tolist()) == {0, 1, 2}


def test_the_shortcut_on_the_cpu_finds_what_looking_at_every_row_finds(monkeypatch: pytest.MonkeyPatch):
    from model.detection import postprocessing

    generator = torch.Generator().manual_seed(0)
    shape = input_shape(FREE, WIDE)
    rows = len(make_cells(shape))
    raw = RawOutputs(
        torch.rand(2, rows, 4, generator=generator) * 4,
        torch.randn(2, rows, 3, generator=generator) * 2 - 2,
        torch.randn(2, rows, FREE.num_prototypes, generator=generator).tanh(),
        torch.rand(2, shape.padded[0] // 4, shape.padded[1] // 4, FREE.num_prototypes, generator=generator),
    )
    decoder = dataclasses.replace(DECODER, config=with_thresholds(FREE, 0.5, 0.3, 0.7))

    short = postprocess(raw, decoder, [WIDE, WIDE])
    monkeypatch.setattr(postprocessing, "_promising", lambda *_: torch.arange(rows))
    full = postprocess(raw, decoder, [WIDE, WIDE])

    for a, b in zip(short, full, strict=True):
        assert len(a) > 5
        np.testing.assert_array_equal(a.boxes, b.boxes)
        np.testing.assert_array_equal(a.classes, b.classes)
        np.testing.assert_array_equal(a.masks, b.masks)
