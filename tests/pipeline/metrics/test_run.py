"""What a run measures of itself."""

from __future__ import annotations

import dataclasses
import threading
import tracemalloc

import numpy as np
import pytest

from pipeline.metrics.histogram import Distribution, Histogram
from pipeline.metrics.run import Metrics, Span


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("pipeline.metrics.run.monotonic", clock)
    return clock


def distribution(durations: np.ndarray) -> Distribution:
    histogram = Histogram()
    for duration in durations:
        histogram.add(float(duration))
    return histogram.summary()


@pytest.mark.parametrize("typical", [2e-5, 0.012, 3.0])
def test_percentiles_are_good_to_one_per_cent_and_the_rest_is_exact(typical: float) -> None:
    durations = typical * np.random.default_rng(0).lognormal(0, 0.7, 4000)

    told = distribution(durations)

    assert told.count == 4000
    assert told.total == pytest.approx(durations.sum())
    assert told.mean == pytest.approx(durations.mean())
    assert told.max == durations.max()
    exact = np.percentile(durations, [50, 95, 99], method="inverted_cdf")
    assert (told.p50, told.p95, told.p99) == pytest.approx(exact, rel=0.0101)


def test_one_duration_is_its_own_every_percentile() -> None:
    told = distribution(np.array([0.02]))
    assert (told.p50, told.p95, told.p99) == pytest.approx((0.02,) * 3, rel=0.0101)
    assert told.p99 <= told.max


def test_durations_beyond_the_scale_are_counted_all_the_same() -> None:
    told = distribution(np.array([-1.0, 0.0, 1e-9, 1e9]))
    assert told.count == 4
    assert told.total == pytest.approx(1e9)
    assert told.max == 1e9


def test_nothing_measured_is_all_zero() -> None:
    told = Metrics().snapshot()
    assert told.stages == told.queues == ()
    assert (told.frames, told.seconds, told.fps, told.recent_fps, told.dropped) == (0, 0, 0, 0, 0)
    assert told.ages == Distribution()


def test_work_waiting_for_frames_and_waiting_for_room_are_kept_apart(clock: Clock) -> None:
    metrics = Metrics()
    for context, seconds in ((metrics.wait, 0.5), (metrics.work, 2.0), (metrics.room, 0.25)):
        with context("overlay", 7):
            clock.now += seconds

    [stage] = metrics.snapshot().stages

    assert stage.stage == "overlay"
    assert (stage.work.count, stage.work.total) == (1, 2.0)
    assert (stage.waits, stage.waited, stage.room) == (1, 0.5, 0.25)
    assert dict(stage.threads) == {threading.current_thread().name: 2.0}


def test_work_that_ends_in_an_error_counts_and_the_error_goes_on(clock: Clock) -> None:
    metrics = Metrics()

    def fail() -> None:
        with metrics.work("encode", 0):
            clock.now += 1.5
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert metrics.snapshot().stages[0].work.total == 1.5


def test_stages_come_in_the_order_in_which_a_frame_passes_them() -> None:
    metrics = Metrics()
    for stage in ("encode", "forward", "capture"):
        metrics.add(Span(stage, 0, 1.0, 2.0))
    assert [stage.stage for stage in metrics.snapshot().stages] == ["capture", "forward", "encode"]


def test_a_stage_that_does_not_exist_is_refused() -> None:
    with pytest.raises(KeyError, match="decode"):
        Metrics().add(Span("decode", 0, 0.0, 1.0))


def test_a_span_from_elsewhere_goes_to_the_thread_that_it_names() -> None:
    metrics = Metrics()
    metrics.add(Span("forward", 0, 5.0, 5.5, thread="engine"))
    snapshot = metrics.snapshot()
    assert dict(snapshot.stages[0].threads) == {"engine": 0.5}
    assert snapshot.seconds == 0.5
    assert snapshot.share(0.25) == 0.5


