from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from model.predictor import Predictor
from pipeline.builder import Side, build_side_by_side
from pipeline.detectors.base import Pending
from pipeline.detectors.paired import PairedDetector
from pipeline.detectors.plain import PlainDetector
from pipeline.frame import Frame, Result
from pipeline.metrics.run import Metrics
from pipeline.overlay.draw import OverlayStyle
from pipeline.overlay.side_by_side import compose
from pipeline.overlay.side_by_side_paint import SideBySidePaint, score_line
from pipeline.runner import RunState
from pipeline.sinks.other_side import OtherSide
from pipeline.stability.meter import StabilityMeter
from pipeline.stability.pair_score import RECENT, SideMeter
from pipeline.stages import RunOptions
from pipeline.tracking.following import make_detections_follower
from pipeline.tracking.options import FollowOptions
from tests.pipeline.detector_checks import Spans, results
from tests.pipeline.moving_squares import SIZE, FindsSquares, SquaresSource, frames
from tests.pipeline.small_engines import small_predictor
from tests.pipeline.standins import Detector, Sink
from tests.sees_red import predictor_that_sees_red

CPU = torch.device("cpu")
FOLLOW = FollowOptions()


def plain(shake: int = 0, metrics: Metrics | None = None) -> PlainDetector:
    follower = make_detections_follower(FOLLOW)
    return PlainDetector(FindsSquares(shake), metrics or Metrics(), follower)


def compared(count: int = 8, shake: int = 2, speed: int = 1) -> list[Result]:
    return results(PairedDetector(plain(), plain(shake)), frames(count, speed=speed))


class Trace(Spans):
    """Of a whole run."""

    def queue(self, name: str, depth: int) -> None: ...

    def drop(self, name: str, count: int) -> None: ...


# --- the detector


