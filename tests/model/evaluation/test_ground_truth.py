"""Which json is taken as ground truth, and what is said about one that is not."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pycocotools import mask as rle

from model.errors import ConfigError, DataError
from model.evaluation.ground_truth import load_ground_truth, select_images

GOOD: dict[str, Any] = {
    "images": [
        {"id": i, "file_name": f"{i}.jpg", "width": 64, "height": 48, "coverage": coverage, "source": source}
        for i, coverage, source in (
            (1, "coco80", "street"),
            (2, "main person", "studio"),
            (3, "coco80", "studio"),
        )
    ],
    "categories": [{"id": 5, "name": "person"}, {"id": 9, "name": "car"}],
    "annotations": [
        {"id": 0, "image_id": 1, "category_id": 5, "bbox": [1, 2, 10, 20]},
        {
            "id": 1,
            "image_id": 3,
            "category_id": 9,
            "bbox": [1, 2, 3, 4],
            "segmentation": [[1, 2, 4, 2, 4, 6]],
        },
    ],
}


def written(folder: Path, data: Any) -> Path:
    path = folder / "labels.json"
    path.write_text(json.dumps(data))
    return path


def test_what_the_file_leaves_out_is_filled_in(tmp_path: Path):
    truth = load_ground_truth(written(tmp_path, GOOD))

    first = truth.imgToAnns[1][0]
    assert (first["iscrowd"], first["area"], first["segmentation"]) == (0, 200, [])
    # pycocotools takes an object of id 0 for one that was never matched
    assert sorted(truth.anns) == [1, 2]


def test_run_lengths_of_both_kinds_are_taken(tmp_path: Path):
    data = copy.deepcopy(GOOD)
    data["annotations"][0]["segmentation"] = {"size": [48, 64], "counts": [100, 200, 48 * 64 - 300]}
    packed = rle.frPyObjects(data["annotations"][0]["segmentation"], 48, 64)
    data["annotations"][1]["segmentation"] = {"size": [48, 64], "counts": packed["counts"].decode()}

    truth = load_ground_truth(written(tmp_path, data))

    assert [rle.area(truth.annToRLE(record)) for record in truth.dataset["annotations"]] == [200, 200]


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of one entry, named like `images.0.id`; the value None removes it."""

    def apply(data: Any) -> None:
        *way, last = (int(part) if part.isdigit() else part for part in path.split("."))
        for part in way:
            data = data[part]
        if value is None:
            del data[last]
        else:
            data[last] = value

    return apply


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (change("images", None), "holds no images"),
        (change("images", []), "holds no images"),
        (change("annotations", []), "holds no annotations"),
        (change("annotations", {}), "holds no annotations"),
        (change("categories", None), "holds no categories"),
        (change("images.1.id", 1), r"two entries share the image id 1, 1\.jpg and 2\.jpg"),
        (change("categories.1.id", 5), "two entries share the category id 5, person and car"),
        (change("categories.1.name", "person"), "two categories have the same name 'person'"),
        (change("annotations", [{"image_id": 9}]), "holds no annotations that can be used; left out: 1 × "),
        (change("images.0.width", None), r"none of its 3 images was found in .*looked for 1\.jpg; 2\.jpg"),
    ],
)
def test_a_faulty_file_is_refused_with_the_fault_named(
    tmp_path: Path, fault: Callable[[dict[str, Any]], None], said: str
):
    data = copy.deepcopy(GOOD)
    fault(data)

    with pytest.raises(DataError, match=rf"labels\.json: .*{said}"):
        load_ground_truth(written(tmp_path, data))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{not json", "is not json"),
        ("[1, 2]", "holds a list"),
        ("", "is not json"),
        ("\udcff", "is not json"),
    ],
)
def test_a_file_that_is_no_coco_json_is_refused_by_name(tmp_path: Path, text: str, said: str):
    path = tmp_path / "labels.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(DataError, match=rf"labels\.json: {said}"):
        load_ground_truth(path)


def test_an_absent_file_and_a_folder_are_refused_by_name(tmp_path: Path):
    for path in (tmp_path / "absent.json", tmp_path):
        with pytest.raises(DataError, match=rf"{path.name}: cannot be read .*COCO json"):
            load_ground_truth(path)


def test_images_are_selected_by_coverage_source_and_number(tmp_path: Path):
    truth = load_ground_truth(written(tmp_path, GOOD))

    def kept(**choice: Any) -> list[int]:
        return sorted(select_images(truth, **choice).imgs)

    assert kept() == [1, 2, 3]
    assert kept(coverage=["coco80"]) == [1, 3]
    assert kept(coverage=["coco80", "main person"], source=["studio"]) == [2, 3]
    assert kept(limit=2) == [1, 2]
    assert kept(coverage=["coco80"], source=["studio"], limit=5) == [3]


def test_a_selection_holds_the_annotations_of_its_images_only(tmp_path: Path):
    selected = select_images(load_ground_truth(written(tmp_path, GOOD)), source=["studio"])

    assert [record["image_id"] for record in selected.dataset["annotations"]] == [3]


def test_a_value_that_no_image_has_is_refused_with_those_there_are(tmp_path: Path):
    truth = load_ground_truth(written(tmp_path, GOOD))

    with pytest.raises(ConfigError, match="coverage 'all'; the file knows 'coco80', 'main person'"):
        select_images(truth, coverage=["all"])


def test_filters_on_a_file_without_such_keys_are_refused(tmp_path: Path):
    data = copy.deepcopy(GOOD)
    for image in data["images"]:
        del image["source"]

    with pytest.raises(ConfigError, match="the file knows none, its images have no 'source'"):
        select_images(load_ground_truth(written(tmp_path, data)), source=["studio"])


def test_filters_that_leave_no_image_are_refused(tmp_path: Path):
    truth = load_ground_truth(written(tmp_path, GOOD))

    with pytest.raises(DataError, match="no image has both"):
        select_images(truth, coverage=["main person"], source=["street"])
