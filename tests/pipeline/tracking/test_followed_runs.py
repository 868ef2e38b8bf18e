"""Tracks in what a run gives: on the CPU, on streams of a GPU that put their work off, in colour."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from model.detection.postprocessing import Found, add_masks, suppress, to_detections
from model.network.heads import MaskIoUNet
from model.options import DetectOptions
from pipeline.builder import build_runner
from pipeline.detectors.build import build_detector
from pipeline.detectors.cuda import CudaDetector
from pipeline.detectors.host import HostDetector
from pipeline.detectors.plain import PlainDetector
from pipeline.detectors.switchable import SwitchableDetector
from pipeline.frame import Frame, Result
from pipeline.metrics.run import Metrics
from pipeline.overlay.device import draw_masks
from pipeline.overlay.draw import draw
from pipeline.runner import RunState
from pipeline.tracking.options import STABILISE_KINDS, FollowOptions
from tests.pipeline import standins
from tests.pipeline.deferred_streams import LAZY, DeferredStreams, Schedule
from tests.pipeline.detector_checks import CPU, DEVICE, STYLE, check_equal, results
from tests.pipeline.small_engines import small_frames, small_predictor
from tests.pipeline.tracking.device_followers import make_device_follower
from tests.pipeline.tracking.tracker_inputs import frame_at
from tests.small_networks import decoding, raw_outputs

FOLLOW = FollowOptions()
OPTIONS = DetectOptions(score_threshold=0.2, max_detections=8)


def video(count: int, lighter: int = 0) -> list[Frame]:
    """One picture again and again, each time a little lighter if so desired, which moves what is found."""
    first = small_frames(1)[0]
    return [
        dataclasses.replace(first, image=first.image // 2 + lighter * i, index=i, pts=i) for i in range(count)
    ]


def on_host(frames: Sequence[Frame], options: FollowOptions, batch: int = 1) -> list[Result]:
    detector = build_detector(small_predictor(CPU, torch.clone), Metrics(), None, options)
    return results(detector, frames, batch)


def ids(found: Sequence[Result]) -> list[list[int]]:
    return [result.detections.track_ids.tolist() for result in found]


def test_nobody_is_followed_unless_it_is_asked_for():
    detector = build_detector(small_predictor(CPU, torch.clone), Metrics(), None)
    assert {result.detections.track_ids for result in results(detector, video(2))} == {None}
    assert "track" not in results(detector, video(1))[0].timings


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_on_the_cpu_ids_stay_however_many_frames_go_in_at_a_time(batch: int):
    found = on_host(video(6), FOLLOW, batch)
    assert len(found[0].detections) > 3
    assert ids(found) == [ids(found)[0]] * 6
    assert all(result.timings["track"] > 0 for result in found)


@pytest.mark.parametrize("stabilise", STABILISE_KINDS)
@pytest.mark.parametrize("schedule", [LAZY, Schedule(1.0, ("upload", "download"))], ids=str)
def test_on_a_gpu_the_same_is_followed_as_on_the_cpu(schedule: Schedule, stabilise: str):
    frames, options = video(5, lighter=2), FollowOptions(stabilise=stabilise)
    streams = DeferredStreams(schedule)
    predictor = small_predictor(DEVICE, streams.device.upload)
    detector = CudaDetector(predictor, Metrics(), STYLE, streams, make_device_follower(options))

    found = results(detector, frames, batch=2)

    expected = on_host(frames, options, batch=2)
    assert ids(found) == ids(expected)
    check_equal(found, expected)
    for one, other in zip(found, expected, strict=True):
        drawn = draw(other.frame.image, other.detections, STYLE).astype(int)
        # host and device disagree about a pixel now and then, of any colour
        assert (np.abs(one.annotated - drawn).max(-1) > 1).mean() < 0.003
        assert {"nms", "track", "masks"} <= set(one.timings)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("stabilise", STABILISE_KINDS)
def test_on_a_real_gpu_too(stabilise: str):
    frames, options = video(12, lighter=1), FollowOptions(stabilise=stabilise)
    predictor = small_predictor(torch.device("cuda"), lambda tensor: tensor.to("cuda"))
    found = results(build_detector(predictor, Metrics(), STYLE, options), frames, batch=2)
    expected = on_host(frames, options, batch=2)
    assert ids(found) == ids(expected)
    check_equal(found, expected)


def test_the_builder_makes_a_run_whose_results_have_tracks():
    sink = standins.Sink()
    predictor = small_predictor(CPU, torch.clone)
    runner = build_runner(lambda *_: standins.Source(6), predictor, [sink], STYLE, follow=FOLLOW)

    runner.start()
    report = runner.join(timeout=60)

    assert report is not None
    assert report.state is RunState.FINISHED, report.error
    assert [len(result.detections.track_ids) for result in sink.results] == [
        len(result.detections) for result in sink.results
    ]


def test_any_other_predictor_is_followed_by_its_detections():
    class Whole:
        """Everything that a predictor has to be, and no more."""

        class_names = ("cat", "dog", "bird")
        score_threshold = 0.2

        def __init__(self) -> None:
            self._predictor = small_predictor(CPU, torch.clone)

        def __call__(self, frames):
            return self._predictor(frames)

    detector = build_detector(Whole(), Metrics(), None, FOLLOW)

    assert isinstance(detector, PlainDetector)
    assert ids(results(detector, video(3))) == ids(on_host(video(3), FOLLOW))


def test_the_same_run_gives_the_same_twice():
    frames = [
        *video(4, lighter=2),
        *(dataclasses.replace(f, index=f.index + 4, pts=f.pts + 4) for f in small_frames(4)),
    ]
    for stabilise in STABILISE_KINDS:
        one, other = (on_host(frames, FollowOptions(stabilise=stabilise)) for _ in range(2))
        assert ids(one) == ids(other)
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a.detections.boxes, b.detections.boxes)
            np.testing.assert_array_equal(a.detections.masks, b.detections.masks)


class Areas(MaskIoUNet):
    """Rates a mask by its area."""

    def forward(self, masks: Tensor) -> Tensor:
        return masks.mean(dim=(1, 2))[:, None].expand(-1, 3)


def test_ids_go_along_when_re_scoring_changes_the_order():
    decoder = decoding(mask_iou_net=Areas(3))
    small, large = (0.0, 0.0, 0.3, 0.3), (0.3, 0.3, 1.0, 1.0)
    raw = raw_outputs(decoder, [(small, {0: 0.9}), (large, {1: 0.5})])
    follower = make_device_follower(FOLLOW)
    thresholds = OPTIONS.thresholds(decoder.config)
    found = follower(suppress(raw, decoder, OPTIONS), raw, thresholds, [frame_at(0)])
    assert found.track_ids[found.valid].tolist() == [0, 1]

    (result,) = to_detections(add_masks(found, raw, decoder, OPTIONS), [(120, 200)], ("cat", "dog", "bird"))

    assert result.names == ("dog", "cat")
    assert result.track_ids.tolist() == [1, 0]


@pytest.mark.parametrize("colour_by", ["instance", "class"])
def test_colours_follow_the_tracks_on_the_device_as_on_the_host(colour_by: str):
    style = dataclasses.replace(STYLE, colour_by=colour_by)
    frame = frame_at(0)
    corners = torch.tensor([[0.1, 0.1, 0.3, 0.6], [0.4, 0.3, 0.6, 0.9], [0.0] * 4, [0.7, 0.2, 0.9, 0.8]])
    scores = torch.tensor([[0.9, 0.8, 0.0, 0.4]])
    found = Found(
        boxes=corners[None],
        scores=scores,
        box_scores=scores,
        classes=torch.tensor([[2, 0, 0, 1]]),
        valid=scores > 0,
        coefficients=None,
        masks=None,
        bounds=None,
        track_ids=torch.tensor([[12, 3, -1, -1]]),
    )
    (detections,) = to_detections(found, [frame.size], ("cat", "dog", "bird"))
    assert detections.track_ids.tolist() == [12, 3, -1]

    on_device = draw_masks(torch.from_numpy(frame.image), found, 0, style).numpy()

    np.testing.assert_array_equal(on_device, draw(frame.image, detections, style))
    if colour_by == "instance":
        box = style.palette[12 % len(style.palette)]
        np.testing.assert_array_equal(on_device[30, 20], box)


def switchable(follow: FollowOptions | None = FOLLOW) -> SwitchableDetector:
    detector = SwitchableDetector(Metrics())
    detector.use(small_predictor(CPU, torch.clone), follow)
    return detector


def test_ids_go_on_when_the_network_what_it_looks_for_or_what_is_told_of_it_changes():
    detector = switchable()
    frames = video(6)
    first = results(detector, frames[:1])
    other = small_predictor(CPU, torch.clone, DetectOptions(0.2, 4))
    detector.use(other, FOLLOW)
    detector.inspect = True
    second = results(detector, frames[1:2])
    detector.use(other, FollowOptions(stabilise="light"))
    third = results(detector, frames[2:3])

    assert len(ids(second)[0]) == 4
    assert ids(second)[0] == ids(third)[0] == ids(first)[0][:4]
    assert third[0].inspection is not None
    assert len(third[0].inspection.coefficients) == 4


def test_following_can_be_switched_on_and_off():
    detector = switchable(None)
    network = small_predictor(CPU, torch.clone)
    assert results(detector, video(1))[0].detections.track_ids is None
    detector.use(network, FOLLOW)
    assert ids(results(detector, video(1)))[0][0] == 0
    detector.use(network)
    assert results(detector, video(1))[0].detections.track_ids is None


def test_another_network_does_not_inherit_what_was_smoothed():
    strong = FollowOptions(stabilise="strong")
    detector = switchable(strong)
    results(detector, video(1))
    other = small_predictor(CPU, torch.clone)
    detector.use(other, strong)
    frames = video(2, lighter=2)[1:]
    check_equal(results(detector, frames), results(HostDetector(other, Metrics()), frames))
