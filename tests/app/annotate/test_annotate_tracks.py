"""`annotate` with tracks: from the command line to files that the formats' own tools read."""

from __future__ import annotations

import csv
import json
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from app.cli import main
from assets.make_demo_video import VIDEO, scene
from pipeline.sinks.tracks import TRACK_FORMATS
from tests.app.conftest import Annotate
from tests.clips import write_clip
from tests.pipeline.sinks.tracks.readers import hota, kitti_mots, mots_challenge, read, track_ap, youtube_vis

EVERY = ",".join(TRACK_FORMATS)
FRAMES = 12


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def found(path: Path) -> list[dict[str, Any]]:
    """All detections of a file of JSON lines."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return list(chain.from_iterable(line["detections"] for line in lines))


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the shipped weights make of the start of the demo: every format, as "a" and once more as "b"."""
    folder = tmp_path_factory.mktemp("real")
    options = ["--as", "json", "--max-frames", str(FRAMES), "--tracks-as", EVERY, "--device", "cpu", "-q"]
    for name in ("a", "b"):
        assert main(["annotate", str(VIDEO), "-o", str(folder / f"{name}.jsonl"), *options]) == 0
    return folder


def truth(path: Path) -> Path:
    """The people of the demo in the format of MOTS, as the video was made of them."""
    ids: dict[str, int] = {}
    lines = []
    for index in range(FRAMES):
        for name, mask in scene(index)[1].items():
            if mask.any():
                code = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
                number = 2000 + ids.setdefault(name, len(ids))
                lines.append(f"{index + 1} {number} 2 {mask.shape[0]} {mask.shape[1]} {code}\n")
    path.write_text("".join(lines))
    return path


def test_the_same_video_gives_the_same_bytes_twice(real: Path) -> None:
    assert {found["track_id"] for found in found(real / "a.jsonl")} >= {0, 1}
    for suffix in (".jsonl", *(made.suffix for made in TRACK_FORMATS.values())):
        assert (real / f"a{suffix}").read_bytes() == (real / f"b{suffix}").read_bytes() != b""


def test_real_people_are_found_and_followed_by_the_judgement_of_trackeval(real: Path, tmp_path: Path) -> None:
    dataset = mots_challenge(real / "a.mots.txt", truth(tmp_path / "truth.txt"), FRAMES, tmp_path / "eval")
    assert hota(dataset, "pedestrian") > 0.6


def test_real_tracks_are_the_same_in_all_formats(real: Path, tmp_path: Path) -> None:
    lines = found(real / "a.jsonl")
    rows = table(real / "a.tracks.csv")
    coco = COCO(str(real / "a.coco.json"))
    tracks = [detection["track_id"] for detection in lines]
    assert [int(row["track"] or -1) for row in rows] == tracks
    assert [note.get("track_id", -1) for note in coco.anns.values()] == tracks
    areas = [int(coco_mask.area(detection["segmentation"])) for detection in lines]
    assert [int(row["area"]) for row in rows] == [note["area"] for note in coco.anns.values()] == areas
    results, labels = real / "a.youtubevis.json", real / "a.youtubevis-dataset.json"
    dataset = youtube_vis(results, labels, tmp_path / "vis")
    assert track_ap(dataset, "person") == pytest.approx(1)
    vis = read(dataset)["tracker_dets"]
    mots = read(kitti_mots(*[real / "a.kitti-mots.txt"] * 2, FRAMES, tmp_path / "mots"))["tracker_dets"]
    assert sum(map(len, vis)) == sum(
        track >= 0 and area > 0 for track, area in zip(tracks, areas, strict=True)
    )
    assert sum(map(len, mots)) <= sum(map(len, vis))


