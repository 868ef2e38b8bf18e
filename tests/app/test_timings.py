"""What people read of a run's speed."""

from __future__ import annotations

import pytest

from app.terminal import timings_text
from pipeline.metrics.performance import progress_text
from pipeline.metrics.run import Metrics, Span


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Metrics:
    """Ten seconds of a run: 100 frames, the network 90 ms for each."""
    now = [0.0]
    monkeypatch.setattr("pipeline.metrics.run.monotonic", lambda: now[0])
    metrics = Metrics()
    for i in range(100):
        begin = i * 0.1
        metrics.add(Span("capture", i, begin, begin + 0.02, "wait", "capture"))
        metrics.add(Span("prepare", i, begin, begin + 0.0015, thread="inference"))
        metrics.add(Span("forward", i, begin + 0.01, begin + 0.1, thread="engine"))
        metrics.queue("frames", i % 3, 4)
        metrics.queue("found", 0, 4)
        metrics.age(0.045)
        now[0] = begin + 0.1
        metrics.frame_done()
    metrics.drop("frames", 12)
    return metrics


def test_the_table_has_a_row_a_stage_and_ends_with_the_bottleneck(metrics: Metrics) -> None:
    title, heads, *rows, queues, drops, ages, last = timings_text(metrics.snapshot()).splitlines()
    assert title == "timings: 100 frames in 10.00 s, 10.0 fps"
    assert heads.split()[:3] == ["stage", "mean", "ms"]
    assert [row.split()[0] for row in rows] == ["capture", "prepare", "forward"]
    assert rows[0].split() == ["capture", "–", "–", "–", "–", "–", "20", "%", "–"]
    assert rows[1].split()[1] == "1.50"
    assert rows[2].split()[1] == "90.00"
    assert rows[2].split()[5:7] == ["90", "%"]
    assert queues == "queues: frames 1.0 of 4, at most 2; found 0.0 of 4, at most 0"
    assert drops == "dropped: 12 from frames"
    assert ages.startswith("age from capture to delivery: p50 45 ms")
    assert last == "bottleneck: forward: works 90 % of the time; 12 of the source's 100 frames were dropped"


def test_the_live_line_is_short_and_names_what_works_most(metrics: Metrics) -> None:
    metrics.queue("frames", 2, 4)
    told = progress_text(metrics.snapshot())
    parts = told.split(" · ")
    assert parts[0] == "10.0 fps"
    assert parts[1].startswith("forward 9")
    assert parts[2:] == ["queue 2/4", "12 dropped", "age 45 ms"]


def test_short_times_keep_a_decimal() -> None:
    metrics = Metrics()
    metrics.add(Span("nms", 0, 0.0, 0.0012))
    assert "nms 1.2 ms" in progress_text(metrics.snapshot())


def test_a_run_without_a_frame_has_something_to_say_too() -> None:
    snapshot = Metrics().snapshot()
    assert timings_text(snapshot) == "timings: nothing was measured"
    assert progress_text(snapshot) == "0.0 fps · 0 dropped"
