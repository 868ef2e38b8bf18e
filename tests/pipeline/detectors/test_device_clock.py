"""The device's time told in the host's: with events whose times are given, since nothing here is real."""

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager, nullcontext
from time import monotonic

import pytest
import torch
from torch import Tensor

from pipeline.detectors.device_clock import DeviceClock, DeviceLaps
from pipeline.metrics.run import Metrics
from tests.pipeline.detector_checks import Spans
from tests.pipeline.small_engines import small_frames


class TimedEvent:
    """Reached at a given second of the device's own clock."""

    def __init__(self, at: float) -> None:
        self.at = at

    def record(self) -> None:
        pass

    def wait(self) -> None:
        pass

    def synchronize(self) -> None:
        pass

    def elapsed_time(self, end_event: TimedEvent) -> float:
        return 1e3 * (end_event.at - self.at)


class TimedStreams:
    """Gives events at these times, one after another."""

    def __init__(self, *times: float) -> None:
        self._times = iter(times)

    def stream(self, name: str) -> AbstractContextManager[None]:
        return nullcontext()

    def event(self) -> TimedEvent:
        return TimedEvent(next(self._times))

    def pinned(self, size: int) -> Tensor:
        return torch.empty(size, dtype=torch.uint8)


def laps(*times: float, began: float) -> DeviceLaps:
    """A batch that was begun at that time of the host: its upload, forward pass and NMS."""
    made = DeviceLaps(TimedStreams(*times))
    made.began = began
    made.start("gpu upload")
    made.lap("prepare")
    made.start("gpu inference")
    made.lap("forward")
    made.lap("nms")
    return made


def test_a_stage_takes_as_long_as_the_device_says_shared_by_the_frames():
    trace = Spans()
    batch = laps(5.0, 5.2, 5.5, 6.5, 6.6, began=monotonic() - 10)

    seconds = DeviceClock(Metrics(trace)).report(batch, small_frames(2))

    assert seconds == pytest.approx({"prepare": 0.1, "forward": 0.5, "nms": 0.05})
    assert [(s.stage, s.frame, s.thread) for s in trace.spans] == [
        (stage, frame, thread)
        for stage, thread in (
            ("prepare", "gpu upload"),
            ("forward", "gpu inference"),
            ("nms", "gpu inference"),
        )
        for frame in (0, 1)
    ]
    assert [s.end - s.begin for s in trace.spans] == pytest.approx([0.1, 0.1, 0.5, 0.5, 0.05, 0.05])


def test_the_first_batch_ended_just_now():
    trace = Spans()
    before = monotonic()
    DeviceClock(Metrics(trace)).report(laps(0.0, 0.1, 0.2, 0.3, 0.4, began=before - 1), small_frames(1))

    assert before <= trace.spans[-1].end <= monotonic()


def test_later_batches_are_counted_on_from_the_first_however_late_they_are_looked_at():
    trace = Spans()
    clock = DeviceClock(Metrics(trace))
    long_ago = monotonic() - 100
    clock.report(laps(0.0, 0.1, 0.2, 0.3, 0.4, began=long_ago), small_frames(1))
    first_end = trace.spans[-1].end
    while monotonic() < first_end + 0.001:  # the host cannot know of what is still to come
        pass
    clock.report(laps(0.1, 0.2, 0.4, 0.4005, 0.401, began=long_ago), small_frames(1))

    assert trace.spans[-1].end - first_end == pytest.approx(0.001, abs=1e-6)


def test_a_batch_never_begins_before_the_host_began_with_it():
    trace = Spans()
    clock = DeviceClock(Metrics(trace))
    clock.report(laps(0.0, 0.1, 0.2, 0.3, 0.4, began=monotonic() - 1), small_frames(1))
    began = monotonic() - 0.001
    clock.report(laps(0.4, 0.4001, 0.4002, 0.4003, 0.4004, began=began), small_frames(1))

    assert trace.spans[3].begin >= began - 1e-9


def test_spans_of_one_stream_never_overlap_when_the_clocks_are_set():
    trace = Spans()
    clock = DeviceClock(Metrics(trace))
    for n in range(5):  # the device's clock runs three times too fast
        start = 3.0 * n
        times = (start, start + 1, start + 1, start + 2, start + 3)
        clock.report(laps(*times, began=monotonic() - 10), small_frames(2))

    for thread in ("gpu upload", "gpu inference"):
        spans = trace.of(thread)
        assert all(one.end <= other.begin + 1e-9 for one, other in itertools.pairwise(spans))
        assert all(s.begin <= s.end <= monotonic() for s in spans)
