"""Tracks in the formats of YouTube-VIS, read back and scored by TrackEval."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from model.detections import run_lengths
from model.errors import SinkError
from pipeline.frame import Result
from pipeline.sinks.tracks import track_sink
from tests.pipeline.sinks.recordings import fill, info
from tests.pipeline.sinks.tracks.readers import hota, read, track_ap, youtube_vis
from tests.pipeline.sinks.tracks.scenes import NAMES, Thing, crossing, many, nobody, results, shown

KINDS = ("youtubevis", "youtubevis-dataset")


def write(folder: Path, frames: Sequence[Result]) -> tuple[Path, Path]:
    """The results and the data set."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{kind}.json" for kind in KINDS]
    for kind, path in zip(KINDS, paths, strict=True):
        fill(track_sink(kind, path), info(), frames)
    return paths[0], paths[1]


def written(folder: Path, frames: Sequence[Result]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    results_file, dataset = write(folder, frames)
    return json.loads(results_file.read_text()), json.loads(dataset.read_text())


def test_an_entry_is_a_track_with_a_place_for_every_frame(tmp_path: Path) -> None:
    frames = crossing()
    entries, _ = written(tmp_path, results(frames))
    assert [NAMES[entry["category_id"] - 1] for entry in entries] == [
        "person",
        "person",
        "dog",
        "car",
        "person",
    ]
    for entry, track in zip(entries, (0, 1, 5, 2, 3), strict=True):
        assert entry["video_id"] == 1
        assert len(entry["segmentations"]) == len(frames)
        for code, things in zip(entry["segmentations"], frames, strict=True):
            there = [thing for thing in things if thing.track == track]
            assert (code is not None) == bool(there)
            if there:
                assert np.array_equal(coco_mask.decode(code), there[0].mask)


def test_the_data_set_says_the_same_with_names_sizes_boxes_and_areas(tmp_path: Path) -> None:
    entries, dataset = written(tmp_path, results(crossing()))
    (video,) = dataset["videos"]
    assert (video["id"], video["width"], video["height"], video["length"]) == (1, 64, 48, 12)
    assert video["file_names"][11] == "frame/frame_000011.jpg"
    assert [(c["id"], c["name"]) for c in dataset["categories"]] == list(enumerate(NAMES, 1))
    assert [a["track_id"] for a in dataset["annotations"]] == [0, 1, 5, 2, 3]
    assert [a["id"] for a in dataset["annotations"]] == [1, 2, 3, 4, 5]
    for entry, annotation in zip(entries, dataset["annotations"], strict=True):
        assert annotation["category_id"] == entry["category_id"]
        for packed, plain, box, area in zip(
            *(entry["segmentations"], annotation["segmentations"], annotation["bboxes"], annotation["areas"]),
            strict=True,
        ):
            assert (packed is None) == (plain is None) == (box is None) == (area is None)
            if packed is not None:
                assert coco_mask.frPyObjects(plain, 48, 64)["counts"].decode() == packed["counts"]
                assert area == coco_mask.area(packed)
                assert box == coco_mask.toBbox(packed).tolist()


def test_trackeval_reads_both_and_gives_full_marks_where_they_say_the_same(tmp_path: Path) -> None:
    frames = crossing()
    paths = write(tmp_path, results(frames))
    dataset = youtube_vis(*paths, tmp_path / "eval")
    raw = read(dataset)
    for ids, things in zip(raw["tracker_ids"], frames, strict=True):
        assert len(ids) == sum(thing.track >= 0 for thing in things)
    for name in NAMES:
        assert track_ap(dataset, name) == pytest.approx(1)
        assert hota(dataset, name) == pytest.approx(1)


def test_trackeval_sees_a_track_that_is_missing(tmp_path: Path) -> None:
    _, truth = write(tmp_path / "all", results(crossing()))
    fewer = [[thing for thing in things if thing.track != 1] for things in crossing()]
    found, _ = write(tmp_path / "fewer", results(fewer))
    assert track_ap(youtube_vis(found, truth, tmp_path / "eval"), "person") == pytest.approx(2 / 3, abs=0.01)


def test_a_track_has_the_mean_score_and_the_class_that_it_has_most_often(tmp_path: Path) -> None:
    names = ["dog", "person", "person"]
    frames = [
        [Thing(0, (0, 0, 5, 5), name, score)] for name, score in zip(names, (0.5, 0.6, 0.9), strict=True)
    ]
    ((entry,), dataset) = written(tmp_path, results(frames))
    assert (entry["category_id"], entry["score"]) == (1, pytest.approx(2 / 3, abs=1e-5))
    assert dataset["annotations"][0]["score"] == entry["score"]


def test_hundreds_in_a_frame_and_nobody_at_all_are_read(tmp_path: Path) -> None:
    paths = write(tmp_path / "many", many(300))
    raw = read(youtube_vis(*paths, tmp_path / "eval many"))
    assert [len(ids) for ids in raw["tracker_ids"]] == [300, 150, 300]
    paths = write(tmp_path / "none", nobody())
    raw = read(youtube_vis(*paths, tmp_path / "eval none"))
    assert [len(ids) for ids in raw["tracker_ids"]] == [0, 0, 0]
    assert json.loads(paths[0].read_text()) == []


def test_a_mask_without_a_pixel_is_an_absence_and_told(tmp_path: Path) -> None:
    frames = results([[Thing(0, (0, 0, 5, 5))], [Thing(0, (0, 0, 0, 5))], [Thing(0, (0, 0, 5, 5))]])
    report = fill(track_sink("youtubevis", tmp_path / "o"), info(), frames)
    (entry,) = json.loads((tmp_path / "o").read_text())
    assert [code is None for code in entry["segmentations"]] == [False, True, False]
    assert report.summary.endswith("2 detections, 1 track; left out: 1 without a pixel")


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_of_another_size_is_refused(tmp_path: Path, kind: str) -> None:
    sink = track_sink(kind, tmp_path / "o")
    sink.open(info())
    sink.write(shown(0, []))
    with pytest.raises(SinkError, match=r"frame 1 is of \(32, 24\) pixels, those before of \(64, 48\)"):
        sink.write(shown(1, [], size=(24, 32)))
    sink.close(complete=False)


def test_ragged_masks_come_back_to_the_pixel(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    one = shown(0, [Thing(0, (4, 6, 60, 46))])
    frames = []
    for index in range(20):
        crop = replace((one.detections.crops or ())[0], pixels=random.random((40, 56)) > random.random())
        frame = replace(one.frame, index=index)
        frames.append(Result(frame, replace(one.detections, crops=(crop,))))
    ((entry,), dataset) = written(tmp_path, frames)
    for frame, packed, plain in zip(
        *(frames, entry["segmentations"], dataset["annotations"][0]["segmentations"]), strict=True
    ):
        (crop,) = frame.detections.crops or ()
        assert np.array_equal(coco_mask.decode(packed), crop.paste(48, 64))
        assert plain == {"size": [48, 64], "counts": run_lengths(crop, 48, 64).tolist()}
