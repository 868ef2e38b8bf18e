"""Tracks in the text format of MOTS, read back and scored by TrackEval."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from model.errors import ConfigError
from pipeline.frame import Result
from pipeline.sinks.base import SinkReport
from pipeline.sinks.tracks import track_sink
from pipeline.sinks.tracks.mots import without_overlap
from tests.pipeline.sinks.recordings import fill, info
from tests.pipeline.sinks.tracks.readers import hota, kitti_mots, mots_challenge, read
from tests.pipeline.sinks.tracks.scenes import Thing, crossing, many, nobody, results, shown


def write(path: Path, frames: list[Result], name: str = "mots") -> SinkReport:
    return fill(track_sink(name, path), info(), frames)


def rows(path: Path) -> list[list[str]]:
    return [line.split(" ") for line in path.read_text(encoding="ascii").splitlines()]


def seen(frames: list[Result], tmp_path: Path) -> list[dict[int, np.ndarray]]:
    """Of every frame the masks by id, as TrackEval's reader of KITTI MOTS gives them."""
    path = tmp_path / "o.txt"
    write(path, frames, "kitti-mots")
    raw = read(kitti_mots(path, path, len(frames), tmp_path / "kitti"))
    return [
        {int(number): coco_mask.decode(code).astype(bool) for number, code in zip(ids, codes, strict=True)}
        for ids, codes in zip(raw["tracker_ids"], raw["tracker_dets"], strict=True)
    ]


def test_a_line_is_frame_id_class_height_width_and_mask(tmp_path: Path) -> None:
    write(tmp_path / "o.txt", [shown(0, []), shown(1, [Thing(7, (1, 2, 9, 20), "car")])])
    (row,) = rows(tmp_path / "o.txt")
    assert row[:5] == ["2", "1007", "1", "48", "64"]
    decoded = coco_mask.decode({"size": [48, 64], "counts": row[5].encode()})
    assert np.array_equal(decoded, Thing(0, (1, 2, 9, 20)).mask)


def test_crossing_people_come_back_with_their_ids_and_the_pixels_that_the_better_score_leaves(
    tmp_path: Path,
) -> None:
    frames = crossing()
    for here, things in zip(seen(results(frames), tmp_path), frames, strict=True):
        known = [thing for thing in things if thing.track >= 0 and thing.name != "dog"]
        taken = np.zeros((48, 64), bool)
        wanted = {}
        for thing in sorted(known, key=lambda thing: -thing.score):
            if (left := thing.mask & ~taken).any():
                wanted[{"car": 1000, "person": 2000}[thing.name] + thing.track] = left
            taken |= thing.mask
        assert here.keys() == wanted.keys()
        assert all(np.array_equal(here[number], wanted[number]) for number in wanted)


def test_trackeval_gives_full_marks_where_the_truth_is_the_same(tmp_path: Path) -> None:
    path, other = tmp_path / "o.txt", tmp_path / "kitti.txt"
    write(path, results(crossing()))
    write(other, results(crossing()), "kitti-mots")
    challenge = mots_challenge(path, path, 12, tmp_path / "challenge")
    kitti = kitti_mots(other, other, 12, tmp_path / "kitti")
    assert hota(challenge, "pedestrian") == hota(kitti, "pedestrian") == hota(kitti, "car") == 1


def test_what_counts_from_1_is_no_file_for_what_counts_from_0(tmp_path: Path) -> None:
    truth, late = tmp_path / "truth.txt", tmp_path / "late.txt"
    write(truth, results(crossing()), "kitti-mots")
    write(late, results(crossing()[:11]), "mots")
    assert rows(truth)[0][0] == "0"
    assert rows(late)[0][0] == "1"
    assert hota(kitti_mots(late, truth, 12, tmp_path / "kitti"), "pedestrian") < 0.8


def test_trackeval_sees_an_id_that_changes_halfway(tmp_path: Path) -> None:
    frames = crossing()
    renamed = [
        [replace(thing, track=9) if index > 5 and thing.track == 0 else thing for thing in things]
        for index, things in enumerate(frames)
    ]
    write(tmp_path / "truth.txt", results(frames))
    write(tmp_path / "o.txt", results(renamed))
    dataset = mots_challenge(tmp_path / "o.txt", tmp_path / "truth.txt", 12, tmp_path / "challenge")
    assert 0.7 < hota(dataset, "pedestrian") < 0.95