def test_json_lines_carry_the_track_unless_nobody_is_to_be_followed(
    annotate: Annotate, tmp_path: Path
) -> None:
    write_clip(tmp_path / "clip.mp4")
    assert annotate(tmp_path / "clip.mp4", "-o", tmp_path / "on.jsonl", "--as", "json") == 0
    assert annotate(tmp_path / "clip.mp4", "-o", tmp_path / "off.jsonl", "--as", "json", "--no-track") == 0
    on, off = found(tmp_path / "on.jsonl"), found(tmp_path / "off.jsonl")
    assert {detection["track_id"] for detection in on} > {0}
    assert all("track_id" not in detection for detection in off)
    assert [detection["bbox"] for detection in on] == [detection["bbox"] for detection in off] != []


@pytest.mark.parametrize("strength", ["light", "strong"])
def test_stabilising_moves_boxes_and_keeps_the_frames(
    annotate: Annotate, tmp_path: Path, strength: str
) -> None:
    write_clip(tmp_path / "clip.mp4", frames=12, size=(96, 64))
    for name, options in {"off": (), strength: ("--stabilise", strength)}.items():
        assert (
            annotate(tmp_path / "clip.mp4", "-o", tmp_path / f"{name}.jsonl", "--as", "json", *options) == 0
        )
    off, on = (tmp_path / f"{name}.jsonl" for name in ("off", strength))
    assert [d["bbox"] for d in found(on)] != [d["bbox"] for d in found(off)]
    assert len(on.read_text().splitlines()) == len(off.read_text().splitlines()) == 12


@pytest.mark.parametrize("kind", ["video", "images", "json"])
def test_tracks_lie_beside_whatever_becomes_of_the_frames(
    annotate: Annotate, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "clip.mp4", frames=3)
    assert annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out", "--as", kind, "--tracks-as", EVERY) == 0
    main_output = {"video": "clip_masks.mp4", "images": "clip_masks", "json": "clip_masks.jsonl"}[kind]
    tracks = [f"clip_masks{made.suffix}" for made in TRACK_FORMATS.values()]
    assert listing(tmp_path / "out") == sorted([main_output, *tracks])
    said = capsys.readouterr().out
    assert all(f"{tmp_path / 'out' / name}: 3 frames, " in said for name in tracks)


