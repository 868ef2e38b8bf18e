"""A folder of images and masks of one's own."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from model.errors import ConfigError, DataError
from model.training.data.data_formats import load_annotations
from model.training.data.rle import decode_mask
from tests.tiny_data import Block, draw_blocks, save_image


def save_mask(path: Path, regions: dict[int, Block], size: tuple[int, int] = (64, 48)) -> None:
    labels = np.zeros((size[1], size[0]), dtype=np.uint8)
    for value, (x1, y1, x2, y2) in regions.items():
        labels[y1:y2, x1:x2] = value
    save_image(path, labels)


def save_picture(folder: Path, name: str) -> None:
    save_image(folder / "images" / name, draw_blocks(64, 48, []))


def test_each_value_of_a_mask_is_one_object(tmp_path: Path):
    save_picture(tmp_path, "a.jpg")
    save_mask(tmp_path / "masks" / "a.png", {1: (0, 0, 10, 10), 7: (20, 10, 40, 48)})

    found = load_annotations(tmp_path)

    assert found.class_names == ("object",)
    first, second = found.images[0].instances
    assert (first.box, second.box) == ((0, 0, 10, 10), (20, 10, 40, 48))
    assert second.rle is not None
    assert decode_mask(second.rle, 64, 48).sum() == 20 * 38


def test_the_single_class_gets_its_name_by_renaming(tmp_path: Path):
    save_picture(tmp_path, "a.jpg")
    save_mask(tmp_path / "masks" / "a.png", {255: (0, 0, 10, 10)})

    assert load_annotations(tmp_path, ["person"], {"object": "person"}).class_names == ("person",)
    with pytest.raises(ConfigError, match="no class 'person'; it has 'object'"):
        load_annotations(tmp_path, ["person"])


def test_with_a_folder_a_class_an_image_is_labelled_for_the_classes_that_have_a_mask(tmp_path: Path):
    for name in ("a", "b", "c"):
        save_picture(tmp_path, f"{name}.jpg")
    save_mask(tmp_path / "masks" / "cat" / "a.png", {1: (0, 0, 10, 10)})
    save_mask(tmp_path / "masks" / "dog" / "a.png", {1: (20, 0, 30, 10)})
    save_mask(tmp_path / "masks" / "dog" / "b.png", {})

    found = load_annotations(tmp_path)

    assert found.class_names == ("cat", "dog")
    a, b = found.images
    assert [i.class_index for i in a.instances] == [0, 1]
    assert (a.labelled, b.labelled) == (None, frozenset({1}))
    assert b.instances == ()
    assert [str(s) for s in found.skipped] == ["1 × image without a mask file (c.jpg)"]


def test_a_class_of_two_folders_is_labelled_where_both_have_a_mask(tmp_path: Path):
    for name in ("a", "b"):
        save_picture(tmp_path, f"{name}.jpg")
        save_mask(tmp_path / "masks" / "cat" / f"{name}.png", {1: (0, 0, 10, 10)})
    save_mask(tmp_path / "masks" / "dog" / "a.png", {1: (20, 0, 30, 10)})

    found = load_annotations(tmp_path, remap={"cat": "pet", "dog": "pet"})

    assert [(image.name, len(image.instances)) for image in found.images] == [("a.jpg", 2)]
    assert found.skipped[0].reason == "image in which none of the classes was labelled"


def test_masks_that_do_not_fit_are_counted_and_named(tmp_path: Path):
    for name in ("good", "size", "colour", "broken", "smooth"):
        save_picture(tmp_path, f"{name}.jpg")
    masks = tmp_path / "masks"
    save_mask(masks / "good.png", {1: (0, 0, 10, 10)})
    save_mask(masks / "size.png", {1: (0, 0, 10, 10)}, size=(32, 24))
    save_image(masks / "colour.png", draw_blocks(64, 48, []))
    (masks / "broken.png").write_bytes(b"no mask")
    big = Image.new("L", (640, 480))
    ImageDraw.Draw(big).ellipse((100, 50, 540, 430), fill=255)
    big.resize((64, 48), Image.Resampling.BILINEAR).save(masks / "smooth.png")

    found = load_annotations(tmp_path)

    assert [image.name for image in found.images] == ["good.jpg"]
    told = " ".join(map(str, found.skipped))
    for name in ("size", "colour", "broken", "smooth"):
        assert f"({name}.jpg)" in told


def test_many_small_objects_are_no_smoothed_edge(tmp_path: Path):
    save_picture(tmp_path, "a.jpg")
    blocks = {n + 1: (4 * (n % 16), 5 * (n // 16), 4 * (n % 16) + 4, 5 * (n // 16) + 4) for n in range(120)}
    save_mask(tmp_path / "masks" / "a.png", blocks)

    assert len(load_annotations(tmp_path).images[0].instances) == 120


def test_masks_with_a_palette_and_of_one_bit_are_read_by_value(tmp_path: Path):
    for name in ("palette", "bit"):
        save_picture(tmp_path, f"{name}.jpg")
    save_mask(tmp_path / "masks" / "palette.png", {1: (0, 0, 10, 10), 2: (20, 20, 40, 40)})
    with Image.open(tmp_path / "masks" / "palette.png") as grey:
        indexed = grey.copy()
        indexed.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
        indexed.save(tmp_path / "masks" / "palette.png")
        grey.point(lambda value: 255 * (value > 0)).convert("1").save(tmp_path / "masks" / "bit.png")

    bit, palette = load_annotations(tmp_path).images

    assert (len(bit.instances), len(palette.instances)) == (1, 2)


def test_masks_both_with_and_without_a_class_are_refused(tmp_path: Path):
    save_picture(tmp_path, "a.jpg")
    save_mask(tmp_path / "masks" / "a.png", {1: (0, 0, 10, 10)})
    save_mask(tmp_path / "masks" / "cat" / "a.png", {1: (0, 0, 10, 10)})

    with pytest.raises(DataError, match="both masks and class folders"):
        load_annotations(tmp_path)


def test_two_images_that_would_share_a_mask_are_refused(tmp_path: Path):
    save_picture(tmp_path, "a.jpg")
    save_picture(tmp_path, "a.png")
    save_mask(tmp_path / "masks" / "a.png", {1: (0, 0, 10, 10)})

    with pytest.raises(DataError, match=r"a\.jpg and a\.png would share"):
        load_annotations(tmp_path)


def test_a_folder_without_images_is_refused(tmp_path: Path):
    save_mask(tmp_path / "masks" / "a.png", {1: (0, 0, 10, 10)})

    with pytest.raises(DataError, match="no such folder of images"):
        load_annotations(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        load_annotations(tmp_path)


def test_frames_may_lie_elsewhere(tmp_path: Path):
    save_image(tmp_path / "frames" / "0.jpg", draw_blocks(64, 48, []))
    save_mask(tmp_path / "masks" / "0.png", {255: (5, 5, 20, 20)})

    assert len(load_annotations(tmp_path, images=tmp_path / "frames")) == 1
