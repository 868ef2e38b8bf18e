"""Images are found where labelling tools put them, under the names that the tools write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.errors import DataError
from model.training.data.data_formats import load_annotations
from model.training.data.image_places import ImagePlaces
from model.training.data.labelled import load_labelled
from tests.tiny_data import coco_json, edit_json

BLOCK = (10, 8, 30, 40)
# what a file is called in the json -> the json -> where the image is
LAYOUTS = {
    "COCO": ("a.png", "annotations/instances_train2017.json", "train2017/a.png"),
    "images beside the json": ("a.png", "labels.json", "a.png"),
    "a folder beside the json": ("a.png", "labels.json", "images/a.png"),
    "a folder above": ("a.png", "labels/labels.json", "images/a.png"),
    "a folder of the split above": ("a.png", "labels/train.json", "images/train/a.png"),
    "CVAT": ("a.png", "annotations/instances_default.json", "images/default/a.png"),
    "CVAT, a split of two words": ("a.png", "annotations/instances_my_set.json", "images/my_set/a.png"),
    "CVAT, a json that was renamed": ("a.png", "annotations/mine.json", "images/default/a.png"),
    "CVAT with folders in names": (
        "cam/a.png",
        "annotations/instances_default.json",
        "images/default/cam/a.png",
    ),
    "Roboflow": ("a_png.rf.1f2e.png", "train/_annotations.coco.json", "train/a_png.rf.1f2e.png"),
    "FiftyOne": ("a.png", "labels.json", "data/a.png"),
    "Label Studio": ("images/a.png", "result.json", "images/a.png"),
    "Label Studio on Windows": ("images\\1\\a.png", "result.json", "images/1/a.png"),
    "Label Studio, a server's path": ("/data/upload/1/a.png", "result.json", "images/a.png"),
    "Label Studio, local files": ("/data/local-files/?d=photos/my%20a.png", "r.json", "images/my a.png"),
    "labelme": ("JPEGImages/a.png", "annotations.json", "JPEGImages/a.png"),
    "labelme on Windows": ("JPEGImages\\a.png", "annotations.json", "JPEGImages/a.png"),
    "small letters for capital ones": ("a.png", "labels.json", "images/A.PNG"),
    "capital letters in a folder": ("Cam\\a.png", "labels.json", "images/Cam/a.PNG"),
    "a name from where it was labelled": ("..\\..\\photos\\a.png", "labels.json", "images/a.png"),
    "an absolute name": ("/home/me/photos/a.png", "labels.json", "images/a.png"),
    "an absolute name with a folder that is there": ("/home/me/cam/a.png", "labels.json", "images/cam/a.png"),
    "an absolute name on Windows": ("C:\\Users\\me\\a.png", "labels.json", "images/a.png"),
    "an address": ("https://host.example/bucket/a.png?signature=x", "labels.json", "images/a.png"),
    "a file's address": ("file:///home/me/a%20b.png", "labels.json", "images/a b.png"),
    "an escaped name": ("caf%C3%A9%20a.png", "labels.json", "images/café a.png"),
    "a name with a percent sign": ("100%25.png", "labels.json", "images/100%25.png"),
    "letters and accents apart": ("caf\u00e9.png", "labels.json", "images/cafe\u0301.png"),
    "letters and accents in one": ("cafe\u0301.png", "labels.json", "images/caf\u00e9.png"),
}


def laid_out(folder: Path, name: str, labels: str, image: str) -> tuple[Path, Path]:
    path = coco_json(folder / "made", {"a.png": [BLOCK]})
    edit_json(path, lambda c: c["images"][0].update(file_name=name))
    for source, target in ((path, labels), (path.parent / "images" / "a.png", image)):
        (folder / "set" / target).parent.mkdir(parents=True, exist_ok=True)
        source.rename(folder / "set" / target)
    return folder / "set" / labels, folder / "set" / image


@pytest.mark.parametrize(("name", "labels", "image"), LAYOUTS.values(), ids=LAYOUTS)
def test_an_image_is_found_where_the_tool_put_it(tmp_path: Path, name: str, labels: str, image: str):
    path, file = laid_out(tmp_path, name, labels, image)

    found, labelled = load_annotations(path), load_labelled(path)

    assert [record.path.samefile(file) for record in found.images] == [True]
    (record,) = labelled.images
    assert labelled.place(record).path.samefile(file)
    assert labelled.place(record).fault == ""
    assert record["file_name"] == name


@pytest.mark.parametrize("given", ["", "images", "images/default"])
def test_a_folder_that_is_named_may_be_any_of_those_above_the_image(tmp_path: Path, given: str):
    path, _ = laid_out(tmp_path, "default/a.png", "elsewhere/instances_default.json", "images/default/a.png")

    assert len(load_annotations(path, images=path.parent.parent / given)) == 1


def test_a_folder_that_is_named_may_lie_two_above_a_plain_name(tmp_path: Path):
    path, _ = laid_out(tmp_path, "a.png", "elsewhere/mine.json", "images/default/a.png")

    assert len(load_annotations(path, images=path.parent.parent)) == 1


def test_what_is_not_found_is_told_with_the_names_that_were_looked_for(tmp_path: Path):
    path = coco_json(tmp_path, {"a.png": [BLOCK], "b.png": [BLOCK]})
    edit_json(path, lambda c: c["images"][1].update(file_name="photos\\c.png"))

    found = load_annotations(path)
    assert [(s.reason, s.examples) for s in found.skipped] == [
        ("image file is missing", ("photos\\c.png (also as photos/c.png, c.png)",))
    ]
    with pytest.raises(DataError, match=r"1 of 2 images cannot be read: .*c\.png.* photos/c\.png, c\.png\)"):
        load_labelled(path).require_images("go")

    (tmp_path / "images" / "a.png").unlink()
    for read in (load_annotations, load_labelled):
        with pytest.raises(
            DataError,
            match=r"none of its 2 images was found in .*images, .*; looked for a\.png; photos\\c\.png",
        ):
            read(path)


def test_a_file_that_two_names_could_mean_is_nobodys(tmp_path: Path):
    path = coco_json(tmp_path, {"a.png": [BLOCK], "b.png": [BLOCK], "c.png": [BLOCK]})

    def edit(content: dict) -> None:
        content["images"][0]["file_name"] = "front/1.png"
        content["images"][1]["file_name"] = "back/1.png"

    edit_json(path, edit)
    (tmp_path / "images" / "a.png").rename(tmp_path / "images" / "1.png")

    assert [image.name for image in load_annotations(path).images] == ["c.png"]


def test_letters_are_not_guessed_where_two_files_differ_in_nothing_else(tmp_path: Path):
    for name in ("a.PNG", "A.png", "b.png"):
        (tmp_path / name).write_bytes(b"")
    if len(list(tmp_path.iterdir())) < 3:
        pytest.skip("this file system does not tell small from capital letters")

    assert "a.png" not in ImagePlaces(tmp_path / "labels.json", ["a.png", "b.png"])


def test_a_subfolder_is_guessed_only_where_one_alone_has_the_file(tmp_path: Path):
    for folder, names in {"one": ("a", "b"), "two": ("b",)}.items():
        (tmp_path / "images" / folder).mkdir(parents=True)
        for name in names:
            (tmp_path / "images" / folder / f"{name}.png").write_bytes(b"")

    places = ImagePlaces(tmp_path / "labels.json", ["a.png", "b.png"])

    assert places["a.png"] == tmp_path / "images" / "one" / "a.png"
    assert "b.png" not in places


def test_the_split_of_the_json_comes_before_another_one(tmp_path: Path):
    for folder in ("train", "val"):
        (tmp_path / "images" / folder).mkdir(parents=True)
        (tmp_path / "images" / folder / "1.png").write_bytes(b"")

    for folder in ("train", "val"):
        file = tmp_path / "annotations" / f"instances_{folder}.json"
        assert ImagePlaces(file, ["1.png"])["1.png"] == tmp_path / "images" / folder / "1.png"


def test_a_name_that_no_file_can_have_is_only_missing(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"")

    places = ImagePlaces(
        tmp_path / "labels.json", ["a.png", "nul\0", "x" * 5000, "http://[", "/", "..", "?d="]
    )

    assert [
        name for name in ("a.png", "nul\0", "x" * 5000, "http://[", "/", "..", "?d=") if name in places
    ] == ["a.png"]


def test_a_folder_of_two_jsons_is_told_how_many_it_has(tmp_path: Path):
    coco_json(tmp_path, {"a.png": [BLOCK]})
    (tmp_path / "other.json").write_text(json.dumps({}))

    for read in (load_annotations, load_labelled):
        with pytest.raises(DataError, match=r"holds 2 json files, .*labels\.json, other\.json"):
            read(tmp_path)
