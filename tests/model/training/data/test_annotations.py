"""Joining data sets, and telling what is in one and what was left out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.errors import ConfigError, DataError
from model.training.data.annotations import AnnotationSet, ImageRecord, Instance, SkipLog, finished_set, join
from model.training.data.class_map import map_classes
from model.training.data.data_formats import DATA_FORMATS, load_all, load_annotations
from model.training.data.labelled import load_labelled
from tests.tiny_data import coco_json, edit_json

OBJECT = Instance((0, 0, 4, 4), 0)


def small_set(name: str, count: int, classes: tuple[str, ...] = ("person",)) -> AnnotationSet:
    images = tuple(ImageRecord(Path(f"{name}{n}.jpg"), 8, 8, (OBJECT,)) for n in range(count))
    return AnnotationSet(name, classes, images)


def test_joined_sets_hold_the_images_of_all():
    joined = join([small_set("a", 2), small_set("b", 3)])

    assert [image.name for image in joined.images] == ["a0.jpg", "a1.jpg", "b0.jpg", "b1.jpg", "b2.jpg"]
    assert joined.name == "a + b"
    assert joined.weights is None


def test_weights_share_out_the_draws_whatever_the_sizes():
    joined = join([small_set("a", 2), small_set("b", 8)], weights=[3, 1])

    assert joined.weights is not None
    share = sum(joined.weights[:2]) / sum(joined.weights)
    assert share == pytest.approx(0.75)


def test_the_weights_within_a_joined_set_stay_in_proportion():
    inner = join([small_set("a", 1), small_set("b", 1)], weights=[3, 1])

    joined = join([inner, small_set("c", 2)], weights=[1, 1])

    assert joined.weights == pytest.approx([0.75, 0.25, 0.5, 0.5])


@pytest.mark.parametrize("weights", [[1], [1, 2, 3], [1, 0], [1, -1], [1, float("nan")]])
def test_weights_that_do_not_fit_are_refused(weights: list[float]):
    with pytest.raises(DataError, match="expected 2 positive weights"):
        join([small_set("a", 1), small_set("b", 1)], weights=weights)


def test_sets_of_different_classes_do_not_join():
    with pytest.raises(DataError, match="a has the classes person, b has car"):
        join([small_set("a", 1), small_set("b", 1, ("car",))])
    with pytest.raises(DataError, match="no data set"):
        join([])


def test_what_was_left_out_is_told_most_frequent_first_with_the_first_names():
    log = SkipLog()
    log.add("rare", "only.jpg")
    for n in range(5):
        log.add("frequent", f"{n}.jpg")

    told = [str(skipped) for skipped in log.report()]

    assert told == ["5 × frequent (0.jpg, 1.jpg, 2.jpg, …)", "1 × rare (only.jpg)"]


def test_a_joined_set_tells_which_set_left_things_out():
    log = SkipLog()
    log.add("image file is missing", "x.jpg")
    flawed = replace(small_set("b", 1), skipped=log.report())

    joined = join([small_set("a", 1), flawed])

    assert joined.summary()[1] == "a + b: left out 1 × b: image file is missing (x.jpg)"


def test_the_summary_counts_objects_masks_and_crowds():
    crowd = replace(OBJECT, crowd=True, rle=b"1")
    images = (
        ImageRecord(Path("a.jpg"), 8, 8, (OBJECT, replace(OBJECT, rle=b"1"), crowd)),
        ImageRecord(Path("b.jpg"), 8, 8, (), labelled=frozenset({0})),
    )

    (line,) = AnnotationSet("set", ("person", "car"), images).summary()

    assert line == (
        "set: 2 images (1 without objects, 1 labelled in part), 2 objects (1 with a mask), 1 crowds"
    )


def test_an_empty_set_is_refused():
    with pytest.raises(DataError, match="no image"):
        finished_set("set", ("person",), [], SkipLog())


def test_a_class_named_twice_is_refused():
    with pytest.raises(ConfigError, match="'person' is named twice"):
        map_classes(["person"], ["person", "person"])


def test_classes_of_which_none_is_there_are_refused_even_where_some_may_be_missing():
    with pytest.raises(ConfigError, match="no class 'dog'"):
        map_classes(["person"], ["dog", "cat"], allow_missing=True)


def test_a_path_of_no_known_format_is_refused_with_the_formats_there_are(tmp_path: Path):
    with pytest.raises(DataError, match="no such file or folder"):
        load_annotations(tmp_path / "nothing")
    with pytest.raises(DataError) as refusal:
        load_annotations(tmp_path)
    assert all(data_format.title in str(refusal.value) for data_format in DATA_FORMATS.values())


@pytest.mark.parametrize("labels", ["data.yaml", "labels/a.txt", "labels/train/a.txt", "train/labels/a.txt"])
@pytest.mark.parametrize("load", [load_annotations, load_labelled])
def test_a_yolo_data_set_is_refused_by_what_it_is(tmp_path: Path, labels: str, load):
    (tmp_path / labels).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / labels).write_text("0 0.1 0.1 0.9 0.1 0.9 0.9\n")
    for path in (tmp_path, tmp_path / "data.yaml"):
        if path.exists():
            with pytest.raises(DataError, match=f"{path}: a YOLO data set .* export it as COCO json"):
                load(path)


@pytest.mark.parametrize("load", [load_annotations, load_labelled])
def test_a_panoptic_json_is_refused_by_what_it_is(tmp_path: Path, load):
    def edit(content: dict[str, Any]) -> None:
        segments = [{"id": 7, "category_id": 1}]
        content["annotations"] = [{"image_id": 1, "file_name": "a.png", "segments_info": segments}]

    path = edit_json(coco_json(tmp_path, {"a.png": [(1, 1, 9, 9)]}), edit)
    with pytest.raises(DataError, match=r"panoptic json .* give the json of instances"):
        load(path)


def test_no_format_but_its_own_recognises_a_coco_json(tmp_path: Path):
    path = coco_json(tmp_path, {"a.png": [(1, 1, 9, 9)]})

    assert [name for name, data_format in DATA_FORMATS.items() if data_format.recognises(path)] == ["coco"]


def test_a_single_set_is_not_named_twice_in_its_summary():
    log = SkipLog()
    log.add("image file is missing", "x.jpg")

    joined = join([replace(small_set("own", 1), skipped=log.report())])

    assert joined.summary()[1] == "own: left out 1 × image file is missing (x.jpg)"


def test_a_name_to_rename_need_only_be_in_one_of_several_sets(tmp_path: Path):
    own = coco_json(tmp_path / "own", {"a.png": [(1, 1, 9, 9)]}, ("object",))
    other = coco_json(tmp_path / "other", {"b.png": [(1, 1, 9, 9)]}, ("person",))

    sets = load_all([own, other], ["person"], {"object": "person"})

    assert [len(one.images[0].instances) for one in sets] == [1, 1]
    with pytest.raises(ConfigError, match="renaming: none of the data sets has a class 'thing'"):
        load_all([own, other], ["person"], {"object": "person", "thing": "person"})
