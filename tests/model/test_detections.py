"""The record of what was found: frozen, cropped masks, whole frames and COCO results on demand."""

import dataclasses
import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from model.detections import Detections, MaskCrop, no_detections

NAMES = ("cat", "dog")


def two_detections() -> Detections:
    return Detections(
        image_size=(6, 8),
        boxes=np.array([[1, 2, 4, 5], [5.5, 0, 8, 6]], np.float32),
        scores=np.array([0.9, 0.123456789], np.float32),
        classes=np.array([1, 0]),
        class_names=NAMES,
        crops=(MaskCrop(1, 2, np.eye(3, dtype=bool)), MaskCrop(5, 0, np.ones((6, 3), bool))),
        box_scores=np.array([0.9, 0.5], np.float32),
    )


def test_masks_are_pasted_where_their_crops_belong():
    found = two_detections()
    expected = np.zeros((2, 6, 8), bool)
    for i in range(3):
        expected[0, 2 + i, 1 + i] = True
    expected[1, :, 5:] = True

    assert found.masks.dtype == bool
    assert np.array_equal(found.masks, expected)
    assert [crop.area for crop in found.crops or ()] == [3, 18]
    assert found.names == ("dog", "cat")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_run_length_codes_decode_to_the_masks():
    found = two_detections()

    results = json.loads(json.dumps(found.to_coco()))

    decoded = np.stack([coco_mask.decode(result["segmentation"]) for result in results])
    assert np.array_equal(decoded.astype(bool), found.masks)
    assert results[0]["bbox"] == [1, 2, 3, 3]
    assert [r["category_name"] for r in results] == ["dog", "cat"]
    assert results[1]["score"] == 0.12346


def test_nothing_found_is_a_record_like_any_other():
    nothing = no_detections((6, 8), NAMES)

    assert len(nothing) == 0
    assert nothing.boxes.shape == (0, 4)
    assert nothing.masks.shape == (0, 6, 8)
    assert nothing.to_coco() == []
    assert nothing.names == ()
    assert len(nothing.select([])) == 0


def test_boxes_only_results_say_so_when_asked_for_masks():
    found = dataclasses.replace(two_detections(), crops=None)

    assert not found.has_masks
    assert "segmentation" not in found.to_coco()[0]
    assert found.select([1]).crops is None
    with pytest.raises(ValueError, match="boxes only"):
        _ = found.masks


@pytest.mark.parametrize("which", [[1, 0], np.array([1, 0]), [1], np.array([False, True])])
def test_a_selection_keeps_all_fields_together(which: list[int]):
    found = dataclasses.replace(two_detections(), track_ids=np.array([7, 8]))

    picked = found.select(which)

    assert picked.track_ids is not None
    assert picked.track_ids[0] == 8
    assert picked.names[0] == "cat"
    assert np.array_equal(picked.masks[0], found.masks[1])
    assert picked.box_scores[0] == np.float32(0.5)


def test_a_record_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        two_detections().scores = np.zeros(2)  # type: ignore[misc]


@st.composite
def crops_in_frames(draw: st.DrawFn) -> tuple[MaskCrop, int, int]:
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    y, x = draw(st.integers(0, height)), draw(st.integers(0, width))
    rows, columns = draw(st.integers(0, height - y)), draw(st.integers(0, width - x))
    bits = draw(st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns))
    return MaskCrop(x, y, np.array(bits, dtype=bool).reshape(rows, columns)), height, width


@given(crops_in_frames())
@example((MaskCrop(0, 0, np.ones((3, 4), bool)), 3, 4))
@example((MaskCrop(1, 0, np.ones((3, 2), bool)), 3, 4))
def test_a_crop_is_encoded_exactly_as_the_mask_on_its_whole_frame(placed: tuple[MaskCrop, int, int]):
    crop, height, width = placed
    found = dataclasses.replace(two_detections().select([0]), image_size=(height, width), crops=(crop,))
    expected = coco_mask.encode(np.asfortranarray(crop.paste(height, width), np.uint8))

    (result,) = found.to_coco()

    assert result["segmentation"] == {"size": [height, width], "counts": expected["counts"].decode()}


def test_encoding_a_small_mask_of_a_huge_frame_takes_no_memory_of_its_size():
    crop = MaskCrop(99_990, 39_990, np.eye(10, dtype=bool))
    found = dataclasses.replace(two_detections().select([0]), image_size=(40_000, 100_000), crops=(crop,))
    tracemalloc.start()
    try:
        found.to_coco()
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_tight_crop_is_the_same_mask_without_empty_edges():
    pixels = np.zeros((6, 9), bool)
    pixels[2:4, 3:8] = True
    pixels[3, 5] = False

    tight = MaskCrop(10, 20, pixels).tight()

    assert tight.box == (13, 22, 18, 24)
    assert (tight.paste(40, 40) == MaskCrop(10, 20, pixels).paste(40, 40)).all()


def test_an_empty_mask_has_no_box():
    assert MaskCrop(10, 20, np.zeros((6, 9), bool)).tight().box == (0, 0, 0, 0)
    assert MaskCrop(10, 20, np.zeros((0, 9), bool)).tight().pixels.shape == (0, 0)
