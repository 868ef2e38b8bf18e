"""Detections drawn over a frame."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.detections import Detections, MaskCrop, no_detections
from pipeline.overlay.draw import OverlayStyle, draw, font_size, line_width
from pipeline.overlay.palette import COLOUR_BLIND_SAFE

NAMES = ("person", "traffic light")
MASKS_ONLY = OverlayStyle(boxes=False, labels=False)
BOXES_ONLY = OverlayStyle(masks=False, outlines=False, labels=False)
LABELS_ONLY = OverlayStyle(masks=False, outlines=False, boxes=False)


def detections(
    size: tuple[int, int], boxes: list[tuple[float, float, float, float]], with_masks: bool = True
) -> Detections:
    """Boxes that are filled by their masks, the first one scoring best."""
    n = len(boxes)
    scores = np.linspace(0.9, 0.5, n).astype(np.float32)
    return Detections(
        image_size=size,
        boxes=np.array(boxes, np.float32).reshape(n, 4),
        scores=scores,
        classes=np.arange(n) % len(NAMES),
        class_names=NAMES,
        crops=tuple(filled(box) for box in boxes) if with_masks else None,
        box_scores=scores,
    )


def filled(box: tuple[float, float, float, float]) -> MaskCrop:
    x1, y1, x2, y2 = (int(v) for v in box)
    return MaskCrop(x1, y1, np.ones((y2 - y1, x2 - x1), bool))


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 100, np.uint8)


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """[H, W] bool, where anything was drawn."""
    return (before != after).any(axis=2)


def test_the_frame_itself_stays_as_it_was() -> None:
    frame = grey(80, 100)
    frame.flags.writeable = False
    drawn = draw(frame, detections((80, 100), [(10, 30, 60, 70)]))
    assert (frame == 100).all()
    assert drawn.dtype == np.uint8
    assert drawn.shape == frame.shape
    assert changed(frame, drawn).any()


def test_nothing_found_leaves_an_equal_copy() -> None:
    frame = grey(20, 30)
    drawn = draw(frame, no_detections((20, 30), NAMES))
    assert drawn is not frame
    assert np.array_equal(drawn, frame)


def test_the_inside_of_a_mask_is_the_frame_mixed_with_the_colour_by_alpha() -> None:
    drawn = draw(
        grey(80, 100),
        detections((80, 100), [(10, 10, 60, 70)]),
        dataclasses.replace(MASKS_ONLY, alpha=0.25),
    )
    expected = np.rint(0.75 * 100 + 0.25 * np.array(COLOUR_BLIND_SAFE[0]))
    assert np.array_equal(drawn[40, 30], expected)


def test_a_mask_is_outlined_in_the_full_colour_even_with_alpha_0() -> None:
    frame = grey(80, 100)
    drawn = draw(frame, detections((80, 100), [(10, 10, 60, 70)]), dataclasses.replace(MASKS_ONLY, alpha=0))
    for edge in (drawn[40, 10], drawn[10, 30]):
        assert tuple(edge) == COLOUR_BLIND_SAFE[0]
    assert not changed(frame, drawn)[40, 30]


def test_an_outline_is_drawn_without_its_fill() -> None:
    frame = grey(80, 100)
    style = dataclasses.replace(MASKS_ONLY, masks=False)
    drawn = draw(frame, detections((80, 100), [(10, 10, 60, 70)]), style)
    assert tuple(drawn[40, 10]) == COLOUR_BLIND_SAFE[0]
    assert not changed(frame, drawn)[40, 30]


def test_a_fill_is_drawn_without_its_outline() -> None:
    style = dataclasses.replace(MASKS_ONLY, outlines=False)
    drawn = draw(grey(80, 100), detections((80, 100), [(10, 10, 60, 70)]), style)
    assert np.array_equal(drawn[40, 10], drawn[40, 30])
    assert not (drawn[40, 30] == 100).all()


def test_a_hole_in_a_mask_is_outlined_and_left_clear() -> None:
    frame = grey(80, 100)
    ring = detections((80, 100), [(10, 10, 60, 70)])
    assert ring.crops is not None
    ring.crops[0].pixels[15:45, 10:40] = False
    drawn = draw(frame, ring, MASKS_ONLY)
    assert not changed(frame, drawn)[40, 35]
    assert tuple(drawn[24, 35]) == COLOUR_BLIND_SAFE[0]


def test_masks_touch_nothing_outside_of_their_crops() -> None:
    frame = grey(80, 100)
    drawn = draw(frame, detections((80, 100), [(20, 30, 40, 50)]), MASKS_ONLY)
    rows, columns = np.nonzero(changed(frame, drawn))
    assert (rows.min(), rows.max()) == (30, 49)
    assert (columns.min(), columns.max()) == (20, 39)


def test_where_masks_overlap_the_better_score_keeps_its_own_colour() -> None:
    size, first, second = (90, 90), (10, 10, 60, 60), (30, 30, 80, 80)
    alone = draw(grey(*size), detections(size, [first]), MASKS_ONLY)
    both = draw(grey(*size), detections(size, [first, second]), MASKS_ONLY)
    assert np.array_equal(both[45, 45], alone[45, 45])
    assert not np.array_equal(both[70, 70], alone[70, 70])


def test_instances_get_colours_of_their_own_in_the_order_of_the_palette() -> None:
    boxes = [(5.0 + 30 * i, 10.0, 25.0 + 30 * i, 30.0) for i in range(11)]
    drawn = draw(grey(40, 340), detections((40, 340), boxes), dataclasses.replace(MASKS_ONLY, alpha=1))
    colours = [tuple(drawn[20, 15 + 30 * i]) for i in range(11)]
    assert colours[:9] == list(COLOUR_BLIND_SAFE)
    assert colours[9:] == list(COLOUR_BLIND_SAFE[:2])


def test_by_class_all_instances_of_a_class_share_a_colour() -> None:
    boxes = [(5.0 + 30 * i, 10.0, 25.0 + 30 * i, 30.0) for i in range(4)]
    style = dataclasses.replace(MASKS_ONLY, alpha=1, colour_by="class")
    drawn = draw(grey(40, 140), detections((40, 140), boxes), style)
    colours = [tuple(drawn[20, 15 + 30 * i]) for i in range(4)]
    assert colours == [*COLOUR_BLIND_SAFE[:2], *COLOUR_BLIND_SAFE[:2]]


def test_a_tracked_instance_keeps_its_colour_when_its_rank_changes() -> None:
    boxes = [(5.0, 10.0, 25.0, 30.0), (35.0, 10.0, 55.0, 30.0)]
    tracked = dataclasses.replace(detections((40, 70), boxes), track_ids=np.array([7, 3]))
    style = dataclasses.replace(MASKS_ONLY, alpha=1)
    one = draw(grey(40, 70), tracked, style)
    other = draw(grey(40, 70), tracked.select([1, 0]), style)
    assert tuple(one[20, 15]) == tuple(other[20, 15]) == COLOUR_BLIND_SAFE[7]


def test_boxes_alone_are_drawn_when_there_are_no_masks() -> None:
    frame = grey(80, 100)
    drawn = draw(frame, detections((80, 100), [(10, 20, 60, 70)], with_masks=False), BOXES_ONLY)
    marked = changed(frame, drawn)
    assert marked[20, 10:60].all()
    assert marked[69, 10:60].all()
    assert marked[20:70, 10].all()
    assert marked[20:70, 59].all()
    assert not marked[25:65, 15:55].any()


def test_the_lines_of_a_box_that_fills_the_frame_are_inside_and_of_full_width() -> None:
    size = (3000, 4000)
    frame = grey(*size)
    marked = changed(frame, draw(frame, detections(size, [(0, 0, 4000, 3000)]), BOXES_ONLY))
    width = (line_width(*size) + 1) // 2
    assert width == 3
    for edge in (marked[:width], marked[-width:], marked[:, :width], marked[:, -width:]):
        assert edge.all()
    assert not marked[width:-width, width:-width].any()


def test_a_label_sits_on_its_box_or_inside_it_at_the_top_of_the_frame() -> None:
    frame = grey(200, 300)
    low = changed(frame, draw(frame, detections((200, 300), [(50, 100, 250, 180)]), LABELS_ONLY))
    high = changed(frame, draw(frame, detections((200, 300), [(50, 3, 250, 180)]), LABELS_ONLY))
    assert np.nonzero(low.any(axis=1))[0].max() == 99
    assert np.nonzero(high.any(axis=1))[0].min() == 3
    assert np.nonzero(low.any(axis=0))[0].min() == 50


def test_a_label_at_the_right_edge_is_moved_into_the_frame_whole() -> None:
    frame = grey(200, 300)
    middle = changed(frame, draw(frame, detections((200, 300), [(50, 100, 250, 180)]), LABELS_ONLY))
    edge = changed(frame, draw(frame, detections((200, 300), [(295, 100, 300, 180)]), LABELS_ONLY))
    assert edge.sum() == middle.sum()
    assert edge[:, -1].any()


def test_a_label_tells_class_and_score_apart_from_other_classes_and_scores() -> None:
    frame, one = grey(200, 300), detections((200, 300), [(50, 100, 250, 180)])
    other_class = dataclasses.replace(one, classes=np.array([1]))
    other_score = dataclasses.replace(one, scores=np.array([0.12], np.float32))
    pictures = [draw(frame, d, LABELS_ONLY) for d in (one, other_class, other_score)]
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_a_label_that_does_not_fit_into_the_frame_is_left_out() -> None:
    frame = grey(8, 12)
    assert np.array_equal(draw(frame, detections((8, 12), [(2, 2, 9, 7)]), LABELS_ONLY), frame)


def test_text_and_lines_grow_with_the_frame() -> None:
    frames = [(48, 64), (480, 640), (1080, 1920), (3000, 4000)]
    sizes, widths = [font_size(*s) for s in frames], [line_width(*s) for s in frames]
    assert sizes == sorted(set(sizes))
    assert widths == sorted(widths)
    assert widths[0] == 1
    assert widths[-1] == 6


def test_empty_crops_and_masks_without_a_pixel_draw_nothing() -> None:
    frame = grey(40, 60)
    found = detections((40, 60), [(10, 10, 10, 10), (20, 10, 20, 30), (5, 5, 15, 15)])
    assert found.crops is not None
    found.crops[2].pixels[:] = False
    assert np.array_equal(draw(frame, found, MASKS_ONLY), frame)


def test_a_frame_of_another_size_than_the_detections_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(10, 20\).*\(20, 10\)"):
        draw(grey(10, 20), no_detections((20, 10), NAMES))


def test_a_flipped_view_of_an_array_is_drawn_like_its_copy() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    found = detections((60, 80), [(10, 20, 60, 50)])
    assert np.array_equal(draw(frame[:, ::-1], found), draw(frame[:, ::-1].copy(), found))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_box_in_any_frame_down_to_one_pixel_can_be_drawn(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 90))
    boxes = []
    for _ in range(data.draw(st.integers(0, 4))):
        xs = sorted(data.draw(st.tuples(st.floats(0, width), st.floats(0, width))))
        ys = sorted(data.draw(st.tuples(st.floats(0, height), st.floats(0, height))))
        boxes.append((xs[0], ys[0], xs[1], ys[1]))
    drawn = draw(grey(height, width), detections((height, width), boxes))
    assert drawn.shape == (height, width, 3)