def test_what_is_left_out_is_counted_by_its_reason(tmp_path: Path) -> None:
    frame = [
        Thing(0, (0, 0, 20, 20), score=0.9),
        Thing(1, (5, 5, 10, 10), score=0.8),  # behind the first
        Thing(2, (30, 0, 40, 9), "dog"),
        Thing(-1, (50, 0, 60, 9)),
    ]
    report = write(tmp_path / "o.txt", results([frame]))
    told, _, left_out = report.summary.partition("; left out: ")
    assert told.endswith("1 detection, 1 track")
    assert left_out == "1 of classes that MOTS does not know, 1 in no track, 1 without a pixel"
    assert report.whole


def test_what_is_left_out_covers_nobody(tmp_path: Path) -> None:
    person = Thing(0, (0, 0, 20, 20), score=0.5)
    above = [Thing(1, (0, 0, 30, 30), "dog", 0.9), Thing(-1, (0, 0, 30, 30), score=0.8)]
    (here,) = seen(results([[*above, person]]), tmp_path)
    assert np.array_equal(here[2000], person.mask)


def test_the_better_score_wins_wherever_it_stands_and_of_equals_the_first() -> None:
    places = [(0, 0, 10, 10), (5, 0, 15, 10), (5, 5, 20, 20)]
    scores = [0.5, 0.9, 0.9]
    things = [
        Thing(n, place, score=score) for n, (place, score) in enumerate(zip(places, scores, strict=True))
    ]
    masks = without_overlap(shown(0, things).detections).masks
    assert np.array_equal(masks[1], things[1].mask)
    assert np.array_equal(masks[2], things[2].mask & ~things[1].mask)
    assert np.array_equal(masks[0], things[0].mask & ~things[1].mask & ~things[2].mask)


def test_a_track_keeps_its_first_class_and_so_its_id(tmp_path: Path) -> None:
    names = ["dog", "car", "person", "dog", "person"]
    frames = [[Thing(4, (0, 0, 9, 9), name)] for name in names]
    write(tmp_path / "o.txt", results(frames))
    assert [row[:3] for row in rows(tmp_path / "o.txt")] == [[n, "1004", "1"] for n in ("2", "3", "5")]


def test_tracks_from_1000_on_share_no_id_with_anybody_and_are_told(tmp_path: Path) -> None:
    tracks = [0, 999, 1000, 1999, 2000, 70_000]
    frame = [
        Thing(track, (3 * n, 0, 3 * n + 2, 2), "car" if n % 2 else "person") for n, track in enumerate(tracks)
    ]
    report = write(tmp_path / "o.txt", results([frame]), "kitti-mots")
    found = rows(tmp_path / "o.txt")
    assert [int(row[1]) for row in found] == [2000, 1999, 11_000, 11_999, 12_000, 80_000]
    assert [row[2] for row in found] == ["2", "1"] * 3
    assert "; 4 with ids of more than 3 digits" in report.summary
    path = tmp_path / "o.txt"
    dataset = kitti_mots(path, path, 1, tmp_path / "kitti")
    assert hota(dataset, "pedestrian") == hota(dataset, "car") == 1


def test_names_of_classes_are_known_in_capitals_too(tmp_path: Path) -> None:
    write(tmp_path / "o.txt", [shown(0, [Thing(0, (0, 0, 5, 5), "Person")], names=("Person",))])
    assert rows(tmp_path / "o.txt")[0][2] == "2"


def test_a_network_that_knows_neither_people_nor_cars_is_refused_by_the_first_frame(tmp_path: Path) -> None:
    sink = track_sink("mots", tmp_path / "o.txt")
    sink.open(info())
    with pytest.raises(
        ConfigError, match=r"MOTS knows car, pedestrian, person and nothing else, .* dog, cat;"
    ):
        sink.write(shown(0, [], names=("dog", "cat")))
    assert sink.close(complete=False).path is None


def test_hundreds_in_a_frame_and_nobody_at_all_are_read(tmp_path: Path) -> None:
    for folder in ("many", "none"):
        (tmp_path / folder).mkdir()
    assert [len(here) for here in seen(many(300), tmp_path / "many")] == [300, 150, 300]
    assert seen(nobody(), tmp_path / "none") == [{}, {}, {}]


def test_frames_that_were_left_out_leave_their_numbers_out(tmp_path: Path) -> None:
    write(tmp_path / "o.txt", [shown(index, [Thing(0, (0, 0, 5, 5))]) for index in (0, 5, 10)])
    assert [row[0] for row in rows(tmp_path / "o.txt")] == ["1", "6", "11"]
