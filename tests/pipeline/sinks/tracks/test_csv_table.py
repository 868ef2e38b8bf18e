"""Tracks as a table, read back by Python's own reader."""

from __future__ import annotations

import csv
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from model.detections import MaskCrop
from pipeline.frame import Result
from pipeline.sinks.jsonl import frame_record
from pipeline.sinks.tracks import track_sink
from pipeline.sinks.tracks.csv_table import COLUMNS, centre_of
from tests.pipeline.sinks.recordings import fill, info
from tests.pipeline.sinks.tracks.scenes import Thing, crossing, many, results, shown


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, strict=True)
        rows = list(reader)
    assert tuple(reader.fieldnames or ()) == COLUMNS
    return rows


def written(tmp_path: Path, frames: list[Result], live: bool = False) -> list[dict[str, str]]:
    fill(track_sink("csv", tmp_path / "o.csv"), info(live=live), frames)
    return table(tmp_path / "o.csv")


def test_each_detection_is_a_row_with_its_frame_track_class_score_and_place(tmp_path: Path) -> None:
    frames = crossing()
    rows = written(tmp_path, results(frames))
    things = [(index, thing) for index, here in enumerate(frames) for thing in here]
    assert len(rows) == len(things)
    for row, (index, thing) in zip(rows, things, strict=True):
        down, across = np.nonzero(thing.mask)
        assert (int(row["frame"]), row["class"]) == (index, thing.name)
        assert row["track"] == (str(thing.track) if thing.track >= 0 else "")
        assert float(row["score"]) == pytest.approx(thing.score)
        assert int(row["area"]) == thing.mask.sum()
        assert float(row["centre_x"]) == pytest.approx(across.mean() + 0.5)
        assert float(row["centre_y"]) == pytest.approx(down.mean() + 0.5)
        assert tuple(float(row[side]) for side in ("x1", "y1", "x2", "y2")) == thing.place


def test_lines_end_as_the_standard_has_it(tmp_path: Path) -> None:
    written(tmp_path, results(crossing()))
    data = (tmp_path / "o.csv").read_bytes()
    assert data.startswith(
        b"frame,time,track,class,score,area,centre_x,centre_y,x1,y1,x2,y2\r\n0,0.0,0,person,0.9,"
    )
    assert data.count(b"\n") == data.count(b"\r\n")
    assert data.endswith(b"\r\n")


def test_the_time_is_that_of_the_json_lines_for_a_camera_too(tmp_path: Path) -> None:
    frames = [shown(index, [Thing(0, (0, 0, 5, 5))]) for index in (50, 52)]
    rows = written(tmp_path, frames, live=True)
    told = [frame_record(one, Fraction(2))["time"] for one in frames]
    assert [float(row["time"]) for row in rows] == told == [0, 0.08]


def test_a_name_of_a_class_may_hold_commas_quotes_and_lines(tmp_path: Path) -> None:
    name = 'a "fine", big\ndog é'
    (row,) = written(tmp_path, [shown(0, [Thing(0, (0, 0, 5, 5), name)], names=("cat", name))])
    assert row["class"] == name


def test_without_masks_area_and_centre_are_the_boxs(tmp_path: Path) -> None:
    one = shown(0, [Thing(0, (10, 20, 14, 30))])
    (row,) = written(tmp_path, [replace(one, detections=replace(one.detections, crops=None))])
    assert (row["area"], row["centre_x"], row["centre_y"]) == ("40.0", "12.0", "25.0")


def test_an_empty_mask_has_an_area_of_0_and_no_centre(tmp_path: Path) -> None:
    one = shown(0, [Thing(0, (10, 20, 14, 30))])
    for crop in (MaskCrop(10, 20, np.zeros((10, 4), bool)), MaskCrop(10, 20, np.zeros((0, 4), bool))):
        (tmp_path / "o.csv").unlink(missing_ok=True)
        (row,) = written(tmp_path, [replace(one, detections=replace(one.detections, crops=(crop,)))])
        assert (row["area"], row["centre_x"], row["centre_y"]) == ("0", "", "")


def test_hundreds_in_a_frame_are_hundreds_of_rows(tmp_path: Path) -> None:
    rows = written(tmp_path, many(300))
    assert len(rows) == 300 + 150 + 300
    assert {row["track"] for row in rows} == {str(track) for track in range(300)}


def test_the_centre_of_a_ragged_mask_is_the_mean_of_its_pixels() -> None:
    pixels = np.random.default_rng(0).random((17, 23)) > 0.7
    down, across = np.nonzero(pixels)
    assert centre_of(MaskCrop(5, 9, pixels)) == pytest.approx((5.5 + across.mean(), 9.5 + down.mean()))
