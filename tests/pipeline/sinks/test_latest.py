"""The newest result for a window."""

from __future__ import annotations

import threading
from itertools import pairwise

from pipeline.sinks.latest import LatestSink
from tests.pipeline.sinks.recordings import info, numbered


def test_the_newest_result_is_taken_once_and_can_be_looked_at_again() -> None:
    sink = LatestSink()
    sink.open(info())
    assert sink.take() is None
    first, second, third = numbered([0, 40, 80])
    sink.write(first)
    sink.write(second)
    assert sink.peek() is second
    assert sink.take() is second
    assert sink.take() is None
    assert sink.peek() is second
    sink.write(third)
    assert sink.take() is third


def test_only_what_nobody_took_counts_as_overwritten() -> None:
    sink = LatestSink()
    sink.open(info())
    for one in numbered([0, 40, 80]):
        sink.write(one)
    sink.take()
    sink.write(next(numbered([120])))
    assert (
        sink.close(complete=True).summary == "4 frames, 0.000 to 0.120 s, 2 replaced before they were taken"
    )


def test_the_last_result_stays_after_the_end() -> None:
    sink = LatestSink()
    source = info(live=True)
    sink.open(source)
    sink.write(next(numbered([0])))
    assert (sink.closed, sink.info) == (False, source)
    sink.close(complete=True)
    assert sink.closed
    assert sink.take() is not None


def test_a_reader_in_another_thread_sees_results_in_their_order_and_in_the_end_the_last() -> None:
    sink = LatestSink()
    sink.open(info())
    seen: list[int] = []

    def look() -> None:
        while not sink.closed:
            if (result := sink.take()) is not None:
                seen.append(result.frame.index)
        if (result := sink.take()) is not None:
            seen.append(result.frame.index)

    reader = threading.Thread(target=look, name="reader")
    reader.start()
    for one in numbered(range(500), size=(8, 8)):
        sink.write(one)
    report = sink.close(complete=True)
    reader.join(10)
    assert not reader.is_alive()
    assert all(a < b for a, b in pairwise(seen))
    assert seen[-1] == 499
    assert f"{500 - len(seen)} replaced before they were taken" in report.summary
