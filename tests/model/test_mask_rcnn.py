from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torchvision.models.detection import (
    MaskRCNN_ResNet50_FPN_V2_Weights,
    MaskRCNN_ResNet50_FPN_Weights,
    maskrcnn_resnet50_fpn,
    maskrcnn_resnet50_fpn_v2,
)
from torchvision.models.detection.roi_heads import paste_masks_in_image

from model.checkpoints.kinds import is_mask_rcnn
from model.checkpoints.mask_rcnn import coco_config, own_config, read_mask_rcnn, save_mask_rcnn
from model.checkpoints.yolact import save_checkpoint
from model.classes import COCO_CATEGORY_IDS, COCO_CLASSES
from model.config import DEFAULT_THRESHOLD
from model.errors import CheckpointError, ConfigError
from model.instance_predictor import load_instance_predictor
from model.mask_rcnn import MaskRcnnPredictor, load_mask_rcnn, paste
from model.predictor import Predictor, load_predictor
from tests.mask_rcnn import GIVEN_UP, SIDE, as_first_published, noise, save_first_published, untrained
from tests.small_networks import TINY, small_network

THRESHOLD = 0.1
FRAMES = [noise(48, 64), noise(60, 40, seed=1)]
OPTIONS = {"device": "cpu", "image_size": SIDE, "score_threshold": THRESHOLD}
OFFICIAL = {
    "maskrcnn_resnet50_fpn": (maskrcnn_resnet50_fpn, MaskRCNN_ResNet50_FPN_Weights),
    "maskrcnn_resnet50_fpn_v2": (maskrcnn_resnet50_fpn_v2, MaskRCNN_ResNet50_FPN_V2_Weights),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """For files of a hundred megabytes, which are removed when they have served."""
    folder = tmp_path_factory.mktemp("mask-rcnn")
    yield folder
    for file in folder.iterdir():
        file.unlink()


@pytest.fixture(scope="module")
def state():
    """Of the first variant."""
    return untrained()


@pytest.fixture(scope="module")
def published(folder, state):
    """The file of the first variant."""
    return save_first_published(folder / "first.pth", state)


@pytest.fixture(scope="module")
def predictor(published):
    return load_mask_rcnn(published, **OPTIONS)


@pytest.fixture(scope="module")
def found(predictor):
    return predictor(FRAMES)


def torchvisions_own(variant, state, monkeypatch):
    """What torchvision makes of published weights, by its own builder; the download gives `state`."""
    build, weights = OFFICIAL[variant]
    floats = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    monkeypatch.setattr(weights, "get_state_dict", lambda self, **options: floats)
    network = build(weights=weights.COCO_V1, min_size=SIDE, max_size=round(SIDE * 1333 / 800)).eval()
    images = [torch.from_numpy(frame[..., ::-1].copy()).permute(2, 0, 1) / 255 for frame in FRAMES]
    with torch.inference_mode():
        return [network([image])[0] for image in images]


@pytest.mark.parametrize(
    "variant", ["maskrcnn_resnet50_fpn", pytest.param("maskrcnn_resnet50_fpn_v2", marks=pytest.mark.slow)]
)
def test_a_published_file_gives_what_torchvision_makes_of_it(variant, folder, state, published, monkeypatch):
    content, path = as_first_published(state), published
    if variant == "maskrcnn_resnet50_fpn_v2":
        content, path = untrained(variant), folder / "second.pth"
        torch.save(content, path)
    expected = torchvisions_own(variant, content, monkeypatch)

    found = load_mask_rcnn(path, **OPTIONS)(FRAMES)

    assert is_mask_rcnn(path)
    for one, frame, theirs in zip(found, FRAMES, expected, strict=True):
        shown = (theirs["scores"] > THRESHOLD) & (theirs["labels"] != GIVEN_UP)
        assert one.image_size == frame.shape[:2]
        np.testing.assert_allclose(one.scores, theirs["scores"][shown], rtol=1e-5)
        np.testing.assert_allclose(one.boxes, theirs["boxes"][shown], atol=1e-3)
        labels = [COCO_CATEGORY_IDS[index] for index in one.classes]
        assert labels == theirs["labels"][shown].tolist()
        np.testing.assert_array_equal(one.masks, theirs["masks"][shown, 0] >= 0.5)
        assert one.scores.dtype == one.boxes.dtype == np.float32
        assert one.classes.dtype == np.int64
    assert {name for one in found for name in one.names} == {"person", "dog"}
    assert any((theirs["labels"] == GIVEN_UP).any() for theirs in expected)
    assert any(one.masks.any() and not one.masks.all() for one in found)


def test_the_classes_are_the_ones_that_torchvision_names_at_cocos_numbers():
    names = MaskRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    config = coco_config("maskrcnn_resnet50_fpn")
    assert config.outputs == len(names)
    assert tuple(names[label] for label in config.labels) == config.class_names == COCO_CLASSES


def test_one_frame_gives_one_record_and_no_frames_give_none(predictor, found):
    alone = predictor(FRAMES[1])
    np.testing.assert_allclose(alone.boxes, found[1].boxes, atol=1e-3)
    assert predictor([]) == []


def test_frames_of_one_size_give_together_what_they_give_alone(predictor, found):
    for one in predictor([FRAMES[0], FRAMES[0]]):
        np.testing.assert_allclose(one.boxes, found[0].boxes, atol=1e-2)
        np.testing.assert_allclose(one.scores, found[0].scores, atol=1e-3)


def test_frames_stay_as_they_are_and_may_be_read_only(predictor, found):
    frame = FRAMES[0].copy()
    frame.flags.writeable = False
    np.testing.assert_array_equal(predictor(frame).classes, found[0].classes)
    np.testing.assert_array_equal(frame, FRAMES[0])


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_frame_is_refused(predictor, bad):
    with pytest.raises(ValueError, match=r"expected a frame \[H, W, 3\] uint8 BGR"):
        predictor([bad])


def test_options_choose_among_the_same_detections(published, found):
    dogs = load_mask_rcnn(
        published, **{**OPTIONS, "score_threshold": 0.15}, classes=["dog"], max_detections=2
    )

    for some, everything in zip(dogs(FRAMES), found, strict=True):
        rows = [i for i, name in enumerate(everything.names) if name == "dog" and everything.scores[i] > 0.15]
        np.testing.assert_allclose(some.scores, everything.scores[rows[:2]], rtol=1e-5)
        assert set(some.names) <= {"dog"}


def test_without_masks_there_are_the_same_boxes(published, found):
    boxes_only = load_mask_rcnn(published, **OPTIONS, with_masks=False)(FRAMES)
    for one, other in zip(boxes_only, found, strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)
        assert not one.has_masks


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"engine": "openvino"}, "runs on the torch engine in fp32, got engine openvino"),
        ({"precision": "int8"}, "precision int8"),
        ({"nms": "class-agnostic"}, "knows no 'class-agnostic' NMS"),
        ({"crop_masks": False}, "cannot be left uncropped"),
        ({"sharpen": "sharpmask_lite_objects"}, "no features that masks could be sharpened by"),
        ({"image_size": 8}, "must be 32 to 4096 pixels, got 8"),
        ({"score_threshold": 1.5}, "must be 0 to 1, got 1.5"),
        ({"max_detections": 101}, "1 to 100 detections"),
        ({"classes": ["cow", "dgo"]}, "did you mean 'dog'"),
        ({"device": "cuda:99"}, "is not there"),
    ],
)
def test_settings_that_the_model_does_not_know_are_refused(published, options, complaint):
    with pytest.raises(ConfigError, match=complaint):
        load_mask_rcnn(published, **{"device": "cpu", **options})