def test_no_span_is_lost_when_many_threads_report(clock: Clock) -> None:
    metrics = Metrics()

    def report() -> None:
        for i in range(500):
            metrics.add(Span("nms", i, 1.0, 1.5))
            metrics.frame_done()

    threads = [threading.Thread(target=report, name=f"t{i}") for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    snapshot = metrics.snapshot()
    assert snapshot.frames == snapshot.stages[0].work.count == 2000
    assert dict(snapshot.stages[0].threads) == {f"t{i}": 250.0 for i in range(4)}


def test_a_snapshot_stays_as_it_was(clock: Clock) -> None:
    metrics = Metrics()
    metrics.add(Span("nms", 0, 1.0, 1.5))
    metrics.drop("frames")
    metrics.queue("frames", 1, 4)
    before = metrics.snapshot()
    metrics.add(Span("nms", 1, 1.5, 3.0))
    metrics.drop("frames")
    metrics.queue("frames", 3, 4)

    assert before.stages[0].work.count == 1
    assert before.stages[0].threads[threading.current_thread().name] == 0.5
    assert dict(before.drops) == {"frames": 1}
    assert before.queues[0].max == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.frames = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        before.drops["frames"] = 3  # type: ignore[index]


def test_queues_tell_mean_greatest_and_last_depth() -> None:
    metrics = Metrics()
    for depth in (0, 4, 2):
        metrics.queue("found", depth, 4)
    [queue] = metrics.snapshot().queues
    assert (queue.name, queue.capacity, queue.mean, queue.max, queue.last) == ("found", 4, 2.0, 4, 2)


def test_drops_are_counted_by_queue_and_none_at_all_leaves_no_trace() -> None:
    metrics = Metrics()
    for name, count in (("frames", 2), ("found", 0), ("window", 1), ("frames", 1)):
        metrics.drop(name, count)
    snapshot = metrics.snapshot()
    assert dict(snapshot.drops) == {"frames": 3, "window": 1}
    assert snapshot.dropped == 4


def test_ages_are_summed_up() -> None:
    metrics = Metrics()
    for age in (0.04, 0.05, 0.3):
        metrics.age(age)
    assert metrics.snapshot().ages.p50 == pytest.approx(0.05, rel=0.0101)
    assert metrics.snapshot().ages.max == 0.3


def test_the_frame_rate_counts_from_the_first_span_to_the_last_event(clock: Clock) -> None:
    metrics = Metrics()
    clock.now += 60  # loading weights is not part of it
    for i in range(40):
        with metrics.work("forward", i):
            clock.now += 0.1
        metrics.frame_done()
    clock.now += 60  # nor is looking at the result later
    snapshot = metrics.snapshot()
    assert snapshot.seconds == pytest.approx(4.0)
    assert snapshot.fps == pytest.approx(10.0)


def test_the_recent_frame_rate_forgets_what_is_older_than_two_seconds(clock: Clock) -> None:
    metrics = Metrics()

    def deliver(seconds: float, rate: int) -> float:
        for i in range(round(seconds * rate)):
            with metrics.work("forward", i):
                clock.now += 1 / rate
            metrics.frame_done()
        return metrics.recent_fps()

    assert deliver(0.5, 20) == pytest.approx(20)
    assert deliver(5, 50) == pytest.approx(50, abs=1)
    assert deliver(3, 10) == pytest.approx(10, abs=1)
    assert deliver(3, 1000) == pytest.approx(1000, rel=0.01)  # more than it remembers
    clock.now += 2.5
    assert metrics.recent_fps() == 0


def test_memory_does_not_grow_with_the_length_of_a_run() -> None:
    metrics = Metrics()

    def run(frames: int) -> int:
        for i in range(frames):
            with metrics.work("forward", i):
                pass
            metrics.queue("frames", i % 4, 4)
            metrics.age(i * 1e-4)
            metrics.frame_done()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = run(1000)
        assert run(5000) - before < 20_000
    finally:
        tracemalloc.stop()
