"""Detections as JSON lines."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from model.errors import SinkError
from pipeline.sinks.jsonl import JsonLinesSink, frame_record
from pipeline.sinks.video import VideoSink
from tests.full_disk import no_file_longer_than
from tests.pipeline.sinks.recordings import fill, info, left_in, numbered, times, two_cats, write_all


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_frame_is_a_line_with_its_exact_time(tmp_path: Path) -> None:
    report = fill(JsonLinesSink(tmp_path / "o.jsonl"), info(), map(two_cats, range(4)))
    first, *_, last = lines(tmp_path / "o.jsonl")
    assert [line["index"] for line in lines(tmp_path / "o.jsonl")] == [0, 1, 2, 3]
    assert Fraction(last["time_base"]) * last["pts"] == Fraction(3003, 30_000)
    assert last["time"] == pytest.approx(0.1001)
    assert (first["width"], first["height"]) == (8, 6)
    assert report.summary == "4 frames, 0.000 to 0.100 s, 8 detections"
    assert report.path == tmp_path / "o.jsonl"
    assert report.whole


@pytest.mark.parametrize(
    ("live", "stamps"), [(True, [8100, 8140, 8300]), (False, [-40, 0, 160]), (False, [8100, 8140, 8300])]
)
def test_the_time_of_a_line_is_that_of_its_frame_in_a_video_file(
    tmp_path: Path, live: bool, stamps: list[int]
) -> None:
    report = fill(JsonLinesSink(tmp_path / "o.jsonl"), info(live=live), numbered(stamps))
    fill(VideoSink(tmp_path / "o.mp4"), info(live=live), numbered(stamps))
    told = [line["pts"] * Fraction(line["time_base"]) for line in lines(tmp_path / "o.jsonl")]
    assert told == times(tmp_path / "o.mp4")
    assert [line["time"] for line in lines(tmp_path / "o.jsonl")] == [pytest.approx(float(t)) for t in told]
    assert report.summary.startswith(f"3 frames, {float(told[0]):.3f} to {float(told[-1]):.3f} s")


def test_the_stamp_stays_exact_where_the_origin_was_counted_in_another_unit() -> None:
    record = frame_record(next(numbered([100], Fraction(1, 25))), origin=Fraction(1, 3))
    assert record["pts"] * Fraction(record["time_base"]) == 4 - Fraction(1, 3)


def test_a_detection_has_class_score_box_mask_and_track() -> None:
    found = frame_record(two_cats())["detections"][0]
    mask = found.pop("segmentation")
    assert found == {"class": "cat", "score": 0.9, "bbox": [1.0, 2.0, 3.0, 2.0], "track_id": 7}
    decoded = coco_mask.decode(mask)
    assert np.argwhere(decoded).tolist() == [[2, 1], [2, 2], [3, 2], [3, 3]]


def test_without_masks_and_tracks_they_are_left_out() -> None:
    one = two_cats()
    boxes = replace(one, detections=replace(one.detections, crops=None, track_ids=None))
    assert list(frame_record(boxes)["detections"][1]) == ["class", "score", "bbox"]


def test_a_frame_with_nothing_on_it_has_an_empty_list_and_a_name_where_it_has_one() -> None:
    one = next(numbered([0]))
    assert frame_record(one)["detections"] == []
    assert "name" not in frame_record(one)
    assert frame_record(replace(one, frame=replace(one.frame, name="Käse.jpg")))["name"] == "Käse.jpg"


def test_a_name_that_is_no_text_is_written_all_the_same(tmp_path: Path) -> None:
    one = next(numbered([0]))
    name = os.fsdecode(b"\xff.jpg")
    fill(JsonLinesSink(tmp_path / "o.jsonl"), info(), [replace(one, frame=replace(one.frame, name=name))])
    assert lines(tmp_path / "o.jsonl")[0]["name"] == name


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        fill(JsonLinesSink(tmp_path / name), info(), map(two_cats, range(3)))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_part_can_be_followed_line_by_line(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path / "o.jsonl")
    sink.open(info())
    for number in range(3):
        sink.write(two_cats(number))
        (part,) = tmp_path.iterdir()
        assert len(lines(part)) == number + 1
    sink.close(complete=True)


def test_a_run_that_ended_early_leaves_whole_lines_under_the_name_of_a_part(tmp_path: Path) -> None:
    report = fill(JsonLinesSink(tmp_path / "o.jsonl"), info(), map(two_cats, range(3)), complete=False)
    assert report.path is not None
    assert report.path.name.endswith(".part.jsonl")
    assert len(lines(report.path)) == 3
    assert not report.whole


def test_a_full_disk_is_told_and_whole_lines_stay(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path / "o.jsonl")
    sink.open(info())
    with no_file_longer_than(2000):
        with pytest.raises(SinkError, match=r"o\.jsonl: cannot be written: File too large"):
            write_all(sink, map(two_cats, range(100)))
        report = sink.close(complete=False)
    assert report.path is not None
    whole = report.path.read_text().splitlines()[:-1]
    assert [json.loads(line)["index"] for line in whole] == list(range(len(whole)))
    assert len(whole) > 3


def test_a_number_that_json_does_not_know_is_a_sink_error(tmp_path: Path) -> None:
    one = two_cats()
    odd = replace(one, detections=replace(one.detections, scores=np.array([np.nan, 0], np.float32)))
    sink = JsonLinesSink(tmp_path / "o.jsonl")
    sink.open(info())
    with pytest.raises(SinkError, match="frame 0 cannot be written"):
        sink.write(odd)
    sink.close(complete=False)
    assert left_in(tmp_path) == []
