"""People who cross: their boxes overlap, their masks do not."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from pipeline.tracking.base import TrackerInput
from pipeline.tracking.bytetrack import ByteTrack
from tests.pipeline.tracking.tracker_inputs import SIZE, Box, box_at, tracker_input, wedge
from tests.source_tree import ROOT

MEET = 12  # the frame in which their boxes are the same


def met_and_turned(i: int) -> tuple[Box, Box]:
    """Two people who walk up to each other and turn back when they have met."""
    way = 5.0 * abs(i - MEET)
    return box_at(100 - way, 60, 50, 80), box_at(100 + way, 60, 50, 80)


def met_and_passed(i: int) -> tuple[Box, Box]:
    """Two people who walk past each other, and stand close for a moment."""
    way = float(np.sign(i - MEET)) * 5.0 * max(abs(i - MEET) - 3, 0)
    return box_at(100 + way, 60, 50, 80), box_at(100 - way, 60, 50, 80)


def told(tracker: ByteTrack, way: object, with_masks: bool = True) -> list[list[int]]:
    """The ids of the two in each frame; their order in the frames changes all the time."""
    ids = []
    for i in range(2 * MEET + 1):
        boxes = way(i)
        masks = np.array([wedge(box, lower) for box, lower in zip(boxes, (True, False), strict=True)])
        order = [0, 1] if i % 2 else [1, 0]
        seen = TrackerInput(
            SIZE,
            np.array(boxes, np.float32)[order],
            np.full(2, 0.9, np.float32),
            masks[order] if with_masks else None,
            i / 25,
        )
        found = tracker.update(seen, 0.3)
        ids.append(found[np.argsort(order)].tolist())
    return ids


@pytest.mark.parametrize("way", [met_and_turned, met_and_passed])
def test_ids_survive_a_meeting_where_masks_tell_people_apart_and_boxes_alone_confuse_them(way: object):
    with_masks = told(ByteTrack(), way)
    by_boxes = told(ByteTrack(mask_share=0), way)

    assert with_masks == [with_masks[0]] * len(with_masks)
    assert by_boxes[-1] == by_boxes[0][::-1]
    assert by_boxes == told(ByteTrack(), way, with_masks=False)


@pytest.mark.parametrize(("score", "expected"), [(0.9, 0), (0.2, -1)])
def test_the_weak_continue_a_track_only_where_it_is(score: float, expected: int):
    tracker = ByteTrack()
    tracker.update(tracker_input([box_at(60)]), 0.3)
    # 30 wide, and 20 aside: an IoU of 0.2
    assert tracker.update(tracker_input([box_at(80)], [score], 0.04), 0.3).tolist() == [expected]


def test_nothing_of_the_library_is_loaded_before_it_is_needed():
    code = """
import sys
import pipeline.tracking.options, pipeline.tracking.base
assert not {"torch", "cv2"} & set(sys.modules)
import pipeline.builder
from pipeline.tracking.following import make_follower
assert not {"trackers", "supervision", "scipy", "scenedetect"} & set(sys.modules)
make_follower(pipeline.tracking.options.FollowOptions())
assert {"trackers", "scenedetect"} <= set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
