"""What every format of tracks promises, whatever it writes."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from model.errors import ConfigError, SinkError
from pipeline.sinks.tracks import TRACK_FORMATS, track_sink
from pipeline.sinks.tracks.sink import TracksSink
from tests.full_disk import no_file_longer_than
from tests.pipeline.sinks.recordings import fill, info, left_in, write_all
from tests.pipeline.sinks.tracks.scenes import Thing, crossing, nobody, results, shown

STREAMED = ("csv", "coco", "mots", "kitti-mots")


@pytest.fixture(params=TRACK_FORMATS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def sink(name: str, tmp_path: Path) -> TracksSink:
    return track_sink(name, tmp_path / "o")


def test_no_two_formats_share_a_suffix() -> None:
    assert len({made.suffix for made in TRACK_FORMATS.values()}) == len(TRACK_FORMATS)


def test_an_unknown_format_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no format of tracks is named 'xml'; there are csv, coco"):
        track_sink("xml", tmp_path / "o")


def test_frames_detections_and_tracks_are_counted_and_the_file_gets_its_name(
    sink: TracksSink, tmp_path: Path
) -> None:
    report = fill(sink, info(), results(crossing()[:3]))
    assert report.summary.startswith("3 frames, 0.000 to 0.080 s, ")
    assert " detections, " in report.summary
    assert report.path == tmp_path / "o"
    assert (report.whole, report.problems) == (True, ())
    assert left_in(tmp_path) == ["o"]


def test_the_same_results_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    for copy in ("a", "b"):
        fill(track_sink(name, tmp_path / copy), info(), results(crossing()))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != b""


def test_a_video_on_which_nobody_is_makes_a_file_all_the_same(sink: TracksSink, tmp_path: Path) -> None:
    report = fill(sink, info(), nobody())
    assert report.summary == "3 frames, 0.000 to 0.080 s, 0 detections, 0 tracks"
    assert report.whole
    assert (tmp_path / "o").exists()


def test_what_is_in_no_track_is_never_given_one(name: str, tmp_path: Path) -> None:
    frame = [Thing(4, (0, 0, 5, 5)), Thing(-1, (10, 10, 15, 15))]
    report = fill(track_sink(name, tmp_path / "o"), info(), results([frame]))
    assert " 1 track" in report.summary
    assert ("left out: 1 in no track" in report.summary) == TRACK_FORMATS[name].needs_tracks


def test_a_run_that_ended_early_leaves_a_whole_file_under_the_name_of_a_part(
    name: str, tmp_path: Path
) -> None:
    report = fill(track_sink(name, tmp_path / "o"), info(), results(crossing()[:5]), complete=False)
    fill(track_sink(name, tmp_path / "short"), info(), results(crossing()[:5]))
    assert report.path is not None
    assert ".part" in report.path.name
    assert report.path.read_bytes() == (tmp_path / "short").read_bytes()
    assert not report.whole


def test_a_sink_without_frames_leaves_nothing(sink: TracksSink, tmp_path: Path) -> None:
    report = fill(sink, info(), [])
    assert (report.path, report.whole) == (None, False)
    assert left_in(tmp_path) == []


def test_a_file_that_exists_stays_unless_it_may_be_replaced(name: str, tmp_path: Path) -> None:
    (tmp_path / "o").write_text("mine")
    with pytest.raises(SinkError, match="exists already"):
        track_sink(name, tmp_path / "o").open(info())
    assert (tmp_path / "o").read_text() == "mine"
    fill(track_sink(name, tmp_path / "o", overwrite=True), info(), results(crossing()))
    assert (tmp_path / "o").read_text() != "mine"


def test_a_full_disk_is_told_and_nothing_passes_for_whole(name: str, tmp_path: Path) -> None:
    sink = track_sink(name, tmp_path / "o")
    sink.open(info())
    frames = results(crossing() * 20)
    if name in STREAMED:
        with no_file_longer_than(3000):
            with pytest.raises(SinkError, match="o: cannot be written: File too large"):
                write_all(sink, frames)
            report = sink.close(complete=False)
        assert report.summary.startswith("broken off: ")
        assert report.path is not None
        assert (report.path.exists(), report.whole) == (True, False)
    else:  # it is written at the end
        write_all(sink, frames)
        with (
            no_file_longer_than(3000),
            pytest.raises(SinkError, match="o: cannot be written: File too large"),
        ):
            sink.close(complete=True)
    assert not (tmp_path / "o").exists()


def test_bytes_that_are_not_what_was_written_are_a_problem(
    sink: TracksSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.open(info())
    write_all(sink, results(crossing()))
    part = sink._part
    assert part is not None
    finish = part.finish

    def spoil() -> None:
        finish()
        data = bytearray(part.part.read_bytes())
        data[len(data) // 2] ^= 1
        part.part.write_bytes(data)

    monkeypatch.setattr(part, "finish", spoil)
    report = sink.close(complete=True)
    assert "are not the same" in report.problems[0]
    assert not report.whole
    assert not (tmp_path / "o").exists()


def test_boxes_alone_and_strangers_are_refused_where_the_format_needs_more(name: str, tmp_path: Path) -> None:
    (one,) = results([[Thing(0, (0, 0, 5, 5))]])
    wanted = TRACK_FORMATS[name]
    cases = {
        "masks": (wanted.needs_masks, replace(one, detections=replace(one.detections, crops=None))),
        "tracks": (wanted.needs_tracks, replace(one, detections=replace(one.detections, track_ids=None))),
    }
    for what, (is_needed, poor) in cases.items():
        sink = track_sink(name, tmp_path / what)
        sink.open(info())
        if is_needed:
            with pytest.raises(ConfigError, match=f"holds {what}"):
                sink.write(poor)
        else:
            sink.write(poor)
        assert (sink.close(complete=True).path is None) == is_needed


@pytest.mark.parametrize("name", ["csv", "coco", "youtubevis", "youtubevis-dataset"], indirect=True)
def test_a_score_that_is_no_number_is_told_with_its_frame(name: str, tmp_path: Path) -> None:
    sink = track_sink(name, tmp_path / "o")
    sink.open(info())
    with pytest.raises(SinkError, match="frame 3 cannot be written"):
        sink.write(shown(3, [Thing(0, (0, 0, 5, 5), score=np.nan)]))
    assert sink.close(complete=False).path is None


def test_of_a_long_video_no_more_than_the_codes_are_held(name: str, tmp_path: Path) -> None:
    side, frames = 480, 60
    one = shown(0, [Thing(track, (80, 0, 80 + side, side)) for track in range(4)], size=(side, 640))
    sink = track_sink(name, tmp_path / "o")
    sink.open(info())
    tracemalloc.start()
    try:
        for index in range(frames):
            # masks of its own for each frame, as a detector makes them
            crops = tuple(replace(crop, pixels=crop.pixels.copy()) for crop in one.detections.crops or ())
            frame = replace(one.frame, index=index, pts=40 * index)
            sink.write(replace(one, frame=frame, detections=replace(one.detections, crops=crops)))
        sink.close(complete=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * side * side * frames / 10


@pytest.mark.parametrize("name", ["coco", "youtubevis", "youtubevis-dataset"], indirect=True)
def test_json_is_valid_after_any_number_of_frames(name: str, tmp_path: Path) -> None:
    for frames in range(1, 6):
        path = tmp_path / str(frames)
        fill(track_sink(name, path), info(), islice(results(crossing()), frames))
        json.loads(path.read_text())


@pytest.mark.parametrize("name", ["csv"], indirect=True)
def test_a_class_name_that_is_no_text_is_spelled_out(name: str, tmp_path: Path) -> None:
    found = [Thing(0, (0, 0, 5, 5), "\ud800")]
    fill(track_sink(name, tmp_path / "o"), info(), [shown(3, found, names=("\ud800",))])
    assert "\\ud800" in (tmp_path / "o").read_text(encoding="utf-8")