# --- files


def test_an_own_file_brings_its_class_names(folder):
    config = own_config("maskrcnn_resnet50_fpn", ("cat", "bird"), image_size=SIDE)
    path = folder / "own.pt"
    save_mask_rcnn(path, config, untrained(outputs=3), notes="untrained")

    predictor = load_instance_predictor(path, device="cpu", score_threshold=THRESHOLD)

    assert isinstance(predictor, MaskRcnnPredictor)
    assert predictor.config == config
    assert predictor.class_names == ("cat", "bird")
    assert {name for one in predictor(FRAMES) for name in one.names} <= {"cat", "bird"}


def test_weights_are_recognised_by_their_keys_whatever_the_file_is_called(published, state, tmp_path):
    assert is_mask_rcnn(published)
    other = tmp_path / "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth"
    for content in (b"", b"roi_heads", b"PK\x03\x04 roi"):
        other.write_bytes(content)
        assert not is_mask_rcnn(other)
    assert not is_mask_rcnn(tmp_path / "nothing.pth")


def test_without_a_threshold_the_default_one_holds(published):
    predictor = load_instance_predictor(published, device="cpu", image_size=SIDE, score_threshold=None)

    assert predictor.score_threshold == DEFAULT_THRESHOLD


def test_yolact_is_still_yolact(tmp_path):
    path = tmp_path / "tiny.pt"
    save_checkpoint(path, TINY, small_network(TINY).state_dict())

    predictor = load_instance_predictor(path, device="cpu", engine="torch", score_threshold=0.6)

    assert isinstance(predictor, Predictor)
    assert predictor.class_names == predictor.config.class_names
    assert predictor.score_threshold == 0.6


