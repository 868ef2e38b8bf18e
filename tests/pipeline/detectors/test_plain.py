from __future__ import annotations

import numpy as np

from model.instance_predictor import InstancePredictor
from pipeline.detectors.plain import PlainDetector
from pipeline.metrics.run import Metrics
from pipeline.tracking.following import make_detections_follower
from pipeline.tracking.options import FollowOptions
from tests.pipeline.detector_checks import Spans, results
from tests.pipeline.moving_squares import FindsSquares, frames


def detector(
    metrics: Metrics | None = None, follow: bool = False, predictor: InstancePredictor | None = None
):
    follower = make_detections_follower(FollowOptions()) if follow else None
    return PlainDetector(predictor or FindsSquares(), metrics or Metrics(), follower)


def test_each_frame_gets_what_was_found_in_it_in_the_order_of_the_frames():
    shown = frames(5)
    done = results(detector(), shown, batch=2)
    assert [result.frame for result in done] == shown
    for result in done:
        red = (result.frame.image == (0, 0, 255)).all(axis=2)
        np.testing.assert_array_equal(result.detections.masks.any(axis=0), red)
        assert result.detections.track_ids is None


def test_batches_go_to_the_predictor_as_they_come():
    predictor = FindsSquares()
    results(detector(predictor=predictor), frames(5), batch=2)
    assert predictor.batches == [2, 2, 1]


def test_a_follower_gives_every_instance_its_track_whatever_the_batches():
    one, two = (results(detector(follow=True), frames(6), batch=batch) for batch in (1, 4))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.detections.track_ids, [0, 1])
        np.testing.assert_array_equal(b.detections.track_ids, [0, 1])


def test_a_batch_that_is_forgotten_leaves_no_trace_in_the_tracks():
    shown = frames(3)
    forgetful = detector(follow=True)
    forgetful.submit(shown[:1])  # nobody waits for it
    (result,) = forgetful.submit(shown[2:])()
    np.testing.assert_array_equal(result.detections.track_ids, [0, 1])
    assert result.frame is shown[2]


def test_the_predictors_work_counts_as_forward_and_the_followers_as_track():
    spans = Spans()
    shown = frames(4)
    done = results(detector(Metrics(spans), follow=True), shown, batch=2)
    assert {span.stage for span in spans.spans} == {"forward", "track"}
    assert sorted((span.stage, span.frame) for span in spans.spans) == [
        (stage, index) for stage in ("forward", "track") for index in range(4)
    ]
    assert all(set(result.timings) == {"forward", "track"} for result in done)
    assert all(seconds >= 0 for result in done for seconds in result.timings.values())
