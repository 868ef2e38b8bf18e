"""Training samples: labels lie on their pixels whatever was done to them, and nothing is left to chance."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

from model.config import YolactConfig
from model.errors import ConfigError, DataError
from model.training.data.annotations import AnnotationSet, join
from model.training.data.augment import AUGMENTATIONS, AugmentConfig
from model.training.data.data_formats import load_annotations
from model.training.data.dataset import InstanceDataset, Sample
from model.training.data.scene import mask_extents
from tests.small_networks import COMPACT
from tests.source_tree import ROOT
from tests.tiny_data import COLOURS, GROUND, Block, coco_json, draw_blocks, edit_json, save_image

# pycocotools 2.0.11 does not know numpy's latest protocol

SIDE = 96
BLOCKS: list[Block] = [(20, 10, 60, 70), (90, 40, 150, 110), (65, 5, 85, 30)]
# without changes of colour, so that a pixel tells whose it is
KINDS: dict[str, AugmentConfig] = {
    name: replace(config, colour_probability=0.0) for name, config in AUGMENTATIONS.items()
}
KINDS["mosaic"] = replace(KINDS["compact"], mosaic_probability=1.0, paste_probability=0.0)
KINDS["turned"] = replace(KINDS["mild"], turn_probability=1.0)
KINDS["paste"] = replace(KINDS["compact"], mosaic_probability=0.0, paste_probability=1.0)


def network(*class_names: str) -> YolactConfig:
    return replace(COMPACT, class_names=class_names or ("person", "car"), image_size=SIDE)


def as_run_lengths(content: dict[str, Any]) -> None:
    """Turn every polygon of a json into run lengths."""
    sizes = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
    for entry in content["annotations"]:
        height, width = sizes[entry["image_id"]]
        x, y, w, h = entry["bbox"]
        mask = np.zeros((height, width), dtype=np.uint8, order="F")
        mask[y : y + h, x : x + w] = 1
        counts = coco_mask.encode(mask)["counts"].decode()
        entry["segmentation"] = {"size": [height, width], "counts": counts}


def blocks_set(folder: Path, run_lengths: bool = False, **keys: Any) -> AnnotationSet:
    images: dict[str, Sequence[Block]] = {f"{n}.png": BLOCKS[: n + 1] for n in range(3)}
    path = coco_json(folder, images, size=(160, 120), **keys)
    return load_annotations(edit_json(path, as_run_lengths) if run_lengths else path)


def samples(annotations: AnnotationSet, config: AugmentConfig, count: int = 40) -> list[Sample]:
    dataset = InstanceDataset(annotations, network(), config, seed=1)
    return [dataset[epoch, epoch % len(dataset)] for epoch in range(count)]


def same(a: Sample, b: Sample) -> bool:
    pairs = [(a.image, b.image)]
    pairs += [(getattr(a.targets, n), getattr(b.targets, n)) for n in ("boxes", "classes", "masks", "crowd")]
    return a.name == b.name and all(torch.equal(x, y) for x, y in pairs)


def coloured(image: torch.Tensor) -> torch.Tensor:
    """Pixels [H, W] bool that have the colour of some block to within rounding."""
    palette = torch.tensor(COLOURS, dtype=torch.int16)[:, :, None, None]
    return ((image.to(torch.int16) - palette).abs() <= 2).all(dim=1).any(dim=0)


def ground_or_fill(image: torch.Tensor) -> torch.Tensor:
    palette = torch.tensor((GROUND, AugmentConfig().fill), dtype=torch.int16)[:, :, None, None]
    return ((image.to(torch.int16) - palette).abs() <= 2).all(dim=1).any(dim=0)


@pytest.mark.parametrize("run_lengths", [False, True])
@pytest.mark.parametrize("kind", list(KINDS))
def test_masks_cover_the_pixels_of_their_objects(tmp_path: Path, kind: str, run_lengths: bool):
    found = blocks_set(tmp_path, run_lengths)
    # small objects are dropped with their pixels still there, and say nothing about the others
    config = replace(KINDS[kind], min_visible=1e-6, min_object_side=0.0)

    wrong, objects = [], 0
    for sample in samples(found, config):
        masked = sample.targets.masks.amax(dim=0).bool() if len(sample.targets) else torch.zeros(SIDE, SIDE)
        missed = (masked.bool() & ground_or_fill(sample.image)).sum()
        lost = (~masked.bool() & coloured(sample.image)).sum() if kind != "ssd" else 0
        wrong.append(float(missed + lost) / max(float(masked.sum()), 100.0))
        objects += len(sample.targets)

    assert objects > 20
    assert np.mean(wrong) < 0.02
    # a sliver left of an object, or the rounding of a small image's place, may cost a row of pixels
    assert max(wrong) < 0.15


@pytest.mark.parametrize("run_lengths", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ssd"])
def test_boxes_are_the_extents_of_their_masks(tmp_path: Path, kind: str, run_lengths: bool):
    for sample in samples(blocks_set(tmp_path, run_lengths), KINDS[kind]):
        extents, filled = mask_extents(sample.targets.masks)
        assert filled.all()
        assert ((sample.targets.boxes * SIDE - extents).abs() <= 1.01).all()


def test_the_papers_boxes_are_clipped_and_hold_their_masks(tmp_path: Path):
    for sample in samples(blocks_set(tmp_path), KINDS["ssd"], 80):
        extents, _ = mask_extents(sample.targets.masks)
        boxes = sample.targets.boxes * SIDE
        assert (boxes[:, :2] <= extents[:, :2] + 1).all()
        assert (boxes[:, 2:] >= extents[:, 2:] - 1).all()
        assert boxes.min() >= 0
        assert boxes.max() <= SIDE


def test_without_augmentation_the_image_is_resized_as_at_inference(tmp_path: Path):
    found = blocks_set(tmp_path)

    sample = InstanceDataset(found, network(), AugmentConfig(), seed=0)[0, 2]

    pixels = torch.from_numpy(draw_blocks(160, 120, BLOCKS)).permute(2, 0, 1)[None].float()
    expected = torch.nn.functional.interpolate(pixels, size=(SIDE, SIDE), mode="bilinear")[0]
    assert (sample.image - expected).abs().max() <= 1
    assert sample.image.dtype == torch.uint8
    expected_boxes = torch.tensor(BLOCKS) / torch.tensor([160, 120, 160, 120])
    assert torch.allclose(sample.targets.boxes, expected_boxes)
    assert sample.targets.masks.shape == (3, SIDE, SIDE)
    assert sample.name == "2.png"


def test_a_turned_sample_is_the_same_picture_another_way_up(tmp_path: Path):
    found = blocks_set(tmp_path)
    upright = samples(found, replace(KINDS["turned"], turn_probability=0.0))
    seen = set()

    for before, after in zip(upright, samples(found, KINDS["turned"]), strict=True):
        seen |= {k for k in range(4) if torch.equal(before.image.rot90(k, (1, 2)), after.image)}
    assert seen >= {1, 2, 3}


def test_a_size_of_its_own_replaces_the_networks(tmp_path: Path):
    dataset = InstanceDataset(blocks_set(tmp_path), network(), KINDS["compact"], seed=0, image_size=64)

    assert dataset[0, 0].image.shape == (3, 64, 64)
    assert dataset[0, 0].targets.masks.shape[1:] == (64, 64)


@pytest.mark.parametrize("kind", list(AUGMENTATIONS))
def test_a_sample_depends_on_seed_epoch_and_index_alone(tmp_path: Path, kind: str):
    found = blocks_set(tmp_path)
    first = InstanceDataset(found, network(), AUGMENTATIONS[kind], seed=3)
    second = InstanceDataset(found, network(), AUGMENTATIONS[kind], seed=3)
    other = InstanceDataset(found, network(), AUGMENTATIONS[kind], seed=4)

    keys = [(epoch, index) for epoch in range(4) for index in range(3)]
    forwards = [first[key] for key in keys]
    backwards = [second[key] for key in reversed(keys)][::-1]

    assert all(same(a, b) for a, b in zip(forwards, backwards, strict=True))
    if kind != "none":
        assert not all(same(a, other[key]) for a, key in zip(forwards, keys, strict=True))
        assert not same(first[0, 0], first[1, 0])


def test_two_entries_of_one_image_are_varied_apart(tmp_path: Path):
    found = blocks_set(tmp_path)
    dataset = InstanceDataset(join([found, found]), network(), KINDS["compact"], seed=0)

    assert not same(dataset[0, 1], dataset[0, 1 + len(found)])


@pytest.mark.parametrize(
    ("coverage", "labelled", "exhaustive", "has_mask"),
    [
        ("coco80", [True, True], True, True),
        ("person", [True, False], True, True),
        ("main person", [True, False], False, True),
        ("person boxes", [True, False], True, False),
    ],
)
@pytest.mark.parametrize("kind", ["ssd", "compact", "mosaic"])
def test_targets_say_how_far_the_labels_reach(
    tmp_path: Path, kind: str, coverage: str, labelled: list[bool], exhaustive: bool, has_mask: bool
):
    for sample in samples(blocks_set(tmp_path, coverage=coverage), KINDS[kind], 12):
        targets = sample.targets
        assert targets.labelled is not None
        assert targets.labelled.tolist() == labelled
        assert targets.exhaustive is exhaustive
        assert targets.has_mask is not None
        assert (targets.has_mask == has_mask).all()
        assert targets.masks.flatten(1).amax(dim=1).bool().eq(has_mask).all()


def mixed_set(folder: Path, *coverages: str) -> AnnotationSet:
    sets = []
    for n, coverage in enumerate(coverages):
        path = coco_json(folder / str(n), {f"{n}.png": [BLOCKS[0]]}, size=(160, 120), coverage=coverage)
        sets.append(load_annotations(path))
    return join(sets)


def test_a_mosaic_joins_only_images_of_the_same_coverage(tmp_path: Path):
    found = mixed_set(tmp_path, "coco80", "main person", "person")
    dataset = InstanceDataset(found, network(), KINDS["mosaic"], seed=0)

    for epoch in range(10):
        targets = [dataset[epoch, index].targets for index in range(3)]
        assert [t.exhaustive for t in targets] == [True, False, True]
        assert [t.labelled.tolist() for t in targets if t.labelled is not None] == [
            [True, True],
            [True, False],
            [True, False],
        ]


def test_nothing_is_pasted_into_an_image_that_is_labelled_in_part(tmp_path: Path):
    found = mixed_set(tmp_path, "main person", "coco80")
    dataset = InstanceDataset(found, network(), KINDS["paste"], seed=0)

    assert all(len(dataset[epoch, 0].targets) == 1 for epoch in range(20))
    assert any(len(dataset[epoch, 1].targets) > 1 for epoch in range(20))


def test_only_objects_of_labelled_classes_are_pasted(tmp_path: Path):
    person = coco_json(tmp_path / "a", {"a.png": [BLOCKS[0]]}, size=(160, 120), coverage="person")
    car = coco_json(tmp_path / "b", {"b.png": [BLOCKS[0]] * 3}, size=(160, 120))
    edit_json(car, lambda content: [a.update(category_id=2) for a in content["annotations"]])
    found = join([load_annotations(person), load_annotations(car)])

    dataset = InstanceDataset(found, network(), KINDS["paste"], seed=0)

    assert all((dataset[epoch, 0].targets.classes == 0).all() for epoch in range(30))
    assert any(len(dataset[epoch, 0].targets) > 1 for epoch in range(30))


def test_crowds_and_objects_with_only_a_box_are_never_pasted(tmp_path: Path):
    path = coco_json(tmp_path, {"a.png": BLOCKS, "empty.png": []}, size=(160, 120))

    def edit(content: dict[str, Any]) -> None:
        content["annotations"][0]["iscrowd"] = 1
        content["annotations"][1]["segmentation"] = []

    dataset = InstanceDataset(load_annotations(edit_json(path, edit)), network(), KINDS["paste"], seed=0)

    pasted = [dataset[epoch, 1].targets for epoch in range(30)]
    assert {len(targets) for targets in pasted} == {1}
    assert all(not t.crowd.any() and t.masks.flatten(1).any(dim=1).all() for t in pasted)


def test_crowds_stay_crowds(tmp_path: Path):
    path = coco_json(tmp_path, {"a.png": BLOCKS}, size=(160, 120))
    edit_json(path, lambda content: content["annotations"][1].update(iscrowd=1))

    sample = InstanceDataset(load_annotations(path), network(), AugmentConfig(), seed=0)[0, 0]

    assert sample.targets.crowd.tolist() == [False, True, False]


def test_a_mosaic_of_too_many_objects_is_not_made(tmp_path: Path):
    config = replace(KINDS["mosaic"], max_objects=3)

    assert all(len(s.targets) <= 3 for s in samples(blocks_set(tmp_path), config))


def test_tiny_objects_are_dropped(tmp_path: Path):
    path = coco_json(tmp_path, {"a.png": [(10, 10, 60, 60), (100, 100, 103, 103)]}, size=(160, 120))
    found = load_annotations(path)

    kept = InstanceDataset(found, network(), AugmentConfig(), seed=0)[0, 0]
    dropped = InstanceDataset(found, network(), AugmentConfig(min_object_side=3), seed=0)[0, 0]

    assert (len(kept.targets), len(dropped.targets)) == (2, 1)


def test_objects_too_small_to_leave_a_pixel_are_dropped(tmp_path: Path):
    path = coco_json(tmp_path, {"a.png": [(x, 10, x + 2, 12) for x in range(5, 150, 7)]}, size=(160, 120))

    def edit(content: dict[str, Any]) -> None:
        for entry in content["annotations"]:
            x, y, w, h = entry["bbox"]
            entry["segmentation"] = [[x, y, x + w / 2, y, x, y + h / 2]]

    targets = InstanceDataset(
        load_annotations(edit_json(path, edit)), network(), AugmentConfig(), seed=0, image_size=32
    )[0, 0].targets

    assert len(targets) < 21
    assert mask_extents(targets.masks)[1].all()


@pytest.mark.parametrize("damage", ["cut", "gone", "other size"])
def test_an_image_that_breaks_later_is_replaced_and_named(tmp_path: Path, damage: str):
    found = blocks_set(tmp_path)
    file = found.images[0].path
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-40])
    elif damage == "gone":
        file.unlink()
    else:
        save_image(file, draw_blocks(50, 50, []))
    dataset = InstanceDataset(found, network(), KINDS["ssd"], seed=0)

    replaced = [dataset[epoch, 0] for epoch in range(6)]

    assert all(set(s.broken) == {"0.png"} and s.name != "0.png" for s in replaced)
    assert {s.name for s in replaced} == {"1.png", "2.png"}
    assert same(dataset[0, 0], replaced[0])
    assert dataset[0, 1].broken == ()


def test_when_every_image_breaks_the_run_stops_by_name(tmp_path: Path):
    found = blocks_set(tmp_path)
    for image in found.images:
        image.path.unlink()

    with pytest.raises(DataError, match=r"20 images in a row cannot be decoded, the last was \d\.png"):
        InstanceDataset(found, network(), AugmentConfig(), seed=0)[0, 0]


@pytest.mark.parametrize("upright", [True, False])
def test_a_turned_photograph_is_shown_in_the_frame_of_its_labels(tmp_path: Path, upright: bool):
    stored = draw_blocks(120, 160, [(0, 0, 60, 40)])
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    save_image(tmp_path / "images" / "a.png", stored, exif=exif)
    shown = np.rot90(stored, -1) if upright else stored
    rows, columns = np.nonzero((shown == COLOURS[0]).all(axis=2))
    x, y = int(columns.min()), int(rows.min())
    width, height = int(columns.max()) + 1 - x, int(rows.max()) + 1 - y
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": shown.shape[1], "height": shown.shape[0]}],
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "car"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [x, y, width, height]}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))

    sample = InstanceDataset(load_annotations(tmp_path / "a.json"), network(), AugmentConfig(), seed=0)[0, 0]

    x1, y1, x2, y2 = (sample.targets.boxes[0] * SIDE).round().int().tolist()
    assert coloured(sample.image)[y1:y2, x1:x2].float().mean() > 0.95
    assert coloured(sample.image).sum() <= (x2 - x1) * (y2 - y1)


def test_other_classes_than_the_networks_are_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="read with 2 classes, the network has 1"):
        InstanceDataset(blocks_set(tmp_path), network("person"), AugmentConfig(), seed=0)


def test_a_negative_seed_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="seed is -1"):
        InstanceDataset(blocks_set(tmp_path), network(), AugmentConfig(), seed=-1)


def test_the_gathered_people_make_sound_samples():
    people = ROOT.parent / "shared" / "data" / "people"
    if not people.is_dir():
        pytest.skip("the gathered people are not beside the project")
    found = join([load_annotations(people / name, ["person"]) for name in ("train", "boxes")])
    dataset = InstanceDataset(found, network("person"), AUGMENTATIONS["compact"], seed=0)

    for index in range(0, len(dataset), 40):
        sample = dataset[0, index]
        targets = sample.targets
        extents, filled = mask_extents(targets.masks)
        assert sample.broken == ()
        assert targets.has_mask is not None
        assert torch.equal(filled, targets.has_mask)
        assert ((targets.boxes * SIDE - extents).abs()[filled] <= 1.01).all()
        assert (targets.boxes[:, 2:] > targets.boxes[:, :2]).all()
