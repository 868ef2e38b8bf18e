"""An instance that was clicked on, and where it goes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from model.detections import Detections, MaskCrop, no_detections
from pipeline.live.painting import LivePainter
from pipeline.live.selection import instance_at, mask_iou, next_instance
from pipeline.overlay.draw import OverlayStyle, draw
from pipeline.settings import DisplaySettings
from tests.pipeline.live.scenes import SIZE, Box, disc, found, noise, result

HERE: Box = (200, 200, 400, 600)
THERE: Box = (700, 200, 900, 600)
BARE = DisplaySettings(masks=False, outlines=False, boxes=False, labels=False)


def moved(box: Box, right: float) -> Box:
    return box[0] + right, box[1], box[2] + right, box[3]


@pytest.fixture
def painter() -> LivePainter:
    return LivePainter(BARE)


def selected(painter: LivePainter, detections: Detections, at: float = 0.0) -> int | None:
    return painter(result(detections, at), 0).selected


@pytest.mark.parametrize(
    ("x", "y", "row"), [(300, 400, 0), (800.9, 400.2, 1), (550, 400, None), (201, 201, None)]
)
def test_a_click_selects_the_instance_whose_mask_is_there(x: float, y: float, row: int | None) -> None:
    assert instance_at(found([HERE, THERE]), x, y) == row


@pytest.mark.parametrize(("x", "y"), [(-1, -1), (1e9, 5), (1280, 720)])
@pytest.mark.parametrize("with_masks", [True, False])
def test_a_click_beside_the_frame_selects_nothing(x: float, y: float, with_masks: bool) -> None:
    whole = (0.0, 0.0, 1280.0, 720.0)
    assert instance_at(found([whole], with_masks=with_masks), x, y) is None


def test_of_overlapping_masks_the_one_on_top_is_selected() -> None:
    assert instance_at(found([moved(HERE, 50), HERE]), 300, 400) == 0


def test_without_masks_the_smallest_box_is_selected() -> None:
    boxes = found([(0, 0, 1280, 720), HERE], with_masks=False)
    assert instance_at(boxes, 300, 400) == 1
    assert instance_at(boxes, 10, 10) == 0


def test_the_overlap_of_masks_is_that_of_their_pixels() -> None:
    one, other = disc(HERE), disc(moved(HERE, 60))
    a, b = one.paste(*SIZE), other.paste(*SIZE)
    assert mask_iou(one, other) == pytest.approx((a & b).sum() / (a | b).sum())
    assert mask_iou(one, disc(THERE)) == 0
    assert mask_iou(MaskCrop(0, 0, np.zeros((0, 0), bool)), one) == 0


@pytest.mark.parametrize("with_masks", [True, False])
def test_a_selected_instance_is_followed_though_its_rank_changes(
    painter: LivePainter, with_masks: bool
) -> None:
    painter.select(found([HERE], with_masks=with_masks))
    for frame in range(20):
        boxes = [moved(HERE, 20 * frame), moved(THERE, -20 * frame)]
        order = [0, 1] if frame % 2 else [1, 0]
        there = found([boxes[i] for i in order], [order[0], order[1]], with_masks=with_masks)
        assert selected(painter, there, frame / 30) == order.index(0)


def test_what_was_selected_in_one_picture_is_followed_into_the_next_though_it_is_not_there_any_more(
    painter: LivePainter,
) -> None:
    shown = found([HERE])
    row = instance_at(shown, 210, 400)
    assert row is not None
    painter.select(shown.select([row]))
    later = found([THERE, moved(HERE, 30)])
    assert instance_at(later, 210, 400) is None
    assert selected(painter, later) == 1


def test_of_two_in_one_box_the_one_with_the_selected_mask_is_followed(painter: LivePainter) -> None:
    left, right = (MaskCrop(x, 200, np.ones((400, 100), bool)) for x in (200, 300))
    painter.select(found([HERE], crops=[right]))
    assert selected(painter, found([HERE, HERE], crops=[left, right])) == 1
    assert selected(painter, found([HERE, HERE], crops=[right, left])) == 0


def test_one_that_is_out_of_sight_for_less_than_a_second_is_found_again(painter: LivePainter) -> None:
    painter.select(found([HERE]))
    assert selected(painter, found([HERE]), 0.0) == 0
    assert selected(painter, found([THERE]), 0.5) is None
    assert selected(painter, found([THERE, HERE]), 0.9) == 1


def test_one_that_is_out_of_sight_for_longer_is_given_up(painter: LivePainter) -> None:
    painter.select(found([HERE]))
    assert selected(painter, found([HERE]), 0.0) == 0
    assert selected(painter, found([]), 1.1) is None
    assert selected(painter, found([HERE]), 1.2) is None


def test_another_class_in_its_place_is_not_taken_for_it(painter: LivePainter) -> None:
    painter.select(found([HERE]))
    assert selected(painter, found([HERE], [0])) == 0
    assert selected(painter, found([HERE], [1]), 0.1) is None


def tracked(*boxes: tuple[Box, int], classes: list[int] | None = None) -> Detections:
    ids = np.array([track for _, track in boxes])
    return dataclasses.replace(found([box for box, _ in boxes], classes), track_ids=ids)


def test_the_track_of_the_selected_instance_is_followed_wherever_it_goes(painter: LivePainter) -> None:
    painter.select(tracked((HERE, 3)))
    assert selected(painter, tracked((HERE, 8), (THERE, 3))) == 1
    assert selected(painter, tracked((HERE, 3), (THERE, 8), classes=[1, 0]), 0.1) == 0, "called another class"


def test_an_instance_whose_track_has_ended_is_found_again_by_where_it_is(painter: LivePainter) -> None:
    painter.select(tracked((HERE, 3)))
    assert selected(painter, tracked((THERE, 5), (moved(HERE, 10), 6))) == 1
    assert selected(painter, tracked((HERE, 9), (THERE, 6)), 0.1) == 1, "that track is its own from then on"


def test_somebody_else_who_steps_into_its_place_is_not_taken_for_it(painter: LivePainter) -> None:
    painter.select(tracked((HERE, 3)))
    assert selected(painter, tracked((HERE, 3), (THERE, 5))) == 0
    assert selected(painter, tracked((HERE, 5)), 0.1) is None
    assert selected(painter, tracked((THERE, 5), (HERE, 7)), 0.2) == 1


def test_deselecting_selects_nothing(painter: LivePainter) -> None:
    painter.select(found([HERE]))
    assert selected(painter, found([HERE])) == 0
    painter.deselect()
    assert selected(painter, found([HERE])) is None


def test_of_several_clicks_before_a_frame_the_last_one_counts(painter: LivePainter) -> None:
    painter.select(found([HERE]))
    painter.select(found([THERE]))
    assert selected(painter, found([HERE, THERE])) == 1


def test_everything_but_the_selected_instance_is_dimmed(painter: LivePainter) -> None:
    painter.select(found([HERE]))
    after = painter(result(found([HERE, THERE])), 0)
    mask = disc(HERE).paste(*SIZE)
    assert after.annotated is not None
    assert np.array_equal(after.annotated[mask], noise()[mask])
    assert np.allclose(after.annotated[~mask], noise()[~mask] * 0.4, atol=0.51)


def test_without_masks_the_box_of_the_selected_instance_stays_bright(painter: LivePainter) -> None:
    painter.select(found([HERE], with_masks=False))
    after = painter(result(found([HERE, THERE], with_masks=False)), 0)
    assert after.annotated is not None
    assert np.array_equal(after.annotated[200:600, 200:400], noise()[200:600, 200:400])
    assert after.annotated[:, 500:].mean() < 0.5 * noise()[:, 500:].mean()


def test_a_selected_instance_keeps_its_colour_and_lies_on_top() -> None:
    boxes = [HERE, moved(HERE, 60)]
    display = dataclasses.replace(BARE, masks=True)
    painter = LivePainter(display)
    painter.select(found(boxes).select([1]))
    after = painter(result(found(boxes)), 0)
    style = OverlayStyle(outlines=False, boxes=False, labels=False)
    alone = dataclasses.replace(found(boxes), track_ids=np.arange(2)).select([1])
    mask = disc(boxes[1]).paste(*SIZE)
    assert after.selected == 1
    assert after.annotated is not None
    assert np.array_equal(after.annotated[mask], draw(noise(), alone, style)[mask])
    assert after.detections.track_ids is None


def test_instances_follow_one_another_from_left_to_right_and_round_again() -> None:
    instances = found([THERE, HERE])  # the right one first
    assert [next_instance(instances, now, 1) for now in (None, 1, 0)] == [1, 0, 1]
    assert next_instance(instances, None, -1) == 0
    assert next_instance(instances, 7, 1) == 1
    assert next_instance(no_detections((4, 4), ()), None, 1) is None
