"""That the CUDA detector's waits and lifetimes are all needed: each one is left out, and that shows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipeline.detectors import cuda as cuda_detector
from pipeline.frame import Frame, Result
from tests.pipeline.deferred_streams import LAZY, DeferredEvent, DeferredStreams, Schedule
from tests.pipeline.detector_checks import check_drawn, check_equal, deferred, on_host, results
from tests.pipeline.small_engines import small_frames

BATCHES = 4  # one more than there are slots


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


@pytest.mark.parametrize("dropped", ["images", "found", "painted"])
def test_memory_that_goes_back_before_the_host_has_waited_shows(
    dropped: str, monkeypatch: pytest.MonkeyPatch
):
    frames = small_frames(BATCHES)
    expected = on_host(frames)
    late = Schedule(eager=1.0, late=("inference", "download") if dropped == "images" else ("download",))
    download = cuda_detector._Slot.download

    def keep_less(slot, images, found, painted) -> None:
        download(slot, images, found, painted)
        there = {"images": images, "found": found, "painted": painted}
        slot._kept = tuple(kept for name, kept in there.items() if name != dropped)

    assert not shows(DeferredStreams(late), frames, expected)
    monkeypatch.setattr(cuda_detector._Slot, "download", keep_less)
    assert shows(DeferredStreams(late), frames, expected)


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
