"""Runs that find instances in each frame in two ways."""

from __future__ import annotations

import numpy as np
import torch

from model.predictor import Predictor
from pipeline.builder import Side, build_side_by_side
from pipeline.metrics.run import Metrics
from pipeline.overlay.draw import OverlayStyle
from pipeline.overlay.side_by_side import SideBySidePaint
from pipeline.runner import RunState
from pipeline.sinks.other_side import OtherSide
from pipeline.stages import RunOptions
from pipeline.tracking.options import FollowOptions
from tests.pipeline.detector_checks import Spans
from tests.pipeline.moving_squares import FindsSquares, SquaresSource, frames
from tests.pipeline.small_engines import small_predictor
from tests.pipeline.standins import Sink
from tests.sees_red import predictor_that_sees_red

CPU = torch.device("cpu")
FOLLOW = FollowOptions()


class Trace(Spans):
    """Of a whole run."""

    def queue(self, name: str, depth: int) -> None: ...

    def drop(self, name: str, count: int) -> None: ...


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
