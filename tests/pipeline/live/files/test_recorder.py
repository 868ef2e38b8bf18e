"""Recordings that begin and end while somebody watches."""

from __future__ import annotations

import json
import threading
from fractions import Fraction
from itertools import count
from pathlib import Path

import pytest

from model.errors import SinkError
from pipeline.live.files.recorder import TIME_BASE, Recorder
from pipeline.metrics.run import Metrics
from pipeline.runner import Runner, RunState
from pipeline.sinks.jsonl import JsonLinesSink
from pipeline.sinks.video import VideoSink
from tests.clips import number_of
from tests.pipeline import standins
from tests.pipeline.live.files.recording_ends import PATIENCE, Ends, captured, every_tenth
from tests.pipeline.sinks.recordings import info, left_in, pictures, times, write_all


def test_what_comes_between_start_and_stop_is_recorded(recorder: Recorder, ends: Ends) -> None:
    sink = standins.Sink()
    results = list(captured(every_tenth(9)))
    write_all(recorder, results[:3])
    assert not recorder.recording
    recorder.start([sink], ends)
    assert recorder.recording
    write_all(recorder, results[3:6])
    recorder.stop()
    assert not recorder.recording
    write_all(recorder, results[6:])

    reports, error = ends.next()
    assert error is None
    assert [report.summary for report in reports] == ["3 results"]
    assert (sink.indices, sink.closed) == ([3, 4, 5], [True])
    assert ends.threads == ["livemask recording"]


def test_video_and_json_count_from_the_first_recorded_frame_by_when_frames_were_seen(
    recorder: Recorder, ends: Ends, tmp_path: Path
) -> None:
    video, lines = tmp_path / "o.mp4", tmp_path / "o.jsonl"
    seen = [1000.0, 1000.1, 1000.1, 1003.6]  # paused for a while
    recorder.start([VideoSink(video), JsonLinesSink(lines)], ends)
    write_all(recorder, captured(seen, first=50))
    recorder.stop()

    reports, error = ends.next()
    assert error is None
    assert [(report.path, report.whole, report.problems) for report in reports] == [
        (video, True, ()),
        (lines, True, ()),
    ]
    stamps = [0, 9000, 9001, 324_000]
    assert times(video) == [stamp * TIME_BASE for stamp in stamps]
    assert [number_of(picture) for picture in pictures(video)] == [0, 1, 2, 3]
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [(one["pts"], one["time_base"]) for one in records] == [(pts, "1/90000") for pts in stamps]


def test_clocks_that_stand_still_or_run_back_still_give_ascending_stamps(
    recorder: Recorder, ends: Ends
) -> None:
    sink = standins.Sink()
    recorder.start([sink], ends)
    write_all(recorder, captured([7.0, 7.0, 6.0, 7.00001, 8.0]))
    recorder.stop()
    ends.next()
    assert [result.frame.pts for result in sink.results] == [0, 1, 2, 3, 90_000]
    assert {result.frame.time_base for result in sink.results} == {Fraction(1, 90_000)}


def test_sinks_are_told_of_a_live_source_without_a_file_of_the_frames_own_size(
    recorder: Recorder, ends: Ends, tmp_path: Path
) -> None:
    recorder.open(info(tmp_path / "clip.mp4", width=1920, height=1080))
    sink = standins.Sink()
    recorder.start([sink], ends)
    write_all(recorder, captured([1.0], size=(40, 30)))
    recorder.stop()
    ends.next()
    told = sink.info
    assert told is not None
    assert (told.path, told.live, told.width, told.height) == (None, True, 40, 30)
    assert told.name == str(tmp_path / "clip.mp4")


def test_a_frame_of_another_size_ends_a_recording_in_order(
    recorder: Recorder, ends: Ends, tmp_path: Path
) -> None:
    path = tmp_path / "o.mkv"
    recorder.start([VideoSink(path)], ends)
    write_all(recorder, captured(every_tenth(3)))
    write_all(recorder, captured(every_tenth(3), size=(80, 48)))
    ((report,), error) = ends.next()
    assert error is None
    assert (report.path, report.whole) == (path, True)
    assert len(times(path)) == 3
    assert not recorder.recording


