"""Tracking of what networks find, and of whole detections."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from model.detection.postprocessing import Found, add_masks, to_detections
from model.detection.raw_outputs import RawOutputs
from model.detections import MaskCrop
from model.errors import ConfigError
from model.options import DetectOptions
from pipeline.detectors.device_following import DeviceFollower
from pipeline.frame import Frame
from pipeline.tracking.base import KEEP
from pipeline.tracking.following import (
    DetectionsFollower,
    make_detections_follower,
    masks_on_grid,
)
from pipeline.tracking.options import STABILISE_KINDS, FollowOptions
from tests.pipeline.tracking.device_followers import make_device_follower
from tests.pipeline.tracking.tracker_inputs import SIZE, Box, box_at, detections, frame_at
from tests.small_networks import decoding

HEIGHT, WIDTH = SIZE
OPTIONS = DetectOptions(score_threshold=0.3)
THRESHOLDS = (0.3, 0.3, 0.3)  # of each class
CELLS = (30, 50)
LIGHT = FollowOptions(stabilise="light")


def raw(images: int = 1) -> RawOutputs:
    """Two prototypes: everything to the left of the middle, and everything to the right."""
    prototypes = torch.zeros(images, *CELLS, 2)
    prototypes[:, :, : CELLS[1] // 2, 0] = prototypes[:, :, CELLS[1] // 2 :, 1] = 1
    nothing = torch.zeros(images, 0)
    return RawOutputs(nothing, nothing, nothing, prototypes)


def found(*boxes: Box, scores: list[float] | None = None, with_masks: bool = True, empty: int = 0) -> Found:
    """One image with these boxes, masks that fill them, and `empty` places at the end."""
    count = len(boxes)
    corners = torch.tensor(boxes, dtype=torch.float32).view(count, 4) / torch.tensor([WIDTH, HEIGHT] * 2)
    said = torch.tensor([0.9] * count if scores is None else scores)
    pad = torch.nn.functional.pad
    rated = pad(said, (0, empty))[None]
    return Found(
        boxes=pad(corners, (0, 0, 0, empty))[None],
        scores=rated,
        box_scores=rated,
        classes=torch.zeros(1, count + empty, dtype=torch.int64),
        valid=(torch.arange(count + empty) < count)[None],
        coefficients=torch.full((1, count + empty, 2), 5.0) if with_masks else None,
        masks=None,
        bounds=None,
    )


def follow(
    follower: DeviceFollower, frame: Frame, here: Found, options: DetectOptions = OPTIONS
) -> list[int]:
    after = follower(here, raw(), options.thresholds(decoding().config), [frame])
    return to_detections(add_masks(after, raw(), decoding(), options), [frame.size], ("a", "b", "c"))[
        0
    ].track_ids.tolist()


@pytest.fixture
def follower() -> DeviceFollower:
    return make_device_follower(FollowOptions())


@pytest.fixture(params=STABILISE_KINDS)
def either(request: pytest.FixtureRequest) -> FollowOptions:
    return FollowOptions(stabilise=request.param)


def test_what_is_found_gets_ids_that_stay(either: FollowOptions):
    one = make_device_follower(either)
    for i in range(4):
        assert follow(one, frame_at(i), found(box_at(40 + i), box_at(150), empty=2)) == [0, 1]
    assert follow(one, frame_at(4), found(box_at(150), box_at(90), box_at(44))) == [1, 2, 0]


def test_without_stabilising_nothing_but_the_ids_is_new(follower: DeviceFollower):
    assert follower.widened(OPTIONS).threshold_scale == KEEP
    for i in range(3):
        before = found(box_at(40 + 5 * i), box_at(150 - i), scores=[0.8, 0.4], empty=1)
        after = follower(before, raw(), THRESHOLDS, [frame_at(i)])
        for name, part in before._asdict().items():
            if name != "track_ids":
                np.testing.assert_array_equal(getattr(after, name), part, err_msg=name)
        assert after.track_ids.tolist() == [[0, 1, -1]]


def test_boxes_alone_are_followed_too(either: FollowOptions):
    one = make_device_follower(either)
    for i in range(3):
        here = found(box_at(40 + i), box_at(150), with_masks=False)
        after = one(here, raw()._replace(prototypes=None), THRESHOLDS, [frame_at(i)])
        assert after.track_ids.tolist() == [[0, 1]]
        assert after.coefficients is None


def test_a_batch_is_its_frames_one_after_another(either: FollowOptions):
    founds = [found(box_at(40 + 4 * i), box_at(150 - 3 * i), scores=[0.9, 0.5 + i / 10]) for i in range(4)]
    frames = [frame_at(i) for i in range(4)]
    one, other = make_device_follower(either), make_device_follower(either)
    single = [one(here, raw(), THRESHOLDS, [frame]) for here, frame in zip(founds, frames, strict=True)]
    both = Found._make(None if parts[0] is None else torch.cat(parts) for parts in zip(*founds, strict=True))
    together = other(both, raw(4), THRESHOLDS, frames)
    for name in ("boxes", "valid", "classes", "coefficients", "track_ids"):
        expected = torch.cat([getattr(after, name) for after in single])
        np.testing.assert_array_equal(getattr(together, name), expected, err_msg=name)


def test_an_empty_frame_is_nothing_special(either: FollowOptions):
    one = make_device_follower(either)
    ids = [
        follow(one, frame_at(i), found(*boxes))
        for i, boxes in enumerate([[], [box_at(40)], [], [], [box_at(41)]])
    ]
    assert ids == [[], [0], [], [], [0]]


def test_a_track_goes_on_with_less_than_it_takes_to_begin_one(either: FollowOptions):
    one = make_device_follower(either)
    widened = one.widened(OPTIONS)
    lowered = 0.3 * KEEP
    assert widened.thresholds(decoding().config) == pytest.approx([lowered] * 3)
    assert dataclasses.replace(widened, threshold_scale=1.0) == OPTIONS
    weak = [0.9, 0.2]
    assert follow(one, frame_at(0), found(box_at(40), box_at(150), scores=weak)) == [0]
    assert follow(one, frame_at(1), found(box_at(150), box_at(40), scores=weak)) == [1, 0]
    assert follow(one, frame_at(2), found(box_at(40), box_at(90), scores=[0.25, 0.2])) == [0]


def test_smoothed_boxes_and_coefficients_lie_between_what_was_and_what_is():
    one = make_device_follower(FollowOptions(stabilise="strong"))
    first, second = found(box_at(100)), found(box_at(101))
    second = second._replace(coefficients=second.coefficients + 0.5)
    one(first, raw(), THRESHOLDS, [frame_at(0)])
    after = one(second, raw(), THRESHOLDS, [frame_at(1)])
    for name in ("boxes", "coefficients"):
        before, now, smoothed = (getattr(each, name) for each in (first, second, after))
        moved = before != now
        share = (smoothed - before)[moved] / (now - before)[moved]
        assert moved.any()
        assert ((share > 0.05) & (share < 0.95)).all()


@pytest.mark.parametrize("name", ["cut", "back", "size", "gap"])
def test_every_track_ends_where_the_scene_does(either: FollowOptions, name: str):
    then = {
        "cut": frame_at(51, grey=230),
        "back": frame_at(22),
        "size": frame_at(51, size=(HEIGHT, WIDTH + 2)),
        "gap": frame_at(76),
    }[name]
    one = make_device_follower(either)
    for i in range(48, 51):
        assert follow(one, frame_at(i), found(box_at(40), box_at(150))) == [0, 1]
    last = found(box_at(41), box_at(150))
    after = one(last, raw(), THRESHOLDS, [then])
    assert after.track_ids.tolist() == [[2, 3]]
    # nothing is left of what was smoothed before
    np.testing.assert_allclose(after.boxes, last.boxes, atol=1e-6)
    np.testing.assert_array_equal(after.coefficients, last.coefficients)


def test_a_frame_that_comes_again_goes_on_and_so_does_one_that_is_stepped_back_to(follower: DeviceFollower):
    for i in (0, 1, 1, 1, 2, 1, 0, 1):
        assert follow(follower, frame_at(i), found(box_at(40 + i))) == [0]


def test_ids_go_on_with_other_options_and_smoothing_begins_anew():
    one = make_device_follower(FollowOptions(stabilise="strong"))
    assert follow(one, frame_at(0), found(box_at(40))) == [0]
    one.change(FollowOptions(stabilise="light"))
    here = found(box_at(43))
    after = one(here, raw(), THRESHOLDS, [frame_at(1)])
    assert after.track_ids.tolist() == [[0]]
    np.testing.assert_allclose(after.boxes, here.boxes, atol=1e-6)
    one.change(FollowOptions())
    with pytest.raises(ConfigError, match="very"):
        one.change(FollowOptions(stabilise="very"))


def test_boxes_that_are_not_finite_do_not_spread():
    one = make_detections_follower(LIGHT)
    for i in range(3):
        here = detections([box_at(40), box_at(150)])
        boxes = here.boxes.copy()
        boxes[1] = np.nan
        after = one(dataclasses.replace(here, boxes=boxes), frame_at(i), 0.3)
        assert after.track_ids.tolist() == [0, -1]
        assert np.isfinite(after.boxes[0]).all()


def test_whole_detections_are_followed_and_come_out_as_they_went_in(either: FollowOptions):
    one: DetectionsFollower = make_detections_follower(either)
    for i in range(3):
        here = detections([box_at(40), box_at(150)], scores=[0.9, 0.4])
        after = one(here, frame_at(i), 0.3)
        assert after.track_ids.tolist() == [0, 1]
        np.testing.assert_allclose(after.boxes, here.boxes, atol=1e-3)
        np.testing.assert_array_equal(after.scores, here.scores)
        np.testing.assert_array_equal(after.masks, here.masks)


def test_whole_detections_without_masks_are_followed(either: FollowOptions):
    one = make_detections_follower(either)
    for i in range(3):
        after = one(detections([box_at(40 + i)], with_masks=False), frame_at(i), 0.3)
        assert (after.track_ids.tolist(), after.crops) == ([0], None)


def test_weak_detections_are_dropped_unless_they_continue_a_track():
    one = make_detections_follower(LIGHT)
    told = [
        one(detections([box_at(40), box_at(150)], scores=scores), frame_at(i), 0.3).track_ids.tolist()
        for i, scores in enumerate([[0.9, 0.2], [0.2, 0.2], [0.2, 0.31]])
    ]
    assert told == [[0], [0], [0, 1]]


def test_masks_of_detections_move_with_their_boxes_and_stay_within_the_frame():
    one = make_detections_follower(FollowOptions(stabilise="strong"))
    for i in range(12):
        after = one(detections([box_at(30 + i % 2, 60)]), frame_at(i), 0.3)
        box, area = after.boxes[0], after.crops[0].area
        assert area == pytest.approx(30 * 60, rel=0.1)
        assert (box >= 0).all()
        rows, columns = np.nonzero(after.masks[0])
        assert columns.mean() + 0.5 == pytest.approx((box[0] + box[2]) / 2, abs=0.6)
        assert rows.mean() + 0.5 == pytest.approx(60, abs=0.6)


@pytest.mark.parametrize("size", [(120, 200), (480, 641), (1080, 1920), (7, 900)])
def test_coarse_masks_are_the_pixels_of_a_grid_over_the_frame(size: tuple[int, int]):
    rng = np.random.default_rng(0)
    whole = rng.random((6, *size)) > 0.5
    crops = []
    for mask in whole:
        y, x = (int(rng.integers(0, side)) for side in size)
        h, w = int(rng.integers(0, size[0] - y + 1)), int(rng.integers(0, size[1] - x + 1))
        outside = np.ones(size, dtype=bool)
        outside[y : y + h, x : x + w] = False
        mask[outside] = False
        crops.append(MaskCrop(x, y, mask[y : y + h, x : x + w]))
    step = -(-max(size) // 160)
    coarse = masks_on_grid(crops, size)
    assert max(coarse.shape[1:]) <= 160
    np.testing.assert_array_equal(coarse, whole[:, step // 2 :: step, step // 2 :: step])
