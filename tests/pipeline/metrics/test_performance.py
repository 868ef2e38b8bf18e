"""What a run does at this moment, and how that reads."""

from __future__ import annotations

import pytest

from pipeline.metrics.performance import RECENT, PerformanceMeter, aligned, as_text, drops_text, milliseconds
from pipeline.metrics.run import Metrics, MetricsSnapshot, Span
from pipeline.metrics.trace import RecentSpans


class Run:
    """A run whose time is told."""

    def __init__(self) -> None:
        self.spans = RecentSpans()
        self.metrics = Metrics(self.spans)

    def frames(self, first: int, count: int, begin: float, rate: float = 25, forward: float = 0.02) -> None:
        """Frames of a live source, from `begin` on."""
        for i in range(count):
            at = begin + i / rate
            self.metrics.add(Span("capture", first + i, at - 1 / rate, at, "wait", "capture"))
            self.metrics.add(Span("forward", first + i, at, at + forward, "work", "engine"))

    @property
    def snapshot(self) -> MetricsSnapshot:
        return self.metrics.snapshot()


def look(meter: PerformanceMeter, run: Run, now: float):
    return meter.measure(now, run.snapshot, run.spans.snapshot(), display=24.0, age=0.05)


def test_rates_are_those_of_the_last_two_seconds() -> None:
    run, meter = Run(), PerformanceMeter()
    for second in range(10):
        rate = 50 if second < 6 else 10
        run.frames(100 * second, rate, 100.0 + second, rate)
        seen = look(meter, run, 101.0 + second)
    assert (seen.capture, seen.inference) == (10, 10)
    assert (seen.display, seen.age) == (24, 0.05)


def test_a_run_begins_without_a_rate_and_a_new_one_too() -> None:
    meter = PerformanceMeter()
    old = Run()
    old.frames(0, 100, 100.0)
    assert look(meter, old, 104.0).capture == 0
    new = Run()
    new.frames(0, 10, 105.0)
    assert look(meter, new, 105.5).capture == 0
    new.frames(10, 10, 105.5, rate=20)
    assert look(meter, new, 106.0).capture == 20


def test_stages_are_those_of_the_last_seconds_however_the_run_began() -> None:
    run = Run()
    run.frames(0, 60, 100.0, rate=10, forward=0.09)
    run.frames(60, 50, 107.0, rate=25, forward=0.01)
    seen = look(PerformanceMeter(), run, 109.0)
    forward = next(stage for stage in seen.recent.stages if stage.stage == "forward")
    assert forward.work.p95 == pytest.approx(0.01, rel=0.02)
    assert seen.recent.seconds <= RECENT
    whole = next(stage for stage in seen.whole.stages if stage.stage == "forward")
    assert whole.work.p95 == pytest.approx(0.09, rel=0.02)


def test_a_long_pause_counts_only_as_far_as_it_is_recent() -> None:
    run = Run()
    run.frames(0, 5, 100.0)
    run.metrics.add(Span("prepare", 5, 100.2, 160.0, "wait", "inference"))
    seen = look(PerformanceMeter(), run, 160.0)
    assert seen.recent.seconds == pytest.approx(RECENT)
    assert next(s for s in seen.recent.stages if s.stage == "prepare").waited == pytest.approx(RECENT)


def test_the_bottleneck_is_that_of_now() -> None:
    run, meter = Run(), PerformanceMeter()
    run.frames(0, 50, 100.0, forward=0.04)
    run.metrics.drop("captured", 40)
    look(meter, run, 102.0)
    run.frames(50, 50, 102.0, forward=0.04)
    assert look(meter, run, 103.9).bottleneck.startswith("none, the source is kept up with")
    run.metrics.drop("captured", 20)
    assert look(meter, run, 104.0).bottleneck.startswith("forward: works ")
    assert look(meter, run, 104.0).bottleneck.endswith("frames were dropped (the last 2 s)")


def test_a_source_that_gives_nothing_any_more_holds_nothing_up() -> None:
    run, meter = Run(), PerformanceMeter()
    run.frames(0, 50, 100.0)
    look(meter, run, 102.0)
    told = look(meter, run, 107.0).bottleneck
    assert told == "no frames for 5 s: the source is paused, has ended or gives none"


def test_a_paused_source_is_called_so_though_a_frame_comes_now_and_then() -> None:
    run, meter = Run(), PerformanceMeter()
    run.frames(0, 3, 100.0, rate=1.5)
    seen = meter.measure(101.6, run.snapshot, run.spans.snapshot(), display=1.0, age=1.0, paused=True)
    assert "paused" in seen.bottleneck
    assert "frames a second" not in as_text(seen)


def test_everything_is_there_as_text_in_columns() -> None:
    run, meter = Run(), PerformanceMeter()
    run.metrics.queue("captured", 1, 4)
    run.metrics.drop("captured", 3)
    run.metrics.age(0.042)
    run.frames(0, 25, 100.0)
    look(meter, run, 101.0)
    run.frames(25, 25, 101.0)
    lines = as_text(look(meter, run, 102.0)).splitlines()
    assert lines[0] == "capture 25.0 fps, inference 25.0 fps, display 24.0 fps"
    assert lines[2].split() == ["stage", "p50", "p95", "works", "waits"]
    assert len({len(line) for line in lines[2:5]}) == 1
    assert lines[5:8] == [
        "queues: captured 1 of 4 (mean 1.0)",
        "dropped: 3 from captured since the source was opened",
        "age of the shown frame: 50 ms; on delivery p50 42 ms, p95 42 ms",
    ]
    assert lines[8].startswith("bottleneck: ")


def test_nothing_measured_reads_as_nothing() -> None:
    seen = PerformanceMeter().measure(1.0, Metrics().snapshot(), (), display=0.0, age=0.0)
    assert (seen.capture, seen.inference) == (0, 0)
    assert drops_text(seen.whole) == "none"
    assert "no stage has worked yet" in as_text(seen)


@pytest.mark.parametrize(("seconds", "text"), [(0.00042, "0.42 ms"), (0.0042, "4.2 ms"), (0.042, "42 ms")])
def test_milliseconds_have_no_more_digits_than_they_are_worth(seconds: float, text: str) -> None:
    assert milliseconds(seconds) == text


def test_columns_are_flush() -> None:
    assert aligned((("a", "1"), ("bcd", "100"))) == [("a  ", "  1"), ("bcd", "100")]
