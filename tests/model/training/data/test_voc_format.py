"""Pascal VOC and SBD folders."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.classes import PASCAL_CLASSES
from model.errors import DataError
from model.training.data.data_formats import load_annotations
from tests.tiny_data import draw_blocks, save_image

DOG, PERSON = PASCAL_CLASSES.index("dog") + 1, PASCAL_CLASSES.index("person") + 1


def save_labels(path: Path, labels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    image.putpalette(list(range(256)) * 3)
    image.save(path)


def voc(root: Path, names: tuple[str, ...] = ("2007_1", "2007_2")) -> Path:
    """Images with a person, a dog and, around both, the void that VOC draws."""
    objects = np.zeros((48, 64), dtype=np.uint8)
    objects[8:40, 8:30] = 255
    objects[10:38, 10:28] = 1
    objects[20:30, 40:60] = 2
    classes = np.choose(np.where(objects == 255, 3, objects), (0, PERSON, DOG, 255)).astype(np.uint8)
    for name in names:
        save_image(root / "JPEGImages" / f"{name}.jpg", draw_blocks(64, 48, []))
        save_labels(root / "SegmentationObject" / f"{name}.png", objects)
        save_labels(root / "SegmentationClass" / f"{name}.png", classes)
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text(f"{names[0]}\n")
    return root


def test_objects_of_voc_have_their_class_and_no_void(tmp_path: Path):
    found = load_annotations(voc(tmp_path))

    assert found.class_names == PASCAL_CLASSES
    assert len(found) == 2
    person, dog = found.images[0].instances
    assert (person.box, PASCAL_CLASSES[person.class_index]) == ((10, 10, 28, 38), "person")
    assert (dog.box, PASCAL_CLASSES[dog.class_index]) == ((40, 20, 60, 30), "dog")


def test_a_list_of_voc_chooses_the_images(tmp_path: Path):
    found = load_annotations(voc(tmp_path) / "ImageSets" / "Segmentation" / "train.txt")

    assert [image.name for image in found.images] == ["2007_1.jpg"]


def test_classes_of_voc_are_chosen_by_name(tmp_path: Path):
    found = load_annotations(voc(tmp_path), ["dog"])

    assert [len(image.instances) for image in found.images] == [1, 1]
    assert found.images[0].labelled is None


def test_what_is_missing_or_broken_in_voc_is_counted_and_named(tmp_path: Path):
    root = voc(tmp_path, ("a", "b", "c", "d"))
    (root / "JPEGImages" / "b.jpg").unlink()
    (root / "SegmentationClass" / "c.png").unlink()
    save_labels(root / "SegmentationClass" / "d.png", np.full((48, 64), 77, dtype=np.uint8))

    found = load_annotations(root)

    assert [(image.name, len(image.instances)) for image in found.images] == [("a.jpg", 2), ("d.jpg", 0)]
    assert {s.reason: s.count for s in found.skipped} == {
        "object of an unknown category": 2,
        "image file is missing": 1,
        "mask file is missing": 1,
    }


def test_an_image_that_a_list_names_twice_is_refused(tmp_path: Path):
    listing = voc(tmp_path) / "ImageSets" / "Segmentation" / "train.txt"
    listing.write_text("2007_1\n\n2007_1\n")

    with pytest.raises(DataError, match="2007_1 is listed twice"):
        load_annotations(listing)


def sbd(root: Path) -> Path:
    (root / "inst").mkdir()
    save_image(root / "img" / "2008_1.jpg", draw_blocks(64, 48, []))
    return root


def test_sbd_asks_for_scipy_where_it_is_not_installed(tmp_path: Path):
    if importlib.util.find_spec("scipy") is not None:
        pytest.skip("SciPy is installed")

    with pytest.raises(DataError, match="pip install scipy"):
        load_annotations(sbd(tmp_path))


def test_objects_of_sbd_have_the_category_of_their_number(tmp_path: Path):
    scipy_io: Any = pytest.importorskip("scipy.io", reason="SBD's files need SciPy, which is not installed")
    root = sbd(tmp_path)
    objects = np.zeros((48, 64), dtype=np.uint8)
    objects[10:38, 10:28] = 1
    objects[20:30, 40:60] = 2
    truth = {"Segmentation": objects, "Categories": np.array([[PERSON], [DOG]], dtype=np.uint8)}
    scipy_io.savemat(root / "inst" / "2008_1.mat", {"GTinst": truth})
    (root / "inst" / "2008_2.mat").write_bytes(b"no matlab file")
    save_image(root / "img" / "2008_2.jpg", draw_blocks(64, 48, []))
    (root / "train.txt").write_text("2008_1\n2008_3\n")

    found = load_annotations(root)

    (image,) = found.images
    assert [(i.box, PASCAL_CLASSES[i.class_index]) for i in image.instances] == [
        ((10, 10, 28, 38), "person"),
        ((40, 20, 60, 30), "dog"),
    ]
    assert [str(s) for s in found.skipped] == ["1 × mask file cannot be read (2008_2)"]
    assert [image.name for image in load_annotations(root / "train.txt").images] == ["2008_1.jpg"]
