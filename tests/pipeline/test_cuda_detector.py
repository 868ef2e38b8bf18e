"""The CUDA detector on streams that put their work off: order, lifetimes and results, but no GPU."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence

import numpy as np
import pytest
import torch

import model.postprocessing
import model.preprocessing
import pipeline.overlay_torch
from model.options import DetectOptions
from model.postprocessing import find
from model.predictor import Predictor
from model.yolact import fuse_batch_norms
from pipeline import cuda_detector
from pipeline.builder import build_detector
from pipeline.cuda_detector import CudaDetector
from pipeline.detector import Detector
from pipeline.frame import Frame, Result
from pipeline.host_detector import HostDetector
from pipeline.metrics import Metrics, Span
from pipeline.overlay import OverlayStyle
from pipeline.overlay_torch import draw_masks
from pipeline.runner import Runner, RunState
from tests.pipeline import standins
from tests.pipeline.deferred_streams import LAZY, DeferredEvent, DeferredStreams, Schedule
from tests.pipeline.pretended_device import NAME
from tests.pipeline.small_engines import NetworkEngine, small_frames, small_predictor
from tests.small_networks import TINY, decoding, small_network

DEVICE = torch.device(NAME)
CPU = torch.device("cpu")
STYLE = OverlayStyle(labels=False)
STREAMS = ("upload", "inference", "download")
BATCHES = 4


@pytest.fixture(autouse=True)
def no_kept_constants():
    kept = (
        model.postprocessing._class_index,
        model.preprocessing._per_channel,
        pipeline.overlay_torch._palette,
    )
    for cache in kept:
        cache.cache_clear()
    yield
    for cache in kept:
        cache.cache_clear()


def results(detector: Detector, frames: Sequence[Frame], batch: int = 1) -> list[Result]:
    """What a run makes of the frames, with as many batches on their way as it may have."""
    done, pending = [], deque()
    for start in range(0, len(frames), batch):
        if len(pending) == detector.slots:
            done += pending.popleft()()
        pending.append(detector.submit(frames[start : start + batch]))
    return done + [result for collect in pending for result in collect()]


def on_host(frames: Sequence[Frame], batch: int = 1, **options) -> list[Result]:
    return results(HostDetector(small_predictor(CPU, torch.clone, **options), Metrics()), frames, batch)


def deferred(streams: DeferredStreams, style: OverlayStyle | None = STYLE, **options) -> CudaDetector:
    return CudaDetector(small_predictor(DEVICE, streams.device.upload, **options), Metrics(), style, streams)


def check_equal(found: Sequence[Result], expected: Sequence[Result]) -> None:
    for one, other in zip(found, expected, strict=True):
        a, b = one.detections, other.detections
        assert one.frame is other.frame
        assert (a.image_size, a.class_names) == (b.image_size, b.class_names)
        np.testing.assert_array_equal(a.classes, b.classes)
        np.testing.assert_allclose(a.boxes, b.boxes, atol=1e-3)
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-5)
        np.testing.assert_allclose(a.box_scores, b.box_scores, atol=1e-5)
        assert a.has_masks == b.has_masks
        if a.has_masks:
            np.testing.assert_array_equal(a.masks, b.masks)


def check_drawn(results: Sequence[Result]) -> None:
    """That the pictures are what the same drawing gives on the CPU, save for rounding."""
    predictor = small_predictor(CPU, torch.clone)
    for result in results:
        raw = predictor.engine.start(predictor.prepare([result.frame.image]))()
        found = find(raw, predictor.decoder, predictor.options)
        expected = draw_masks(torch.from_numpy(result.frame.image), found, 0, STYLE).numpy()
        assert result.annotated is not None
        assert np.abs(result.annotated.astype(int) - expected).max() <= 1


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


class Forgetful(DeferredStreams):
    """Leaves out the `at`-th call of one method of its events, counted over all of them."""

    def __init__(self, schedule: Schedule, method: str, at: int) -> None:
        super().__init__(schedule)
        self._method, self._at = method, at
        self.calls = 0

    def event(self) -> DeferredEvent:
        event = super().event()
        original = getattr(event, self._method)

        def call() -> None:
            self.calls += 1
            if self.calls - 1 != self._at:
                original()

        setattr(event, self._method, call)
        return event


def shows(streams: DeferredStreams, frames: Sequence[Frame], expected: Sequence[Result]) -> bool:
    """Whether something is wrong with a run on these streams."""
    try:
        found = results(deferred(streams), frames)
        check_equal(found, expected)
        check_drawn(found)
    except Exception:  # poison may lead to anything
        return True
    return False


@pytest.mark.parametrize(("method", "calls"), [("wait", 2 * BATCHES), ("synchronize", BATCHES)])
def test_every_single_wait_is_needed(method: str, calls: int):
    frames = small_frames(BATCHES)
    expected = on_host(frames)
    whole = Forgetful(LAZY, method, at=-1)

    assert not shows(whole, frames, expected)
    assert whole.calls == calls
    assert [n for n in range(calls) if not shows(Forgetful(LAZY, method, n), frames, expected)] == []


def test_memory_that_goes_back_before_the_host_has_waited_shows(monkeypatch: pytest.MonkeyPatch):
    frames = small_frames(BATCHES)
    expected = on_host(frames)
    late_download = Schedule(eager=1.0, late=("download",))
    keep_all = cuda_detector._Slot.download

    def keep_none(slot, *tensors) -> None:
        keep_all(slot, *tensors)
        slot.free()

    assert not shows(DeferredStreams(late_download), frames, expected)
    monkeypatch.setattr(cuda_detector._Slot, "download", keep_none)
    assert shows(DeferredStreams(late_download), frames, expected)


def test_a_slot_that_is_used_again_too_early_shows():
    frames = small_frames(BATCHES)
    expected = on_host(frames)

    def with_slots(count: int) -> list[Result]:
        detector = deferred(DeferredStreams(LAZY))
        for _ in range(cuda_detector.SLOTS - count):
            detector._ring.pop()
        for slot in detector._ring:
            slot.wait = lambda: None
        pending = [detector.submit([frame]) for frame in frames[: cuda_detector.SLOTS]]
        detector._streams.wait_for(detector._ring[-1].done)
        return [result for collect in pending for result in collect()]

    check_equal(with_slots(cuda_detector.SLOTS), expected[: cuda_detector.SLOTS])
    with pytest.raises(AssertionError):
        check_equal(with_slots(cuda_detector.SLOTS - 1), expected[: cuda_detector.SLOTS])


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

    found = results(deferred(DeferredStreams(LAZY), style=None), [frame])

    np.testing.assert_array_equal(found[0].detections.boxes, on_host([straight])[0].detections.boxes)


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

    def predictor(device: torch.device, put) -> Predictor:
        decoder = decoding(TINY)
        decoder = type(decoder)(TINY, put(network.anchors))
        return Predictor(NetworkEngine(network, device, put), decoder, options)

    found = results(
        CudaDetector(predictor(DEVICE, streams.device.upload), Metrics(), None, streams), frames, batch=2
    )

    check_equal(found, results(HostDetector(predictor(CPU, torch.clone), Metrics()), frames, batch=2))


class Spans:
    """A trace that keeps its spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def span(self, span: Span) -> None:
        self.spans.append(span)