def test_what_knows_yolact_alone_says_that_these_are_weights_of_another_model(published):
    with pytest.raises(CheckpointError, match="weights of another model"):
        load_predictor(published, device="cpu", engine="torch")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda state: state.pop("rpn.head.bbox_pred.bias"), r"rpn\.head\.bbox_pred\.bias: .*it is missing"),
        (
            lambda state: state.update({"rpn.head.bbox_pred.bias": torch.zeros(3)}),
            r"expected \[12\].* got \[3\]",
        ),
        (lambda state: state.update(extra=torch.zeros(3)), "extra: not a part of maskrcnn_resnet50_fpn"),
        (lambda state: state.update({"rpn.head.bbox_pred.bias": "twelve"}), "got str"),
        (
            lambda state: state.update({"rpn.head.bbox_pred.bias": torch.full((12,), torch.nan)}),
            "values that are not finite",
        ),
        (
            lambda state: state.update({"roi_heads.box_predictor.cls_score.weight": torch.zeros(2, 1024)}),
            "expected the 91 outputs of torchvision's COCO weights, got 2",
        ),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_refused_by_its_first_bad_key(state, folder, change, complaint):
    content = dict(state)
    change(content)
    path = folder / "bad.pth"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=complaint):
        read_mask_rcnn(path)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("variant", "maskrcnn_mobilenet"),
        ("class_names", []),
        ("class_names", ["cat", "cat"]),
        ("class_names", ["cat" * 100]),
        ("class_names", "cat"),
        ("image_size", 1),
        ("image_size", 32.0),
        ("norm_eps", float("nan")),
    ],
)
def test_an_own_file_whose_settings_make_no_sense_is_refused(tmp_path, setting, value):
    config = {"variant": "maskrcnn_resnet50_fpn", "class_names": ["cat"], "image_size": 32, "norm_eps": 0.0}
    content = {
        "format": "livemask-mask-rcnn",
        "version": 1,
        "config": config | {setting: value},
        "weights": {},
    }
    path = tmp_path / "odd.pt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=f"{setting}: .* makes no sense"):
        read_mask_rcnn(path)


def test_code_in_a_file_is_never_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (sys.exit, (3,))

    path = tmp_path / "bomb.pth"
    torch.save({"roi_heads.mask_predictor.mask_fcn_logits.bias": Bomb()}, path)
    assert is_mask_rcnn(path)
    with pytest.raises(CheckpointError, match=r"pickled code .*which is never run"):
        load_instance_predictor(path)


# --- pasting


@pytest.mark.parametrize("seed", range(5))
def test_a_mask_is_pasted_as_torchvision_pastes_it(seed):
    torch.manual_seed(seed)
    height, width = 37, 53
    masks = torch.nn.functional.interpolate(torch.rand(20, 1, 4, 4), (28, 28), mode="bilinear")
    corners = torch.rand(20, 2, 2) * torch.tensor([width, height])
    boxes = torch.cat([corners.amin(1), corners.amax(1)], dim=1)
    boxes[0] = torch.tensor([0.0, 0.0, width, height])
    boxes[1] = torch.tensor([width - 0.5, height - 0.5, width, height])

    expected = paste_masks_in_image(masks, boxes, (height, width))[:, 0] >= 0.5

    for mask, box, theirs in zip(masks[:, 0], boxes, expected, strict=True):
        ours = paste(mask, box, height, width)
        np.testing.assert_array_equal(ours.paste(height, width), theirs)
        assert ours.x + ours.pixels.shape[1] <= width
        assert ours.y + ours.pixels.shape[0] <= height
