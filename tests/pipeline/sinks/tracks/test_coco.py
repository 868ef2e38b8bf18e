"""Tracks as a data set of COCO, read back by pycocotools."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from model.detections import MaskCrop
from pipeline.frame import Result
from pipeline.sinks.tracks import track_sink
from pipeline.sources.base import SourceInfo
from tests.pipeline.sinks.recordings import fill, info
from tests.pipeline.sinks.tracks.scenes import NAMES, Thing, crossing, many, nobody, results, shown


def read(tmp_path: Path, frames: list[Result], source: SourceInfo | None = None) -> COCO:
    fill(track_sink("coco", tmp_path / "o.json"), source or info(), frames)
    return COCO(str(tmp_path / "o.json"))


def test_every_frame_is_a_picture_and_every_mask_comes_back(tmp_path: Path) -> None:
    frames = crossing()
    coco = read(tmp_path, results(frames), info(path=Path("x/clip.mp4")))
    assert coco.getImgIds() == list(range(1, len(frames) + 1))
    for picture, things in zip(coco.loadImgs(coco.getImgIds()), frames, strict=True):
        index = picture["id"] - 1
        assert picture["file_name"] == f"clip_{index:06d}.jpg"
        assert (picture["width"], picture["height"]) == (64, 48)
        assert (picture["frame_index"], picture["time"]) == (index, pytest.approx(0.04 * index))
        found = coco.loadAnns(coco.getAnnIds(imgIds=[picture["id"]]))
        assert len(found) == len(things)
        for annotation, thing in zip(found, things, strict=True):
            assert np.array_equal(coco.annToMask(annotation), thing.mask)
            assert annotation["area"] == thing.mask.sum()
            assert annotation.get("track_id") == (thing.track if thing.track >= 0 else None)
            assert annotation["score"] == pytest.approx(thing.score)
            assert coco.loadCats(annotation["category_id"])[0]["name"] == thing.name
            left, top, right, bottom = thing.place
            assert annotation["bbox"] == [left, top, right - left, bottom - top]


def test_ids_count_from_1_and_are_never_given_twice(tmp_path: Path) -> None:
    coco = read(tmp_path, results(crossing()))
    assert sorted(coco.anns) == list(range(1, len(coco.anns) + 1))
    assert [(c["id"], c["name"]) for c in coco.loadCats(coco.getCatIds())] == list(enumerate(NAMES, 1))


def test_frames_without_anybody_stay(tmp_path: Path) -> None:
    coco = read(tmp_path, [*nobody(), shown(7, [Thing(0, (0, 0, 5, 5))])])
    assert [image["frame_index"] for image in coco.imgs.values()] == [0, 1, 2, 7]
    assert coco.getAnnIds(imgIds=[1, 2, 3]) == []
    assert len(coco.getAnnIds(imgIds=[4])) == 1


def test_a_ragged_mask_comes_back_with_its_area_and_not_its_boxs(tmp_path: Path) -> None:
    one = shown(0, [Thing(0, (10, 20, 40, 44))])
    pixels = np.random.default_rng(0).random((24, 30)) > 0.7
    crop = MaskCrop(10, 20, pixels)
    coco = read(tmp_path, [replace(one, detections=replace(one.detections, crops=(crop,)))])
    assert coco.anns[1]["area"] == pixels.sum()
    assert np.array_equal(coco.annToMask(coco.anns[1]), crop.paste(48, 64))


def test_without_masks_boxes_remain(tmp_path: Path) -> None:
    one = shown(0, [Thing(3, (10, 20, 14, 30))])
    coco = read(tmp_path, [replace(one, detections=replace(one.detections, crops=None))])
    (annotation,) = coco.loadAnns(coco.getAnnIds())
    assert "segmentation" not in annotation
    assert (annotation["bbox"], annotation["area"], annotation["track_id"]) == ([10, 20, 4, 10], 40, 3)


def test_a_picture_keeps_its_own_name_even_one_that_is_no_text(tmp_path: Path) -> None:
    one = shown(0, [])
    names = ["Käse.jpg", os.fsdecode(b"\xff.jpg")]
    coco = read(tmp_path, [replace(one, frame=replace(one.frame, name=name)) for name in names])
    assert [picture["file_name"] for picture in coco.imgs.values()] == names


def test_hundreds_in_a_frame_are_hundreds_of_annotations(tmp_path: Path) -> None:
    coco = read(tmp_path, many(300))
    assert [len(coco.getAnnIds(imgIds=[image])) for image in (1, 2, 3)] == [300, 150, 300]