def test_a_recording_without_a_frame_leaves_nothing(recorder: Recorder, ends: Ends, tmp_path: Path) -> None:
    recorder.start([VideoSink(tmp_path / "o.mp4")], ends)
    recorder.stop()
    assert ends.next() == ((), None)
    assert left_in(tmp_path) == []


def test_closing_finishes_a_recording_that_nobody_stopped(
    recorder: Recorder, ends: Ends, tmp_path: Path
) -> None:
    path = tmp_path / "o.mp4"
    recorder.start([VideoSink(path)], ends)
    write_all(recorder, captured(every_tenth(5)))
    report = recorder.close(complete=False)  # what was seen of a run that broke is recorded all the same
    assert (report.path, report.summary, report.problems) == (None, "1 recording", ())
    assert path.exists()
    ((made,), error) = ends.next()
    assert error is None
    assert made.whole
    assert len(times(path)) == 5


def test_a_second_recording_is_refused_and_the_first_goes_on(recorder: Recorder, ends: Ends) -> None:
    first, second = standins.Sink(), standins.Sink()
    results = list(captured(every_tenth(2)))
    recorder.start([first], ends)
    recorder.write(results[0])
    with pytest.raises(SinkError, match="going on already; stop it"):
        recorder.start([second], ends)
    recorder.write(results[1])
    recorder.stop()
    recorder.stop()
    ends.next()
    assert first.indices == [0, 1]
    assert second.info is None
    assert ends.seen.empty()


def test_without_a_source_there_is_nothing_to_record(ends: Ends) -> None:
    recorder = Recorder()
    with pytest.raises(SinkError, match="open a source"):
        recorder.start([standins.Sink()], ends)
    recorder.open(info())
    recorder.close(complete=True)
    with pytest.raises(SinkError, match="open a source"):
        recorder.start([standins.Sink()], ends)
    assert ends.seen.empty()


def test_it_takes_one_source_after_another(recorder: Recorder, ends: Ends) -> None:
    assert recorder.close(complete=True).summary == "0 recordings"
    recorder.open(info())
    sink = standins.Sink()
    recorder.start([sink], ends)
    write_all(recorder, captured(every_tenth(2)))
    assert recorder.close(complete=True).summary == "1 recording"
    ends.next()
    assert sink.indices == [0, 1]


def test_start_and_stop_in_quick_turns_give_one_whole_recording_each(
    recorder: Recorder, ends: Ends, tmp_path: Path
) -> None:
    done = threading.Event()

    def show() -> None:
        for index in count():
            write_all(recorder, captured([index / 10], first=index, size=(8, 8)))
            if done.wait(0.001):
                return

    shower = threading.Thread(target=show, name="shower")
    shower.start()
    paths = [tmp_path / f"{turn}.jsonl" for turn in range(30)]
    try:
        for path in paths:
            start_as_soon_as_possible(recorder, path, ends)
            recorder.stop()
        told = [ends.next() for _ in paths]
    finally:
        done.set()
        shower.join()
    assert [error for _, error in told if error] == []
    made = {report.path for reports, _ in told for report in reports if report.path}
    assert {path for path in paths if path.exists()} == made
    assert len(left_in(tmp_path)) == len(made)


def start_as_soon_as_possible(recorder: Recorder, path: Path, ends: Ends) -> None:
    """Earlier recordings may still be written, but not too many of them."""
    while True:
        try:
            recorder.start([JsonLinesSink(path)], ends)
        except SinkError as error:
            assert "earlier recordings" in str(error)  # noqa: PT017
        else:
            return


def test_a_run_is_recorded_while_it_goes_on_and_ends_with_the_run(ends: Ends) -> None:
    recorder, sink, shown = Recorder(), standins.Sink(), standins.Sink()
    source = standins.Source(None, live=True, pace=0.002)
    runner = Runner(
        lambda given_up: source, standins.Detector(), standins.paint, [recorder, shown], Metrics()
    )
    runner.start()
    assert shown.written.wait(PATIENCE)
    recorder.start([sink], ends)
    assert sink.written.wait(PATIENCE)
    runner.stop()
    report = runner.join(PATIENCE)

    assert report is not None
    assert report.state is RunState.STOPPED
    assert report.sinks[0].summary == "1 recording"
    ((made,), error) = ends.next()
    assert error is None
    assert made.whole
    assert sink.results[0].annotated is not None
    assert set(sink.indices) <= {*shown.indices, shown.indices[-1] + 1}
