"""The newest spans of a run."""

from __future__ import annotations

import threading

import pytest

from pipeline.metrics.run import Metrics, Span
from pipeline.metrics.trace import RecentSpans


def test_the_newest_spans_are_kept_in_their_order() -> None:
    spans = RecentSpans(most=3)
    assert spans.snapshot() == ()
    given = [Span("nms", index, float(index), index + 0.5, thread="t") for index in range(5)]
    for one in given:
        spans.span(one)
    assert spans.snapshot() == tuple(given[-3:])


def test_a_snapshot_stays_as_it_is() -> None:
    spans = RecentSpans()
    metrics = Metrics(spans)
    with metrics.work("forward", 7):
        pass
    before = spans.snapshot()
    with metrics.work("nms", 7):
        pass
    assert [span.stage for span in before] == ["forward"]
    assert [span.stage for span in spans.snapshot()] == ["forward", "nms"]


def test_a_runs_metrics_give_it_work_and_waiting_by_thread_and_nothing_of_queues_and_drops() -> None:
    spans = RecentSpans()
    metrics = Metrics(spans)
    metrics.queue("captured", 1, 2)
    metrics.drop("captured", 3)
    with metrics.wait("prepare", 4):
        pass
    (span,) = spans.snapshot()
    assert (span.stage, span.frame, span.kind) == ("prepare", 4, "wait")
    assert span.thread == threading.current_thread().name


def test_looking_while_several_threads_report_never_fails() -> None:
    spans = RecentSpans(most=50)
    metrics = Metrics(spans)
    done = threading.Event()

    def report() -> None:
        for index in range(2000):
            with metrics.work("overlay", index):
                pass
        done.set()

    threads = [threading.Thread(target=report, name=f"reporter {i}") for i in range(2)]
    for thread in threads:
        thread.start()
    looks = 0
    while not done.is_set() or not looks:
        assert len(spans.snapshot()) <= 50
        looks += 1
    for thread in threads:
        thread.join()
    assert [span.frame for span in spans.snapshot()][-1] == 1999


def test_no_room_at_all_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="at least one span, got 0"):
        RecentSpans(most=0)
