"""A run from source to sinks, with stand-ins for everything but the run itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from model.errors import SourceError
from pipeline.metrics.run import Metrics
from pipeline.runner import Runner, RunReport, RunState
from pipeline.stages import RunOptions
from tests.pipeline.standins import Detector, Sink, Source, fail, paint

PATIENCE = 20.0  # seconds; a busy machine is slow, a deadlock takes for ever
PROMPT = 2.0  # seconds in which threads end once they are told to


def run(
    source: Source,
    *sinks: Sink,
    detector: Detector | None = None,
    options: RunOptions | None = None,
    painter: Callable[..., Any] = paint,
) -> RunReport:
    runner = Runner(lambda _: source, detector or Detector(), painter, sinks, Metrics(), options)
    runner.start()
    report = runner.join(PATIENCE)
    assert report is not None, f"these hang: {runner.alive}"
    return report


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < deadline, "it never happens"
        threading.Event().wait(0.001)


def test_a_file_loses_no_frame_and_keeps_their_order() -> None:
    sink = Sink()
    report = run(Source(50), sink)
    assert report.state is RunState.FINISHED
    assert report.error is None
    assert sink.indices == list(range(50))
    assert report.frames == report.metrics.frames == 50
    assert report.metrics.dropped == 0


def test_each_result_is_drawn_on_the_frame_that_it_was_computed_from() -> None:
    sink = Sink()
    run(Source(20), sink, detector=Detector(slots=3))
    assert [int(r.annotated[0, 0, 0]) for r in sink.results if r.annotated is not None] == list(range(1, 21))


def test_every_sink_gets_every_result_and_is_closed_once_as_complete() -> None:
    sinks = Sink(), Sink()
    report = run(Source(5), *sinks)
    assert [sink.indices for sink in sinks] == [list(range(5))] * 2
    assert [sink.closed for sink in sinks] == [[True], [True]]
    assert [made.summary for made in report.sinks] == ["5 results"] * 2


def test_the_source_is_closed_and_its_warnings_are_told() -> None:
    source = Source(2)
    assert run(source).warnings == ("it creaks",)
    assert source.closed == 1


@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("slots", [1, 2, 4])
def test_as_many_batches_are_on_their_way_as_the_detector_takes_and_no_more(slots: int, batch: int) -> None:
    count = 12 * batch * slots
    source, sink = Source(count), Sink()

    def let_the_source_run_ahead() -> None:
        wait_until(lambda: source.given >= batch * (slots + 1))

    detector = Detector(slots, at=0, in_submit=let_the_source_run_ahead)
    run(source, sink, detector=detector, options=RunOptions(batch=batch))
    assert sink.indices == list(range(count))
    assert detector.most_pending == slots


def test_frames_of_a_file_go_through_the_network_in_whole_batches_but_for_the_last() -> None:
    detector, sink = Detector(slots=2), Sink()
    run(Source(10), sink, detector=detector, options=RunOptions(batch=4))
    assert detector.batches == [4, 4, 2]
    assert sink.indices == list(range(10))


def test_a_live_source_never_waits_to_fill_a_batch() -> None:
    detector = Detector()
    run(Source(5, live=True, pace=0.01), Sink(), detector=detector, options=RunOptions(batch=4))
    assert set(detector.batches) == {1}


def test_a_batch_may_be_larger_than_a_queue_usually_is() -> None:
    detector = Detector()
    run(Source(40), Sink(), detector=detector, options=RunOptions(batch=16))
    assert detector.batches == [16, 16, 8]


def test_stride_and_max_frames_choose_among_the_frames() -> None:
    sink = Sink()
    report = run(Source(100), sink, options=RunOptions(stride=3, max_frames=5))
    assert sink.indices == [0, 3, 6, 9, 12]
    assert report.state is RunState.FINISHED
    assert sink.closed == [True]


def test_a_live_source_gives_its_newest_frame_and_what_is_dropped_is_counted() -> None:
    go_on = threading.Event()
    source = Source(200, live=True)
    slow = Detector(in_submit=lambda: go_on.wait(PATIENCE) and None)
    slow.always = True  # frame 0 may be dropped before anyone has looked at it
    sink = Sink()
    runner = Runner(lambda _: source, slow, paint, [sink], Metrics())
    runner.start()
    wait_until(lambda: source.given == 200)  # the source runs ahead while a frame is worked on
    go_on.set()
    report = runner.join(PATIENCE)
    assert report is not None
    assert sink.indices[-1] == 199
    assert report.frames + report.metrics.dropped == 200
    assert report.metrics.dropped >= 197  # all but the one that is worked on and the newest, or two of them
    assert report.metrics.ages.count == report.frames


def test_a_source_without_frames_ends_the_run_and_opens_no_sink() -> None:
    sink = Sink()
    report = run(Source(0), sink)
    assert report.state is RunState.FINISHED
    assert (sink.info, sink.closed, report.sinks) == (None, [], ())


PLACES = {
    "opening the source": "open",
    "reading": "read",
    "beginning inference": "submit",
    "ending inference": "collect",
    "drawing": "paint",
    "opening a sink": "sink open",
    "writing": "write",
}


def faulty_run(place: str, at: int) -> tuple[RunReport, Sink]:
    """A run of many frames in which `place` raises at frame `at`, and its (other) sink."""
    witness = Sink()
    source = Source(None, at=at, fault=fail) if place == "read" else Source(None)
    detector = Detector(
        2,
        at,
        **({"in_submit": fail} if place == "submit" else {"in_collect": fail} if place == "collect" else {}),
    )

    def painter(result, fps):
        if place == "paint" and result.frame.index == at:
            fail()
        return paint(result, fps)

    def opener(interrupted: threading.Event) -> Source:
        if place == "open":
            fail()
        return source

    broken = Sink({"sink open": "open", "write": "write"}.get(place, ""), fail, at)
    runner = Runner(opener, detector, painter, [witness, broken], Metrics())
    runner.start()
    report = runner.join(PATIENCE)
    assert report is not None, f"these hang: {runner.alive}"
    return report, witness


@pytest.mark.parametrize("at", [0, 1, 40])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_an_error_anywhere_ends_every_thread_and_is_reported_once(place: str, at: int) -> None:
    report, witness = faulty_run(place, at)
    assert report.state is RunState.FAILED
    assert isinstance(report.error, OSError)
    assert str(report.error) == "the cable is out"
    assert witness.closed in ([], [False])
    assert bool(witness.closed) == (witness.info is not None)


def test_an_error_while_closing_one_sink_still_closes_the_others() -> None:
    sinks = Sink("close", fail), Sink()
    report = run(Source(3), *sinks)
    assert report.state is RunState.FAILED
    assert [sink.closed for sink in sinks] == [[True], [True]]
    assert [made.summary for made in report.sinks] == ["3 results"]


def test_the_first_error_is_the_one_that_is_told() -> None:
    def second() -> None:
        raise ValueError("second")

    report = run(Source(None), Sink("write", fail), Sink("close", second))
    assert str(report.error) == "the cable is out"


def stopped(runner: Runner) -> RunReport:
    runner.stop()
    report = runner.join(PROMPT)
    assert report is not None, f"not ended after {PROMPT} s: {runner.alive}"
    return report


def test_stopping_while_every_queue_is_full_ends_all_threads_in_time() -> None:
    release = threading.Event()
    stuck = Sink("write", lambda: release.wait(PATIENCE) and None, at=0)
    source = Source(None)
    runner = Runner(lambda _: source, Detector(2), paint, [stuck], Metrics())
    runner.start()
    queues = runner._frames, runner._found, runner._painted
    wait_until(lambda: all(len(queue) == queue.capacity for queue in queues))
    runner.stop()
    release.set()  # the write itself ends in its own time
    report = runner.join(PROMPT)
    assert report is not None, f"not ended: {runner.alive}"
    assert report.state is RunState.STOPPED
    assert stuck.closed == [False]
    assert source.closed == 1


def test_stopping_while_the_source_gives_nothing_ends_all_threads_in_time() -> None:
    source = Source(None, at=3)
    source._fault = source.hang
    sink = Sink()
    runner = Runner(lambda _: source, Detector(2), paint, [sink], Metrics())
    runner.start()
    assert sink.written.wait(PATIENCE)
    report = stopped(runner)
    assert report.state is RunState.STOPPED
    assert source.closed == 1
    assert sink.closed == [False]


def test_what_a_live_source_gave_until_it_was_stopped_is_complete() -> None:
    sink = Sink()
    runner = Runner(lambda _: Source(None, live=True, pace=0.001), Detector(), paint, [sink], Metrics())
    runner.start()
    assert sink.written.wait(PATIENCE)
    assert stopped(runner).state is RunState.STOPPED
    assert sink.closed == [True]


def test_stopping_twice_before_the_start_or_after_the_end_does_no_harm() -> None:
    runner = Runner(lambda _: Source(3), Detector(), paint, [], Metrics())
    runner.stop()
    assert runner.state is RunState.NEW
    runner.start()
    assert runner.join(PATIENCE) is not None
    runner.stop()
    runner.stop()
    report = runner.join(PATIENCE)
    assert report is not None
    assert report.state is RunState.FINISHED


def test_a_run_starts_once() -> None:
    runner = Runner(lambda _: Source(1), Detector(), paint, [], Metrics())
    runner.start()
    assert runner.join(PATIENCE) is not None
    with pytest.raises(RuntimeError, match="finished"):
        runner.start()


def test_every_stage_of_the_run_itself_is_timed() -> None:
    report = run(Source(10), Sink())
    stages = {stats.stage: stats for stats in report.metrics.stages}
    assert {"capture", "overlay", "encode"} <= set(stages)
    assert stages["overlay"].work.count == stages["encode"].work.count == 10
    assert {queue.name for queue in report.metrics.queues} == {"captured", "detected", "drawn"}


@pytest.mark.parametrize("gives_up", [True, False], ids=["gives up", "opens all the same"])
def test_stopping_while_the_source_is_being_opened_ends_the_opening(gives_up: bool) -> None:
    opening = threading.Event()

    def opener(interrupted: threading.Event) -> Source:
        opening.set()
        assert interrupted.wait(PATIENCE), "nobody interrupted the opening"
        if gives_up:
            raise SourceError("interrupted before it was open")
        return Source(None)

    runner = Runner(opener, Detector(), paint, [Sink()], Metrics())
    runner.start()
    assert opening.wait(PATIENCE)
    report = stopped(runner)
    assert (report.state, report.error) == (RunState.STOPPED, None)


def test_what_a_camera_dropped_by_itself_is_counted_too() -> None:
    source = Source(10, live=True, pace=0.005)
    source.skip = {3, 4, 7}
    sink = Sink()
    report = run(source, sink)
    assert report.metrics.drops["source"] == 3
    assert report.frames + report.metrics.dropped == 10


def test_frames_that_were_dropped_do_not_count_among_those_that_were_asked_for() -> None:
    source, sink = Source(None, live=True, pace=0.001), Sink()
    slow = Detector(in_submit=lambda: wait_until(lambda: source.given >= 10))
    slow.always = True
    report = run(source, sink, detector=slow, options=RunOptions(max_frames=5))
    assert report.frames == 5
    assert report.metrics.dropped > 5


def test_a_live_run_that_fails_is_not_whole() -> None:
    sink = Sink()
    report = run(Source(None, live=True, at=5, fault=fail, pace=0.001), sink)
    assert report.state is RunState.FAILED
    assert sink.closed in ([False], [])


def test_a_stop_right_after_the_start_is_heard() -> None:
    for _ in range(20):
        source = Source(None)
        runner = Runner(lambda _, source=source: source, Detector(), paint, [Sink()], Metrics())
        runner.start()
        assert stopped(runner).state is RunState.STOPPED


def test_a_stop_after_everything_was_delivered_changes_nothing() -> None:
    sink = Sink()
    runner = Runner(lambda _: Source(3), Detector(), paint, [sink], Metrics())
    runner.start()
    wait_until(lambda: bool(sink.closed))
    runner.stop()
    report = runner.join(PATIENCE)
    assert report is not None
    assert report.state is RunState.FINISHED


def test_a_source_that_was_cut_off_ends_the_run_but_what_it_gave_is_not_the_whole() -> None:
    class CutOff(Source):
        cut = True

    sink = Sink()
    report = run(CutOff(5), sink)
    assert (report.state, report.error, report.cut) == (RunState.FINISHED, None, True)
    assert sink.closed == [False]
    assert not run(Source(5)).cut
