"""Key frames: which frames the network looks at, and what the others get."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch

from model.detections import Detections, MaskCrop
from model.errors import ConfigError
from pipeline.detectors.base import Pending
from pipeline.detectors.build import build_detector
from pipeline.detectors.keyframes import KeyframeDetector
from pipeline.frame import Frame, Result
from pipeline.metrics.run import Metrics
from pipeline.tracking.options import FollowOptions
from tests.pipeline.detector_checks import CPU, check_equal, results
from tests.pipeline.small_engines import small_predictor

SIZE = (120, 160)


class Watched:
    """Finds one square where the picture is brightest; remembers which frames it was given, and when."""

    def __init__(self, slots: int = 1) -> None:
        self.slots = slots
        self.seen: list[int] = []
        self.open = 0
        self.most = 0

    def submit(self, frames: Sequence[Frame]) -> Pending:
        self.seen += [frame.index for frame in frames]
        self.open += 1
        self.most = max(self.most, self.open)

        def collect() -> list[Result]:
            self.open -= 1
            return [Result(frame, square_in(frame.image)) for frame in frames]

        return collect


def square_in(image: np.ndarray) -> Detections:
    mask = image[..., 2] > 200
    crop = MaskCrop(0, 0, mask).tight()
    return Detections(
        image.shape[:2],
        np.array([crop.box], np.float32),
        np.array([0.9], np.float32),
        np.array([0]),
        ("thing",),
        (crop,),
        np.array([0.9], np.float32),
    )


def picture(x: int, grey: int = 60, size: tuple[int, int] = SIZE) -> np.ndarray:
    rng = np.random.default_rng(3)
    ground = cv2.resize(rng.integers(0, grey, (15, 20, 3), np.uint8), size[::-1])
    ground[40:80, x : x + 40] = cv2.resize(rng.integers(205, 256, (5, 5, 3), np.uint8), (40, 40))
    return ground


def frame(index: int, image: np.ndarray, pts: int | None = None) -> Frame:
    return Frame(image, index, index if pts is None else pts, Fraction(1, 25), 0.0)


def moving(count: int) -> list[Frame]:
    return [frame(index, picture(40 + 2 * index)) for index in range(count)]


def keyed(inner: Watched, **options) -> KeyframeDetector:
    return KeyframeDetector(inner, FollowOptions(**options), Metrics())


def test_the_network_looks_at_every_nth_frame_and_all_frames_have_results_in_order():
    inner = Watched()
    frames = moving(8)
    found = results(keyed(inner, keyframes=3), frames)
    assert inner.seen == [0, 3, 6]
    assert [result.frame for result in found] == frames
    for result in found:
        expected = square_in(result.frame.image)
        np.testing.assert_allclose(result.detections.boxes, expected.boxes, atol=2.5)


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_no_more_is_on_its_way_than_the_detector_takes(slots: int):
    inner = Watched(slots)
    detector = keyed(inner, keyframes=2)
    assert detector.slots == 2 * slots
    # every frame is another scene, so that each one is a key frame
    frames = [frame(i, picture(40, grey=60 + 90 * (i % 2))) for i in range(9)]
    frames = [
        dataclasses.replace(one, image=one.image[:, ::-1] if one.index % 2 else one.image) for one in frames
    ]
    found = results(detector, frames)
    assert [result.frame.index for result in found] == list(range(9))
    assert len(inner.seen) > 6
    assert inner.most <= slots


@pytest.mark.parametrize("batch", [2, 3, 4])
def test_batches_have_what_single_frames_have(batch: int):
    alone = results(keyed(Watched(), keyframes=3), moving(9))
    together = results(keyed(Watched(), keyframes=3), moving(9), batch)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.detections.boxes, other.detections.boxes)
        np.testing.assert_array_equal(one.detections.masks, other.detections.masks)


@pytest.mark.parametrize("then", ["cut", "size", "back", "gap"])
def test_another_scene_is_a_key_frame_at_once(then: str):
    other = {
        "cut": frame(2, 255 - picture(44)),
        "size": frame(2, picture(44, size=(120, 180))),
        "back": frame(2, picture(44), pts=-5),
        "gap": frame(2, picture(44), pts=60),
    }[then]
    inner = Watched()
    results(keyed(inner, keyframes=5), [*moving(2), other])
    assert inner.seen == [0, 2]


def test_a_still_picture_is_not_looked_at_again_until_something_changes_or_tracks_would_end():
    inner = Watched()
    rng = np.random.default_rng(0)
    still = [
        frame(i, np.clip(picture(40).astype(int) + rng.normal(0, 3, (*SIZE, 3)), 0, 255).astype(np.uint8))
        for i in range(30)
    ]
    found = results(keyed(inner, reuse_still=True), [*still, frame(30, picture(60))])
    assert inner.seen[0] == 0
    assert inner.seen[-1] == 30
    assert 1 < len(inner.seen[:-1]) <= 4  # a track may be missed for a second
    assert all(result.detections is not None for result in found)
    assert found[3].detections is found[0].detections


def test_with_every_frame_a_key_frame_nothing_changes():
    follow = FollowOptions()
    frames = moving(4)
    network = small_predictor(CPU, torch.clone)
    detector = build_detector(network, Metrics(), follow=follow)
    assert not isinstance(detector, KeyframeDetector)
    check_equal(
        results(KeyframeDetector(detector, follow, Metrics()), frames),
        results(build_detector(network, Metrics(), follow=follow), frames),
    )


def test_key_frames_come_with_the_builder_and_ids_go_on():
    metrics = Metrics()
    detector = build_detector(small_predictor(CPU, torch.clone), metrics, follow=FollowOptions(keyframes=4))
    assert isinstance(detector, KeyframeDetector)
    found = results(detector, [frame(i, picture(40)) for i in range(6)])
    ids = [result.detections.track_ids.tolist() for result in found]
    assert len(ids[0])
    assert ids == ids[:1] * 6
    stages = {stage.stage: stage.work.count for stage in metrics.snapshot().stages}
    assert (stages["flow"], stages["forward"]) == (6, 2)


@pytest.mark.parametrize("every", [0, -1, 31])
def test_numbers_that_make_no_sense_are_refused(every: int):
    with pytest.raises(ConfigError, match="frames is a key frame"):
        FollowOptions(keyframes=every).check()


class Failing(Watched):
    def submit(self, frames: Sequence[Frame]) -> Pending:
        if len(self.seen):
            raise RuntimeError("the driver is gone")
        return super().submit(frames)


def test_what_the_detector_raises_is_raised():
    with pytest.raises(RuntimeError, match="driver"):
        results(keyed(Failing(), keyframes=2), moving(4))
