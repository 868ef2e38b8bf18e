"""A network that is chosen, and chosen anew, while frames come in."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref

import pytest
import torch

from model.options import DetectOptions
from model.predictor import Predictor
from pipeline.detectors import cuda as cuda_detector
from pipeline.detectors.device_streams import CudaStreams, DeviceStreams
from pipeline.detectors.switchable import SwitchableDetector
from pipeline.frame import Frame, Result
from pipeline.metrics.run import Metrics
from pipeline.overlay.draw import OverlayStyle
from pipeline.runner import Runner, RunState
from pipeline.tracking.following import FoundFollower
from tests.pipeline import standins
from tests.pipeline.detector_checks import CPU, check_equal, on_host, results
from tests.pipeline.small_engines import small_frames, small_predictor
from tests.source_tree import ROOT

CAT_ONLY = DetectOptions(score_threshold=0.2, max_detections=8, classes=(0,))


@pytest.fixture
def predictor() -> Predictor:
    return small_predictor(CPU, torch.clone)


@pytest.fixture
def detector() -> SwitchableDetector:
    return SwitchableDetector(Metrics())


def test_without_a_network_frames_pass_with_nothing_found(detector: SwitchableDetector) -> None:
    frames = small_frames(3, [(40, 60), (20, 30)])
    detector.inspect = True
    found = results(detector, frames, batch=3)
    assert [result.frame for result in found] == frames
    assert [result.detections.image_size for result in found] == [frame.size for frame in frames]
    assert [len(result.detections) for result in found] == [0, 0, 0]
    assert {result.detections.class_names for result in found} == {()}
    assert {result.inspection for result in found} == {None}


def test_frames_pass_before_torch_is_loaded() -> None:
    code = """
import sys
from fractions import Fraction
import numpy as np
from pipeline.frame import Frame
from pipeline.detectors.switchable import SwitchableDetector
from pipeline.metrics.run import Metrics
frame = Frame(np.zeros((6, 8, 3), np.uint8), 0, 0, Fraction(1, 10), 0.0)
(result,) = SwitchableDetector(Metrics()).submit([frame])()
assert len(result.detections) == 0
assert "torch" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_from_the_next_batch_on_a_network_finds_what_it_finds_by_itself(
    detector: SwitchableDetector, predictor: Predictor
) -> None:
    frames = small_frames(4)
    assert not any(len(result.detections) for result in results(detector, frames))
    detector.use(predictor)
    check_equal(results(detector, frames), on_host(frames))


def test_a_batch_on_its_way_is_finished_by_the_network_that_began_it(
    detector: SwitchableDetector, predictor: Predictor
) -> None:
    frames = small_frames(2)
    detector.use(predictor)
    pending = detector.submit(frames)
    detector.use(predictor.with_options(max_detections=1))
    assert {len(result.detections) for result in pending()} != {1}
    assert {len(result.detections) for result in results(detector, frames)} == {1}


def test_parts_of_masks_are_told_as_long_as_somebody_asks(
    detector: SwitchableDetector, predictor: Predictor
) -> None:
    frames = small_frames(1)
    detector.use(predictor)
    (plain,) = results(detector, frames)
    detector.inspect = True
    assert detector.inspect
    (inspected,) = results(detector, frames)
    detector.use(predictor.with_options(classes=(0,)))
    (of_another,) = results(detector, frames)
    detector.inspect = False
    (plain_again,) = results(detector, frames)

    assert plain.inspection is plain_again.inspection is None
    check_equal([inspected], [plain])
    for result in (inspected, of_another):
        assert result.inspection is not None
        assert len(result.inspection.coefficients) == len(result.detections) > 0
        assert result.inspection.prototypes.shape[2] == result.inspection.coefficients.shape[1]


