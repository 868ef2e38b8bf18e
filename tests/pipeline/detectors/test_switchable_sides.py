"""Both sides of a comparison in every frame, and frames that come again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from time import monotonic

import numpy as np
import pytest
import torch
from torch import Tensor

from model.detection.raw_outputs import RawOutputs
from model.detections import Detections
from model.options import DetectOptions
from model.torch_predictor import TorchPredictor
from pipeline.detectors.switchable import SwitchableDetector
from pipeline.frame import Frame
from pipeline.metrics.run import Metrics
from pipeline.tracking.options import FollowOptions
from tests.pipeline.detector_checks import CPU, check_equal, on_host, results
from tests.pipeline.small_engines import LinearEngine, small_frames, small_predictor

FEW = DetectOptions(score_threshold=0.5, max_detections=3)


class CountingEngine(LinearEngine):
    """Remembers how often it was begun with."""

    begun = 0

    def start(self, images: Tensor) -> Callable[[], RawOutputs]:
        self.begun += 1
        return super().start(images)


def counting_predictor() -> tuple[TorchPredictor, CountingEngine]:
    plain = small_predictor(CPU, torch.clone)
    engine = CountingEngine(CPU, torch.clone)
    return TorchPredictor(engine, plain.decoder, plain.options), engine


@pytest.fixture
def detector() -> SwitchableDetector:
    return SwitchableDetector(Metrics())


def check_same(found: Detections | None, expected: Detections) -> None:
    assert found is not None
    np.testing.assert_array_equal(found.scores, expected.scores)
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    np.testing.assert_array_equal(found.masks, expected.masks)


def test_without_a_right_side_there_is_none_and_the_left_one_is_as_ever(detector: SwitchableDetector) -> None:
    frames = small_frames(3)
    detector.use(small_predictor(CPU, torch.clone))
    found = results(detector, frames)
    check_equal(found, on_host(frames))
    assert {result.other for result in found} == {None}


def test_sides_of_one_network_share_what_it_says_and_find_what_each_finds_alone(
    detector: SwitchableDetector,
) -> None:
    frames = small_frames(4)
    predictor, engine = counting_predictor()
    right = dataclasses.asdict(FEW)
    detector.use(predictor)
    detector.compare(predictor.with_options(**right))
    found = results(detector, frames)
    assert engine.begun == len(frames)
    check_equal(found, on_host(frames))
    for result, alone in zip(found, on_host(frames, options=FEW), strict=True):
        check_same(result.other, alone.detections)


def test_sides_of_two_networks_each_ask_their_own(detector: SwitchableDetector) -> None:
    frames = small_frames(3)
    (left, one), (right, other) = counting_predictor(), counting_predictor()
    detector.use(left)
    detector.compare(right.with_options(**dataclasses.asdict(FEW)))
    found = results(detector, frames)
    assert (one.begun, other.begun) == (3, 3)
    for result, alone in zip(found, on_host(frames, options=FEW), strict=True):
        check_same(result.other, alone.detections)


def test_a_comparison_ends_with_the_next_frame_and_leaves_the_left_side_its_tracks(
    detector: SwitchableDetector,
) -> None:
    predictor = small_predictor(CPU, torch.clone)
    detector.use(predictor, FollowOptions())
    frames = [again(frame, index) for index, frame in enumerate(small_frames(1) * 4)]
    ids = []
    for turn, frame in enumerate(frames):
        if turn == 1:
            detector.compare(predictor, FollowOptions(stabilise="light"))
        if turn == 3:
            detector.compare(None)
        (result,) = results(detector, [frame])
        ids.append(result.detections.track_ids.tolist())
        assert (result.other is not None) is (turn in (1, 2))
    assert ids[0] == ids[1] == ids[2] == ids[3] != []


def again(frame: Frame, index: int) -> Frame:
    """The same picture, as another frame."""
    return dataclasses.replace(frame, image=frame.image.copy(), index=index, pts=index)


def test_a_frame_that_comes_again_is_not_looked_at_again(detector: SwitchableDetector) -> None:
    (frame,) = small_frames(1)
    predictor, engine = counting_predictor()
    detector.use(predictor, FollowOptions())
    (first,) = results(detector, [frame])
    repeated = dataclasses.replace(frame, index=7, captured_at=monotonic())
    (second,) = results(detector, [repeated])
    assert engine.begun == 1
    assert second.frame is repeated
    assert second.detections is first.detections


@pytest.mark.parametrize("change", ["use", "compare", "inspect", "follow"])
def test_it_is_looked_at_again_once_anything_is_looked_for_in_another_way(
    detector: SwitchableDetector, change: str
) -> None:
    (frame,) = small_frames(1)
    predictor, engine = counting_predictor()
    detector.use(predictor, FollowOptions())
    results(detector, [frame])
    if change == "use":
        detector.use(predictor.with_options(max_detections=1), FollowOptions())
    elif change == "follow":
        detector.use(predictor, FollowOptions(stabilise="light"))
    elif change == "compare":
        detector.compare(predictor)
    else:
        detector.inspect = True
    (result,) = results(detector, [frame])
    assert engine.begun == 2
    assert (result.other is not None) is (change == "compare")
    assert (result.inspection is not None) is (change == "inspect")


def test_another_frame_of_the_same_picture_is_another_one(detector: SwitchableDetector) -> None:
    (frame,) = small_frames(1)
    predictor, engine = counting_predictor()
    detector.use(predictor)
    results(detector, [frame, dataclasses.replace(frame, pts=frame.pts + 1)])
    assert engine.begun == 2


def test_what_is_in_batches_is_compared_too(detector: SwitchableDetector) -> None:
    frames = small_frames(4)
    predictor = small_predictor(CPU, torch.clone)
    detector.use(predictor)
    detector.compare(predictor.with_options(**dataclasses.asdict(FEW)))
    found = results(detector, frames, batch=2)
    assert [result.frame for result in found] == frames
    # in batches, too: the engine's products round by their size on some processors
    for result, alone in zip(found, on_host(frames, batch=2, options=FEW), strict=True):
        check_same(result.other, alone.detections)


class Oracle:
    """Finds nothing; an `InstancePredictor` that is no network of this project."""

    class_names = ("thing",)
    score_threshold = 0.3

    def __call__(self, frames):
        from model.detections import no_detections

        return [no_detections(frame.shape[:2], self.class_names) for frame in frames]


def test_the_right_side_may_be_any_predictor(detector: SwitchableDetector) -> None:
    frames = small_frames(2)
    detector.use(small_predictor(CPU, torch.clone), FollowOptions())
    detector.compare(Oracle(), FollowOptions())  # type: ignore[arg-type]
    for result in results(detector, frames):
        assert len(result.detections) > 0
        assert result.other is not None
        assert result.other.class_names == ("thing",)


class Broken(Oracle):
    def __call__(self, frames):
        raise OSError("no memory is left")


def test_a_right_side_that_fails_ends_alone_and_is_told_once() -> None:
    told: list[Exception] = []
    detector = SwitchableDetector(Metrics(), on_failure=told.append)
    frames = small_frames(3)
    detector.use(small_predictor(CPU, torch.clone))
    detector.compare(Broken())  # type: ignore[arg-type]
    found = results(detector, frames)
    check_equal(found, on_host(frames))
    assert {result.other for result in found} == {None}
    assert [type(error) for error in told] == [OSError]


def test_what_fails_after_another_right_side_was_chosen_does_not_end_that_one() -> None:
    told: list[Exception] = []
    detector = SwitchableDetector(Metrics(), on_failure=told.append)

    class Outdated(Broken):
        def __call__(self, frames):
            detector.compare(Oracle())  # type: ignore[arg-type]
            return super().__call__(frames)

    detector.use(small_predictor(CPU, torch.clone))
    detector.compare(Outdated())  # type: ignore[arg-type]
    first, second = results(detector, small_frames(2))
    assert first.other is None
    assert second.other is not None
    assert told == []
