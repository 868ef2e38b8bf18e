"""The CUDA detector on streams that put their work off: order, lifetimes and results, but no GPU."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from model.network.yolact import fuse_batch_norms
from model.options import DetectOptions
from model.torch_predictor import TorchPredictor
from pipeline.builder import painter
from pipeline.detectors.build import build_detector
from pipeline.detectors.cuda import CudaDetector
from pipeline.detectors.host import HostDetector
from pipeline.frame import Frame
from pipeline.metrics.run import Metrics
from pipeline.overlay.draw import OverlayStyle, draw
from pipeline.runner import Runner, RunState
from tests.pipeline import standins
from tests.pipeline.deferred_streams import LAZY, DeferredStreams, Schedule
from tests.pipeline.detector_checks import (
    CPU,
    DEVICE,
    STYLE,
    Spans,
    check_drawn,
    check_equal,
    deferred,
    on_host,
    results,
)
from tests.pipeline.small_engines import NetworkEngine, small_frames, small_predictor
from tests.small_networks import TINY, decoding, small_network

STREAMS = ("upload", "inference", "download")
BATCHES = 4


SCHEDULES = [
    LAZY,
    *(Schedule(1.0, late) for count in (0, 1, 2) for late in itertools.combinations(STREAMS, count)),
    *(Schedule(0.4, (late,)) for late in STREAMS),
    *(Schedule(eager, seed=seed) for eager in (0.5, 0.9) for seed in range(4)),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_whatever_order_the_events_allow_gives_the_results_of_the_cpu(schedule: Schedule):
    frames = small_frames(BATCHES)

    found = results(deferred(DeferredStreams(schedule)), frames)

    assert all(len(result.detections) for result in found)
    check_equal(found, on_host(frames))
    check_drawn(found)


@pytest.mark.parametrize("schedule", [LAZY, Schedule(eager=0.8)], ids=str)
def test_batches_that_are_forgotten_do_no_harm_to_those_that_follow(schedule: Schedule):
    frames = small_frames(6)
    detector = deferred(DeferredStreams(schedule))
    for frame in frames[:2]:
        detector.submit([frame])

    found = results(detector, frames[2:])

    check_equal(found, on_host(frames[2:]))
    check_drawn(found)


def test_the_host_waits_once_a_batch_and_nothing_else_makes_it_wait():
    streams = DeferredStreams(Schedule(eager=0.5))
    detector = deferred(streams, options=DetectOptions(0.2, 8, classes=(0, 2)))
    results(detector, small_frames(1))  # constants are made with the first batch
    streams.synchronisations, streams.hidden = 0, []

    results(detector, small_frames(12), batch=2)

    assert (streams.synchronisations, streams.hidden) == (6, [])


def test_pinned_memory_is_made_once_a_slot():
    streams = DeferredStreams(LAZY)
    detector = deferred(streams)
    results(detector, small_frames(3))
    before = streams.pinned_bytes

    results(detector, small_frames(9))

    assert 0 < before == streams.pinned_bytes


def test_exact_nms_makes_the_host_wait_more_often_and_gives_the_same_results():
    frames = small_frames(2)
    options = DetectOptions(0.2, 8, nms="exact")
    streams = DeferredStreams(LAZY)

    found = results(deferred(streams, options=options), frames)

    check_equal(found, on_host(frames, options=options))
    assert any("nonzero" in what for what in streams.hidden)


def test_batches_of_frames_of_several_sizes_come_out_as_on_the_cpu():
    frames = small_frames(9, sizes=((40, 60), (33, 17), (64, 64), (90, 121)))

    found = results(deferred(DeferredStreams(LAZY)), frames, batch=2)

    check_equal(found, on_host(frames, batch=2))
    check_drawn(found)


def test_a_frame_that_runs_backwards_in_memory_is_uploaded_as_it_looks():
    straight = small_frames(1)[0]
    image = straight.image[::-1].copy()[::-1]
    frame = Frame(image, 0, 0, straight.time_base, 0.0)

    found, expected = (
        results(deferred(DeferredStreams(LAZY), style=None), [one])[0] for one in (frame, straight)
    )

    np.testing.assert_array_equal(found.detections.boxes, expected.detections.boxes)


def test_without_a_style_nothing_is_drawn_and_without_masks_none_are_downloaded():
    frames = small_frames(2)

    found = results(deferred(DeferredStreams(LAZY), style=None, with_masks=False), frames)

    check_equal(found, on_host(frames, with_masks=False))
    assert [result.annotated for result in found] == [None, None]


def test_a_whole_network_gives_the_results_of_the_cpu():
    network = fuse_batch_norms(small_network(TINY)).requires_grad_(False)
    options = DetectOptions(score_threshold=0.0, max_detections=10)
    frames = small_frames(2)
    streams = DeferredStreams(LAZY)

    def predictor(device: torch.device, put) -> TorchPredictor:
        decoder = decoding(TINY)
        decoder = type(decoder)(TINY, put(network.anchors))
        return TorchPredictor(NetworkEngine(network, device, put), decoder, options)

    found = results(
        CudaDetector(predictor(DEVICE, streams.device.upload), Metrics(), None, streams), frames, batch=2
    )

    check_equal(found, results(HostDetector(predictor(CPU, torch.clone), Metrics()), frames, batch=2))


def test_each_stage_is_told_for_each_frame_on_the_track_of_its_stream():
    trace, streams = Spans(), DeferredStreams(Schedule(eager=0.9, seed=1))
    predictor = small_predictor(DEVICE, streams.device.upload)
    detector = CudaDetector(predictor, Metrics(trace), STYLE, streams)

    found = results(detector, small_frames(4), batch=2)

    threads = {span.thread for span in trace.spans}
    inference = [(s.stage, s.frame) for s in trace.of("gpu inference")]
    assert inference[:8] == [(s, i) for s in ("forward", "nms", "masks", "overlay") for i in (0, 1)]
    assert [(s.stage, s.frame) for s in trace.of("gpu upload")] == [("prepare", i) for i in range(4)]
    assert [(s.stage, s.frame) for s in trace.of("gpu download")] == [("masks", i) for i in range(4)]
    for spans in map(trace.of, threads):
        assert all(s.begin <= s.end for s in spans)
        assert all(one.end <= other.begin + 1e-9 for one, other in itertools.pairwise(spans))
    assert all(set(r.timings) == {"prepare", "forward", "nms", "masks", "overlay"} for r in found)


def test_a_run_through_the_pipeline_keeps_the_order_of_the_frames():
    streams, metrics, sink = DeferredStreams(Schedule(eager=0.5)), Metrics(), standins.Sink()
    detector = CudaDetector(small_predictor(DEVICE, streams.device.upload), metrics, STYLE, streams)
    runner = Runner(lambda *_: standins.Source(8), detector, lambda result, fps: result, [sink], metrics)

    runner.start()
    report = runner.join(timeout=60)

    assert report is not None
    assert report.state is RunState.FINISHED, report.error
    assert sink.indices == list(range(8))
    check_drawn(sink.results)


def test_a_picture_that_a_gpu_has_drawn_gets_its_text_on_the_host():
    (found,) = on_host(small_frames(1, sizes=((200, 300),)))
    image = found.frame.image
    drawn = dataclasses.replace(found, annotated=draw(image, found.detections, STYLE))

    painted = painter(OverlayStyle(), show_fps=True)(drawn, 12.5)

    expected = draw(image, found.detections, OverlayStyle(), badge="12.5 fps")
    np.testing.assert_array_equal(painted.annotated, expected)


def test_the_builder_takes_this_detector_on_a_gpu_and_only_there():
    on_gpu = small_predictor(torch.device("cuda"), torch.clone)

    assert isinstance(build_detector(on_gpu, Metrics(), STYLE), CudaDetector)
    assert isinstance(build_detector(small_predictor(CPU, torch.clone), Metrics(), STYLE), HostDetector)