@pytest.mark.parametrize("in_turn", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
def test_both_sides_are_what_each_detector_finds_alone_in_the_same_frame(in_turn, batch):
    shown = frames(7)
    together = PairedDetector(plain(), plain(shake=2), in_turn)
    alone, shaken = results(plain(), shown), results(plain(shake=2), shown)

    done = results(together, shown, batch)

    assert [result.frame for result in done] == shown
    for result, left, right in zip(done, alone, shaken, strict=True):
        np.testing.assert_array_equal(result.detections.boxes, left.detections.boxes)
        np.testing.assert_array_equal(result.detections.track_ids, left.detections.track_ids)
        assert result.other is not None
        np.testing.assert_array_equal(result.other.boxes, right.detections.boxes)
        np.testing.assert_array_equal(result.other.masks, right.detections.masks)
        np.testing.assert_array_equal(result.other.track_ids, right.detections.track_ids)


def test_as_many_batches_are_on_their_way_as_both_sides_take():
    left, right = Detector(slots=3), Detector(slots=2)
    both = PairedDetector(left, right)
    assert both.slots == 2
    results(both, frames(6))
    assert left.most_pending == right.most_pending == 2
    assert PairedDetector(Detector(slots=3), Detector(slots=3), in_turn=True).slots == 1


@pytest.mark.parametrize(("slots", "in_turn"), [(2, True), (1, False)])
def test_in_turn_the_right_side_begins_when_the_left_one_is_done(slots, in_turn):
    told: list[str] = []

    class Telling:
        def __init__(self, name: str) -> None:
            self.slots, self.name = slots, name

        def submit(self, batch: list[Frame]) -> Pending:
            told.append(f"{self.name} begins")

            def collect() -> list[Result]:
                told.append(f"{self.name} is done")
                return Detector().submit(batch)()

            return collect

    results(PairedDetector(Telling("left"), Telling("right"), in_turn), frames(1))
    assert told == ["left begins", "left is done", "right begins", "right is done"]


def test_results_of_different_frames_are_never_put_together():
    class Late(Detector):
        def submit(self, batch: list[Frame]) -> Pending:
            return super().submit([dataclasses.replace(frame, index=frame.index + 1) for frame in batch])

    with pytest.raises(AssertionError, match="frames 0 and 1 do not pair"):
        results(PairedDetector(Detector(), Late()), frames(1))


def test_the_timings_are_those_of_both_sides():
    (result,) = results(PairedDetector(plain(), plain()), frames(1))
    (left,) = results(plain(), frames(1))
    assert set(result.timings) == set(left.timings) == {"forward", "track"}


# --- a run


def run(
    left: Side,
    right: Side,
    sinks: list[Sink],
    count: int = 12,
    metrics: Metrics | None = None,
    live: bool = False,
):
    paint = SideBySidePaint(("left", "right"), OverlayStyle())
    runner = build_side_by_side(
        lambda _: SquaresSource(count, live), left, right, paint, sinks, RunOptions(batch=2), metrics
    )
    runner.start()
    return runner.join(30)


def test_a_run_loses_no_frame_and_gives_each_sink_its_side():
    everything, others = Sink(), Sink()
    report = run(Side(FindsSquares(), FOLLOW), Side(FindsSquares(1), FOLLOW), [everything, OtherSide(others)])

    assert report is not None
    assert report.state is RunState.FINISHED
    assert everything.indices == others.indices == list(range(12))
    assert others.closed == [True]
    assert others.info is everything.info
    for one, other in zip(everything.results, others.results, strict=True):
        assert other.detections is one.other
        assert other.annotated is None
        assert other.other is None
        assert one.annotated is not None


def test_a_camera_is_compared_as_a_file_is_but_for_the_frames_that_it_drops():
    sink = Sink()
    report = run(Side(FindsSquares(), FOLLOW), Side(FindsSquares(), FOLLOW), [sink], live=True)
    assert report is not None
    assert report.error is None
    assert sink.indices == sorted(set(sink.indices))
    for result in sink.results:
        assert result.other is not None
        np.testing.assert_array_equal(result.other.masks, result.detections.masks)


def test_two_sides_on_one_engine_share_what_its_network_says():
    predictor = small_predictor(CPU, torch.clone)
    begun: list[int] = []
    start = predictor.engine.start
    predictor.engine.start = lambda images: (begun.append(len(images)), start(images))[1]
    scores = np.concatenate([found.scores for found in predictor([frame.image for frame in frames(6)])])
    middle = float(np.median(scores))
    sink = Sink()
    begun.clear()

    report = run(
        Side(predictor, FOLLOW), Side(predictor.with_options(score_threshold=middle), FOLLOW), [sink], 6
    )

    assert report is not None
    assert report.error is None
    assert begun == [2, 2, 2]
    for result in sink.results:
        assert result.other is not None
        assert (result.other.scores > middle).all()
        assert len(result.other) == np.count_nonzero(result.detections.scores > middle)
    assert any((result.detections.scores <= middle).any() for result in sink.results)


def test_the_last_batch_may_hold_fewer_frames_where_two_sides_share_an_engine():
    predictor, sink = small_predictor(CPU, torch.clone), Sink()
    report = run(Side(predictor, FOLLOW), Side(predictor.with_options(nms="exact"), FOLLOW), [sink], 5)
    assert report is not None
    assert report.error is None
    assert sink.indices == list(range(5))


def test_two_engines_have_rows_of_their_own_in_a_trace():
    spans = Trace()
    left, right = (Side(small_predictor(CPU, torch.clone), FOLLOW) for _ in range(2))
    run(left, right, [Sink()], 4, Metrics(spans))
    forward = {span.thread for span in spans.spans if span.stage == "forward"}
    assert forward == {"engine", "engine, right side"}


def test_yolact_and_any_other_predictor_can_be_compared():
    sink = Sink()
    yolact = predictor_that_sees_red()
    assert isinstance(yolact, Predictor)
    report = run(Side(yolact, FOLLOW), Side(FindsSquares(), FOLLOW), [sink], 3)
    assert report is not None
    assert report.error is None
    assert len(sink.results) == 3


# --- the score


def test_the_running_score_agrees_with_the_meter_at_the_end():
    score, meter = SideMeter(), StabilityMeter()
    for result in compared(30):
        assert result.other is not None
        score.add(result.frame, result.other)
        meter.add(result.frame.image, result.other, float(result.frame.time))
    assert score.mean == pytest.approx(meter.summary().jitter)
    assert score.summary() == meter.summary()
    assert score.mean is not None
    assert score.mean > 0.1


def test_lately_means_the_last_two_seconds_alone():
    score = SideMeter()
    still, shaken = (results(plain(shake), frames(6, speed=0)) for shake in (0, 2))

    def add(result: Result, time: int) -> None:
        score.add(dataclasses.replace(result.frame, pts=time), result.detections)

    for time, result in enumerate(shaken):
        add(result, time)
    assert score.recent == pytest.approx(score.mean)
    for time, result in enumerate(still):
        add(result, int(25 * (RECENT + 1)) + time)
    assert score.recent is not None
    assert score.mean is not None
    assert score.recent < 0.05 < 0.1 < score.mean


def test_there_is_no_score_before_there_are_two_frames():
    score = SideMeter()
    (result,) = compared(1)
    assert score.recent is score.mean is None
    score.add(result.frame, result.detections)
    assert score.recent is score.mean is None
    assert "-----" in score_line(score)


# --- the picture


def test_the_still_side_scores_better_and_both_scores_are_written_below():
    paint = SideBySidePaint(("stabilise light", "stabilise off"), OverlayStyle())
    done = [paint(result, 25.0) for result in compared(10, speed=0)]
    left, right = paint.summaries()
    assert left.frames == right.frames == 10
    assert left.jitter is not None
    assert right.jitter is not None
    assert left.jitter < 0.01 < 0.1 < right.jitter
    assert all(result.annotated is not None for result in done)
    assert len({result.annotated.shape for result in done}) == 1
    height = SIZE[0]
    for result in done:
        # the picture's own corner, which nothing is drawn on, is the frame's on both sides
        for start in (0, result.annotated.shape[1] // 2 + 2):
            corner = result.annotated[height - 4 : height, start : start + 20]
            np.testing.assert_array_equal(corner, result.frame.image[-4:, :20])


def test_an_instance_that_both_sides_have_found_has_one_colour():
    (result,) = compared(1, shake=0)
    assert result.other is not None
    swapped = dataclasses.replace(result.other, track_ids=np.array([7, 3]))
    paint = SideBySidePaint(("", ""), OverlayStyle(labels=False))
    same = paint(dataclasses.replace(result, other=swapped), 0.0)
    half = same.annotated.shape[1] // 2
    height = SIZE[0]
    assert np.array_equal(
        same.annotated[:height, : SIZE[1]], same.annotated[:height, half + 2 : half + 2 + SIZE[1]]
    )


def test_the_frame_rate_is_drawn_once():
    (result,) = compared(1, shake=0)
    bare, told = (
        SideBySidePaint(("a", "a"), OverlayStyle(), show_fps)(result, 25.0).annotated
        for show_fps in (False, True)
    )
    changed = np.flatnonzero((bare != told).any(axis=(0, 2)))
    assert len(changed)
    assert changed.max() < bare.shape[1] // 2


def test_wide_frames_stand_above_each_other():
    (result,) = compared(1)
    image = result.frame.image[:30]
    assert result.other is not None

    def low(found):
        return dataclasses.replace(found.select([]), image_size=(30, 80))

    wide = Result(
        dataclasses.replace(result.frame, image=image), low(result.detections), other=low(result.other)
    )
    picture = SideBySidePaint(("a", "b"), OverlayStyle())(wide, 0.0).annotated
    assert picture.shape[1] == 80
    np.testing.assert_array_equal(picture[:30], image)
    below = picture.shape[0] // 2 + 2
    np.testing.assert_array_equal(picture[below : below + 30], image)


def test_without_masks_or_tracks_there_is_nothing_to_measure():
    (result,) = compared(1)
    for missing in ("track_ids", "crops"):
        other = dataclasses.replace(result.other, **{missing: None})
        with pytest.raises(ValueError, match=r"tracks|masks"):
            SideBySidePaint(("a", "b"), OverlayStyle())(dataclasses.replace(result, other=other), 0.0)


def test_composing_is_what_is_painted():
    (result,) = compared(1)
    painted = SideBySidePaint(("a", "a"), OverlayStyle())(result, 0.0).annotated
    half = (painted.shape[1] - 4) // 2
    np.testing.assert_array_equal(compose(painted[:, :half], painted[:, half + 4 :]), painted)