def test_the_names_of_pictures_in_coco_are_those_in_the_folder_of_images(
    annotate: Annotate, tmp_path: Path
) -> None:
    write_clip(tmp_path / "clip.mp4", frames=5)
    annotate(
        *(tmp_path / "clip.mp4", "-o", tmp_path / "out", "--stride", "2"),
        *("--as", "images", "--tracks-as", "coco"),
    )
    coco = json.loads((tmp_path / "out" / "clip_masks.coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == listing(tmp_path / "out" / "clip_masks")


def test_photographs_that_become_a_video_are_followed_and_keep_their_names(
    annotate: Annotate, tmp_path: Path
) -> None:
    (tmp_path / "frames").mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / "frames" / f"p{number}.png"), np.full((32, 48, 3), 60, np.uint8))
    assert annotate(tmp_path / "frames", "-o", tmp_path / "out.mp4", "--tracks-as", "coco,csv") == 0
    coco = json.loads((tmp_path / "out.coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["p0.png", "p1.png", "p2.png"]
    assert {row["track"] for row in table(tmp_path / "out.tracks.csv")} >= {"0"}


def test_each_video_of_a_batch_has_its_own_tracks_from_0(annotate: Annotate, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_clip(tmp_path / f"{name}.mp4", frames=3)
    options = ("--as", "json", "--tracks-as", "csv")
    assert annotate(tmp_path / "a.mp4", tmp_path / "b.mp4", "-o", tmp_path / "out", *options) == 0
    tables = [(tmp_path / "out" / f"{name}_masks.tracks.csv").read_bytes() for name in ("a", "b")]
    assert tables[0] == tables[1]
    assert b",0,person," in tables[0] or b",0,traffic light," in tables[0]


def test_boxes_alone_and_frames_by_themselves_make_a_table_and_a_coco_file(
    annotate: Annotate, tmp_path: Path
) -> None:
    write_clip(tmp_path / "clip.mp4", frames=2)
    for option in ("--no-masks", "--no-track"):
        out = tmp_path / option
        command = (tmp_path / "clip.mp4", "-o", out, "--as", "json", "--tracks-as", "csv,coco", option)
        assert annotate(*command) == 0
        rows = table(out / "clip_masks.tracks.csv")
        notes = json.loads((out / "clip_masks.coco.json").read_text())["annotations"]
        assert len(rows) == len(notes) > 0
        assert ({row["track"] for row in rows} == {""}) == (option == "--no-track")
        assert any("segmentation" in note for note in notes) == (option == "--no-track")
        assert any("track_id" in note for note in notes) == (option == "--no-masks")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--no-track", "--stabilise", "light"), "--stabilise light needs tracks; leave --no-track out"),
        (("--no-track", "--tracks-as", "csv,mots"), "--tracks-as mots holds tracks; leave --no-track out"),
        (
            ("--no-masks", "--tracks-as", EVERY),
            "--tracks-as mots,kitti-mots,youtubevis,youtubevis-dataset holds masks",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_before_any_work(
    annotate: Annotate,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    said: str,
) -> None:
    write_clip(tmp_path / "clip.mp4", frames=2)
    assert annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out", *options) == 2
    assert said in capsys.readouterr().err
    assert listing(tmp_path) == ["clip.mp4"]


def test_an_unknown_format_is_refused_with_those_that_there_are(
    annotate: Annotate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        annotate(tmp_path / "clip.mp4", "--tracks-as", "csv,xml")
    assert end.value.code == 2
    assert (
        "expected any of csv, coco, mots, kitti-mots, youtubevis, youtubevis-dataset"
        in capsys.readouterr().err
    )


def test_where_nobody_looks_for_people_or_cars_a_mots_file_is_empty_and_says_why(
    annotate: Annotate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "clip.mp4", frames=2)
    options = ("--as", "json", "--tracks-as", "mots", "--classes", "traffic light")
    assert annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out", *options) == 0
    assert (tmp_path / "out" / "clip_masks.mots.txt").read_bytes() == b""
    assert "of classes that MOTS does not know" in capsys.readouterr().out


def test_with_photographs_alone_options_about_tracks_are_told_to_have_no_effect(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert annotate(photos, "-o", tmp_path / "a", "--stabilise", "light", "--tracks-as", "csv") == 0
    assert annotate(photos, "-o", tmp_path / "b", "--no-track", "-q") == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    why = "has no effect: photographs have no tracks"
    assert told == [f"note: {option} {why}" for option in ("--stabilise", "--tracks-as", "--no-track")]
    assert listing(tmp_path / "a") == listing(tmp_path / "b") == ["a.jpg", "b.png", "c.png"]


def test_tracks_that_exist_are_replaced_kept_or_refused_as_any_output(
    annotate: Annotate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "clip.mp4", frames=2)
    out = tmp_path / "out"
    out.mkdir()
    mine = out / "clip_masks.tracks.csv"
    mine.write_text("mine")
    command = (tmp_path / "clip.mp4", "-o", out, "--as", "json", "--tracks-as", "csv,coco")
    assert annotate(*command) == 1
    assert f"the output {mine} exists" in capsys.readouterr().err
    assert listing(out) == [mine.name]
    assert annotate(*command, "--skip-existing") == 0
    assert mine.read_text() == "mine"
    assert listing(out) == ["clip_masks.coco.json", "clip_masks.jsonl", mine.name]
    assert annotate(*command, "--skip-existing") == 0
    assert "1 skipped" in capsys.readouterr().out
    assert annotate(*command, "--overwrite") == 0
    assert mine.read_text() != "mine"


def test_a_dry_run_names_the_tracks_too(
    annotate: Annotate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "clip.mp4", frames=2)
    assert annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out", "--tracks-as", "mots", "--dry-run") == 0
    assert str(tmp_path / "out" / "clip_masks.mots.txt") in capsys.readouterr().out
    assert listing(tmp_path) == ["clip.mp4"]
