"""The sentence that names what holds a run up."""

from __future__ import annotations

from pipeline.metrics.bottleneck import bottleneck
from pipeline.metrics.run import Kind, Metrics, MetricsSnapshot, Span

SECONDS = 10.0


def run(
    *shares: tuple[str, Kind, float, str], dropped: int = 0, dropped_by_source: int = 0
) -> MetricsSnapshot:
    """A run of ten seconds in a hundred frames; shares: stage, what it did, part of the time, thread."""
    metrics = Metrics()
    step = SECONDS / 100
    for i in range(100):
        for stage, kind, share, thread in shares:
            metrics.add(Span(stage, i, i * step, (i + share) * step, kind, thread))
    metrics.add(Span("encode", 99, SECONDS, SECONDS, thread="sinks"))
    metrics.drop("captured", dropped)
    metrics.drop("source", dropped_by_source)
    return metrics.snapshot()


def test_the_stage_that_works_most_is_named_with_who_waits_for_it() -> None:
    told = bottleneck(
        run(
            ("capture", "work", 0.15, "capture"),
            ("capture", "room", 0.8, "capture"),
            ("forward", "work", 0.91, "engine"),
            ("overlay", "work", 0.3, "overlay"),
            ("overlay", "wait", 0.65, "overlay"),
            ("encode", "wait", 0.6, "sinks"),
        )
    )
    assert told == (
        "forward: works 91 % of the time; capture waits 80 % of the time for room; "
        "overlay waits 65 % of the time for frames"
    )


def test_stages_that_share_a_thread_are_counted_together() -> None:
    told = bottleneck(
        run(
            ("prepare", "work", 0.25, "inference"),
            ("nms", "work", 0.4, "inference"),
            ("masks", "work", 0.3, "inference"),
            ("overlay", "work", 0.6, "overlay"),
        )
    )
    assert told == "nms: works 40 % of the time, with prepare, masks in its thread 95 %"


def test_reading_a_file_can_be_the_bottleneck() -> None:
    told = bottleneck(
        run(
            ("capture", "work", 0.97, "capture"),
            ("prepare", "wait", 0.6, "inference"),
            ("forward", "work", 0.3, "inference"),
        )
    )
    assert told == "capture: works 97 % of the time; prepare waits 60 % of the time for frames"


def test_where_a_live_source_is_kept_up_with_there_is_no_bottleneck() -> None:
    told = bottleneck(
        run(
            ("capture", "wait", 0.99, "capture"),
            ("forward", "work", 0.8, "engine"),
            ("encode", "wait", 0.99, "sinks"),
            dropped=4,
        )
    )
    assert told == "none, the source is kept up with: it gives 10.0 frames a second; nothing is slower"


def test_that_the_frames_of_a_live_source_are_waited_for_is_no_news() -> None:
    told = bottleneck(
        run(
            ("capture", "wait", 0.99, "capture"),
            ("forward", "work", 0.9, "engine"),
            ("encode", "wait", 0.99, "sinks"),
            dropped=40,
        )
    )
    assert told == "forward: works 90 % of the time; 40 of the source's 100 frames were dropped"


def test_a_live_source_that_is_faster_shows_in_its_drops() -> None:
    told = bottleneck(
        run(("capture", "wait", 0.99, "capture"), ("forward", "work", 0.9, "engine"), dropped=40)
    )
    assert told == "forward: works 90 % of the time; 40 of the source's 100 frames were dropped"


def test_frames_that_a_live_source_drops_by_itself_are_among_those_that_it_gives() -> None:
    told = bottleneck(
        run(
            ("capture", "wait", 0.99, "capture"),
            ("forward", "work", 0.9, "engine"),
            dropped=40,
            dropped_by_source=100,
        )
    )
    assert told == "forward: works 90 % of the time; 140 of the source's 200 frames were dropped"


def test_a_run_that_has_only_waited_yet_has_none() -> None:
    metrics = Metrics()
    assert bottleneck(metrics.snapshot()) == "no stage has worked yet"
    metrics.add(Span("prepare", 0, 0.0, 1.0, "wait"))
    assert bottleneck(metrics.snapshot()) == "no stage has worked yet"
