"""Recordings that fail, are slow or never end: what is watched goes on."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import pytest

from model.errors import SinkError
from pipeline.frame import Result
from pipeline.live.files import recorder as settings
from pipeline.live.files.recorder import MOST_UNFINISHED, ROOM, Recorder
from pipeline.metrics.run import Metrics
from pipeline.runner import Runner, RunState
from pipeline.sinks.base import Sink
from pipeline.sinks.jsonl import JsonLinesSink
from pipeline.sinks.video import VideoSink
from tests.full_disk import no_file_longer_than
from tests.pipeline import standins
from tests.pipeline.live.files.recording_ends import PATIENCE, Ends, StuckSink, captured, every_tenth
from tests.pipeline.sinks.recordings import info, left_in, noise, write_all


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing waits but a moment."""
    monkeypatch.setattr(settings, "DRAIN", 0.02)
    monkeypatch.setattr(settings, "FINISH", 0.02)


def noise_at(seconds: float) -> Result:
    """A picture that no codec makes small, captured at that time."""
    (result,) = noise(1, (160, 120))
    return dataclasses.replace(result, frame=dataclasses.replace(result.frame, captured_at=seconds))


def write_until_it_ends(recorder: Recorder, results: Sequence[Result]) -> None:
    """Write results over and over, as long as the recording takes any."""
    deadline = monotonic() + PATIENCE
    for result in itertools.cycle(results):
        if not recorder.recording:
            return
        assert monotonic() < deadline
        recorder.write(result)


@pytest.mark.parametrize("where", ["open", "write", "close"])
def test_a_sink_that_fails_ends_its_recording_and_nothing_else(
    recorder: Recorder, ends: Ends, where: str
) -> None:
    healthy, broken = standins.Sink(), standins.Sink(where, standins.fail)
    recorder.start([healthy, broken], ends)
    recorder.write(next(captured([1.0])))
    if where == "close":
        recorder.stop()
    reports, error = ends.next()

    assert isinstance(error, OSError)
    assert str(error) == "the cable is out"
    assert healthy.closed == [where == "close"]
    assert broken.closed == healthy.closed
    assert any(report.summary == f"{len(healthy.results)} results" for report in reports)
    assert not recorder.recording
    write_all(recorder, captured(every_tenth(3)))  # nobody is bothered
    recorder.start([standins.Sink()], ends)
    recorder.stop()
    assert ends.next()[1] is None


def test_a_folder_that_is_not_there_is_told_when_the_first_frame_comes(
    recorder: Recorder, ends: Ends, tmp_path: Path
) -> None:
    recorder.start([VideoSink(tmp_path / "nowhere" / "o.mp4")], ends)
    recorder.write(next(captured([1.0])))
    _, error = ends.next()
    assert isinstance(error, SinkError)
    assert "nowhere" in str(error)


def test_whoever_is_told_of_an_end_may_record_again_at_once(recorder: Recorder, ends: Ends) -> None:
    again = standins.Sink()
    recorder.start(
        [standins.Sink("write", standins.fail)], lambda reports, error: recorder.start([again], ends)
    )
    results = list(captured(every_tenth(2)))
    deadline = monotonic() + PATIENCE
    while not again.written.wait(0.001):
        assert monotonic() < deadline
        write_all(recorder, results)
    recorder.stop()
    assert ends.next()[1] is None


@pytest.mark.parametrize("name", ["o.mp4", "o.mkv", "o.jsonl"])
def test_a_full_disk_ends_the_recording_with_a_line_and_what_is_left_is_told(
    recorder: Recorder, ends: Ends, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    other = standins.Sink()
    sink: Sink = JsonLinesSink(path) if name == "o.jsonl" else VideoSink(path, preset="ultrafast")
    with no_file_longer_than(20_000):
        recorder.start([sink, other], ends)
        write_until_it_ends(recorder, [noise_at(time / 10) for time in range(200)])
        (made, others), error = ends.next()

    assert isinstance(error, SinkError)
    assert "cannot be written" in str(error)
    assert "\n" not in str(error)
    assert not made.whole
    assert not path.exists()
    assert left_in(tmp_path) == ([made.path.name] if made.path else [])
    assert not others.whole


def test_the_run_goes_on_to_its_end_when_a_recording_fails(ends: Ends) -> None:
    recorder, shown = Recorder(), standins.Sink()
    recorder.open(info())
    recorder.start([standins.Sink("write", standins.fail)], ends)
    source = standins.Source(40)
    runner = Runner(
        lambda given_up: source, standins.Detector(), standins.paint, [recorder, shown], Metrics()
    )
    runner.start()
    report = runner.join(PATIENCE)
    assert report is not None
    assert (report.state, report.error) == (RunState.FINISHED, None)
    assert shown.indices == list(range(40))
    assert isinstance(ends.next()[1], OSError)


def test_writing_never_waits_for_a_sink_and_what_has_no_room_is_counted(
    recorder: Recorder, ends: Ends
) -> None:
    sink = StuckSink()
    results = list(captured(every_tenth(40)))
    recorder.start([sink], ends)
    recorder.write(results[0])
    assert sink.entered.wait(PATIENCE)
    write_all(recorder, results[1:])  # would never return if it waited
    assert recorder.recording
    recorder.stop()  # with the queue full
    assert not recorder.recording
    assert ends.seen.empty()
    sink.let.set()

    ((report,), error) = ends.next()
    assert error is None
    assert sink.indices == list(range(1 + ROOM))
    dropped = len(results) - 1 - ROOM
    assert report.summary == (f"{1 + ROOM} results, {dropped} frames dropped, because writing took too long")
    assert sink.results[-1].frame.pts == ROOM * 9000  # those that were dropped would have come later


@pytest.mark.usefixtures("hasty")
def test_closing_gives_up_what_waits_for_a_slow_sink_and_tells_of_it(recorder: Recorder, ends: Ends) -> None:
    sink = StuckSink()
    recorder.start([sink], ends)
    write_all(recorder, captured(every_tenth(5)))
    assert sink.entered.wait(PATIENCE)
    report = recorder.close(complete=True)
    assert report.problems == ("a recording is still being written; it ends by itself",)
    assert ends.seen.empty()

    sink.let.set()
    ((made,), error) = ends.next()
    assert error is None
    assert sink.indices == [0]
    assert sink.closed == [True]
    assert "4 frames dropped" in made.summary


def test_closing_takes_less_than_two_seconds() -> None:
    assert settings.DRAIN + settings.FINISH < 2


@pytest.mark.usefixtures("hasty")
def test_recordings_that_do_not_end_are_not_piled_up_without_limit(recorder: Recorder, ends: Ends) -> None:
    sinks = [StuckSink() for _ in range(MOST_UNFINISHED)]
    for sink in sinks:
        recorder.start([sink], ends)
        recorder.write(next(captured([1.0])))
        recorder.stop()
    with pytest.raises(SinkError, match="4 earlier recordings are still being written"):
        recorder.start([standins.Sink()], ends)
    for sink in sinks:
        sink.let.set()
    for _ in sinks:
        assert ends.next()[1] is None
    assert [sink.indices for sink in sinks] == [[0]] * MOST_UNFINISHED
