"""The CUDA detector on a GPU, which none of these has ever seen so far."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch

from model.options import DetectOptions
from model.predictor import Predictor, make_predictor
from pipeline.detectors.cuda import CudaDetector
from pipeline.detectors.device_streams import CudaStreams, DeviceEvent
from pipeline.detectors.host import HostDetector
from pipeline.frame import Result
from pipeline.metrics.run import Metrics
from pipeline.overlay.draw import draw
from tests.pipeline.detector_checks import CPU, STYLE, Spans, results
from tests.pipeline.small_engines import small_frames, small_predictor
from tests.small_networks import SMALL, small_network

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

SIZE = ((360, 640),)


@pytest.fixture
def device() -> torch.device:
    return torch.device("cuda")


@pytest.fixture(autouse=True)
def exact_products() -> Iterator[None]:
    """No TF32: results are compared with the CPU's."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def on_gpu(device: torch.device, options: DetectOptions | None = None) -> Predictor:
    return small_predictor(device, lambda tensor: tensor.to(device), options)


def check_close(found: Sequence[Result], expected: Sequence[Result]) -> None:
    for one, other in zip(found, expected, strict=True):
        a, b = one.detections, other.detections
        np.testing.assert_array_equal(a.classes, b.classes)
        np.testing.assert_allclose(a.boxes, b.boxes, atol=0.05)
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-3)
        # pixels whose probability is a half, save for rounding
        assert (a.masks != b.masks).mean() < 1e-3


@pytest.mark.parametrize("batch", [1, 3])
def test_results_are_those_of_the_cpu(device: torch.device, batch: int):
    frames = small_frames(9, SIZE)
    found = results(CudaDetector(on_gpu(device), Metrics(), STYLE, CudaStreams(device)), frames, batch)

    check_close(found, results(HostDetector(small_predictor(CPU, torch.clone), Metrics()), frames))
    for result in found:
        assert result.annotated is not None
        expected = draw(result.frame.image, result.detections, STYLE).astype(int)
        assert (np.abs(result.annotated - expected).max(-1) > 1).mean() < 1e-2


def test_a_whole_network_gives_the_results_of_the_cpu(device: torch.device):
    options = DetectOptions(score_threshold=0.0, max_detections=1)
    frames = small_frames(4, SIZE)
    network = small_network(SMALL)

    found = results(
        CudaDetector(make_predictor(network, device, options), Metrics(), None, CudaStreams(device)), frames
    )

    host = HostDetector(make_predictor(network, CPU, options), Metrics())
    check_close(found, results(host, frames))


class CountingStreams(CudaStreams):
    """Counts how often the host waits."""

    waits = 0

    def event(self) -> DeviceEvent:
        streams = self

        class Event(torch.cuda.Event):
            def synchronize(self) -> None:
                streams.waits += 1
                super().synchronize()

        return Event(enable_timing=True, blocking=True)


def test_the_host_waits_once_a_batch_and_nothing_else_makes_it_wait(device: torch.device):
    streams = CountingStreams(device)
    detector = CudaDetector(on_gpu(device), Metrics(), STYLE, streams)
    frames = small_frames(24, SIZE)
    results(detector, frames[:8], batch=2)
    streams.waits = 0
    torch.cuda.set_sync_debug_mode("error")
    try:
        results(detector, frames[8:], batch=2)
    finally:
        torch.cuda.set_sync_debug_mode("default")

    assert streams.waits == 8


def test_memory_of_the_device_does_not_grow(device: torch.device):
    detector = CudaDetector(on_gpu(device), Metrics(), STYLE, CudaStreams(device))
    frames = small_frames(8, SIZE)
    for _ in range(2):
        results(detector, frames)
    before = torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device)

    for _ in range(20):
        results(detector, frames)

    assert (torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device)) == before


def test_spans_of_a_stream_follow_one_another_within_the_run(device: torch.device):
    trace = Spans()
    detector = CudaDetector(on_gpu(device), Metrics(trace), STYLE, CudaStreams(device))
    results(detector, small_frames(12, SIZE))

    for thread in ("gpu upload", "gpu inference", "gpu download"):
        spans = trace.of(thread)
        assert spans
        assert all(a.end <= b.begin + 1e-9 for a, b in itertools.pairwise(spans))