def test_each_stage_is_told_for_each_frame_on_the_track_of_its_stream():
    trace, streams = Spans(), DeferredStreams(Schedule(eager=0.9, seed=1))
    predictor = small_predictor(DEVICE, streams.device.upload)
    detector = CudaDetector(predictor, Metrics(trace), STYLE, streams)

    found = results(detector, small_frames(4), batch=2)

    on = {
        thread: [s for s in trace.spans if s.thread == thread] for thread in {s.thread for s in trace.spans}
    }
    inference = [(s.stage, s.frame) for s in on["gpu inference"]]
    assert inference[:8] == [(s, i) for s in ("forward", "nms", "masks", "overlay") for i in (0, 1)]
    assert [(s.stage, s.frame) for s in on["gpu upload"]] == [("prepare", i) for i in range(4)]
    assert [(s.stage, s.frame) for s in on["gpu download"]] == [("masks", i) for i in range(4)]
    for spans in on.values():
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


def test_the_builder_takes_this_detector_on_a_gpu_and_only_there():
    on_gpu = small_predictor(torch.device("cuda"), torch.clone)

    assert isinstance(build_detector(on_gpu, Metrics(), STYLE), CudaDetector)
    assert isinstance(build_detector(small_predictor(CPU, torch.clone), Metrics(), STYLE), HostDetector)