def test_a_network_is_made_ready_for_in_the_thread_that_uses_it_before_its_first_batch(
    predictor: Predictor,
) -> None:
    calls: list[tuple[Predictor, threading.Thread]] = []
    detector = SwitchableDetector(
        Metrics(), adopt=lambda network: calls.append((network, threading.current_thread()))
    )
    results(detector, small_frames(1), batch=1)
    detector.use(predictor)
    assert calls == []
    user = threading.Thread(target=lambda: results(detector, small_frames(2), batch=1))
    user.start()
    user.join()
    assert calls == [(predictor, user)]


def test_the_network_before_is_let_go_of_once_another_one_is_used(detector: SwitchableDetector) -> None:
    first = small_predictor(CPU, torch.clone)
    gone = weakref.ref(first.engine)
    detector.use(first)
    results(detector, small_frames(1))
    del first
    detector.use(small_predictor(CPU, torch.clone))
    results(detector, small_frames(1))
    gc.collect()
    assert gone() is None


def test_one_batch_at_a_time_is_on_its_way_whatever_the_engine_could_do(
    detector: SwitchableDetector, predictor: Predictor
) -> None:
    assert predictor.engine.slots == 2
    detector.use(predictor)
    results(detector, small_frames(1))
    assert detector.slots == 1


def consistent(result: Result) -> bool:
    """That what is told of a result's masks is of the same network as they are."""
    inspection = result.inspection
    return inspection is None or len(inspection.coefficients) == len(result.detections)


def test_a_run_goes_on_while_everything_is_changed_from_several_threads(predictor: Predictor) -> None:
    metrics, sink, done = Metrics(), standins.Sink(), threading.Event()
    detector = SwitchableDetector(metrics)
    detector.use(predictor)
    ways = [predictor, predictor.with_options(classes=(0,)), small_predictor(CPU, torch.clone)]

    def change(first: int) -> None:
        turn = first
        while not done.wait(0.001):
            detector.use(ways[turn % len(ways)])
            detector.inspect = not detector.inspect
            turn += 1

    changers = [threading.Thread(target=change, args=(i,), name=f"changer {i}") for i in range(2)]
    source = standins.Source(150, live=True, pace=0.002)
    runner = Runner(lambda given_up: source, detector, standins.paint, [sink], metrics)
    for thread in changers:
        thread.start()
    runner.start()
    report = runner.join(60)
    done.set()
    for thread in changers:
        thread.join()

    assert report is not None
    assert report.error is None
    assert report.state is RunState.FINISHED
    assert sink.indices == sorted(sink.indices)
    assert all(map(consistent, sink.results))
    assert all(result.detections.class_names for result in sink.results)
    assert any(len(result.detections) for result in sink.results)


class GpuDetector(standins.Detector):
    """In the place of the CUDA detector; remembers the streams that each one was given."""

    given: list[DeviceStreams]

    def __init__(
        self,
        predictor: Predictor,
        metrics: Metrics,
        style: OverlayStyle | None,
        streams: DeviceStreams,
        follower: FoundFollower | None,
    ) -> None:
        super().__init__(slots=3)
        assert style is None
        self.given.append(streams)


def test_on_a_gpu_every_change_goes_on_with_the_same_streams(
    detector: SwitchableDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_detector, "CudaDetector", GpuDetector)
    monkeypatch.setattr(GpuDetector, "given", [], raising=False)
    predictor = small_predictor(torch.device("cuda"), torch.clone)
    for limit in (1, 2):
        detector.use(predictor.with_options(max_detections=limit))
        results(detector, small_frames(1))
    first, second = GpuDetector.given
    assert isinstance(first, CudaStreams)
    assert first is second


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_finds_the_same_with_and_without_inspection(detector: SwitchableDetector) -> None:
    frames: list[Frame] = small_frames(4)
    detector.use(small_predictor(torch.device("cuda"), lambda tensor: tensor.to("cuda")))
    plain = results(detector, frames)
    detector.inspect = True
    inspected = results(detector, frames)
    check_equal(inspected, plain)
    assert all(result.inspection is not None for result in inspected)
