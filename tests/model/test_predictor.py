"""The public way in: weights in, then frames in and detections out."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model import Detections, load_predictor
from model.checkpoints.yolact import load_checkpoint, save_checkpoint
from model.detection.postprocessing import postprocess
from model.errors import CheckpointError, ConfigError
from model.options import DetectOptions
from model.predictor import Predictor, make_predictor
from model.preprocessing import preprocess
from tests.small_networks import TINY, small_network
from tests.source_tree import ROOT

NETWORK = small_network(TINY)
# random weights are sure of nothing
FRAME = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
KEEN: dict[str, Any] = {"device": "cpu", "engine": "torch", "score_threshold": 0.1}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    save_checkpoint(path, TINY, NETWORK.state_dict())
    return path


@pytest.fixture(scope="module")
def predictor(weights: Path) -> Predictor:
    return load_predictor(weights, **KEEN)


def same(a: Detections, b: Detections) -> bool:
    # of random weights some score alike, and rounding may change their order
    a, b = (d.select(np.lexsort((*d.boxes.round(1).T, d.classes))) for d in (a, b))
    return (
        np.allclose(a.boxes, b.boxes, atol=1e-2)
        and np.allclose(a.scores, b.scores, atol=1e-4)
        and np.array_equal(a.classes, b.classes)
    )


def test_a_frame_gives_detections_in_its_own_pixels(predictor: Predictor):
    found = predictor(FRAME)

    assert isinstance(found, Detections)
    assert len(found) > 0
    assert found.image_size == (30, 50)
    assert found.masks.shape == (len(found), 30, 50)
    assert found.class_names == ("cat", "dog", "bird")
    assert float(found.boxes[:, [0, 2]].max()) <= 50


def test_the_predictor_finds_what_the_steps_find_one_by_one(predictor: Predictor):
    with torch.inference_mode():
        raw = NETWORK(preprocess(torch.from_numpy(FRAME)[None], TINY))
        expected = postprocess(raw, NETWORK, [(30, 50)], score_threshold=0.1)[0]

    assert same(predictor(FRAME), expected)


def test_a_list_of_frames_of_any_sizes_gives_a_list(predictor: Predictor):
    other = FRAME[:20, ::-1]

    both = predictor([FRAME, other])

    assert [d.image_size for d in both] == [(30, 50), (20, 50)]
    assert same(both[0], predictor(FRAME))
    assert same(both[1], predictor(other))
    assert predictor([]) == []


def test_frames_may_be_read_only_or_views_and_are_not_changed(predictor: Predictor):
    frozen = FRAME.copy()
    frozen.flags.writeable = False
    for frame in (frozen, FRAME[:, ::-1][:, ::-1], np.asfortranarray(FRAME)):
        assert same(predictor(frame), predictor(FRAME))
    assert np.array_equal(frozen, FRAME)


@pytest.mark.parametrize(
    "frame",
    [
        FRAME[..., 0],
        FRAME[..., :2],
        FRAME.astype(np.float32),
        FRAME.astype(np.uint16),
        FRAME[:0],
        FRAME[None],
    ],
    ids=["grey", "two channels", "float", "16 bits", "no rows", "a stack"],
)
def test_what_is_no_bgr_frame_is_refused(predictor: Predictor, frame: Any):
    with pytest.raises(ValueError, match=r"expected a frame \[H, W, 3\] uint8 BGR, got"):
        predictor(frame)


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (None, r"expected a frame, .* or a list of them, got None \(an image that could not be read\?\)"),
        ([FRAME, None], r"frame 1: expected an array .* got None"),
        ("a.jpg", "frame 0: expected an array .* got str"),
    ],
    ids=["None", "None in a list", "a name"],
)
def test_what_is_no_frame_at_all_is_refused(predictor: Predictor, frames: Any, said: str):
    with pytest.raises(ValueError, match=said):
        predictor(frames)


def test_boxes_only_skips_the_protonet_and_leaves_the_boxes_as_they_are(weights: Path):
    network = load_checkpoint(weights)
    network.protonet.register_forward_hook(lambda *_: pytest.fail("the protonet ran"))
    boxes_only = make_predictor(
        network, torch.device("cpu"), DetectOptions(score_threshold=0.1), with_masks=False
    )

    found = boxes_only(FRAME)

    assert not found.has_masks
    assert same(
        found, make_predictor(NETWORK, torch.device("cpu"), DetectOptions(score_threshold=0.1))(FRAME)
    )
    assert not load_predictor(weights, with_masks=False, **KEEN)(FRAME).has_masks


def test_other_options_share_the_engine(predictor: Predictor):
    few = predictor.with_options(max_detections=2, nms="exact")

    assert few.engine is predictor.engine
    assert len(few(FRAME)) == 2
    assert len(predictor(FRAME)) > 2
    with pytest.raises(ConfigError, match="score threshold"):
        predictor.with_options(score_threshold=-1)


def test_only_the_named_classes_are_looked_for(weights: Path):
    found = load_predictor(weights, classes=["bird", "cat"], **KEEN)(FRAME)
    assert set(found.names) == {"bird", "cat"}


def test_an_input_size_of_ones_own_is_used(weights: Path):
    larger = load_predictor(weights, image_size=96, **KEEN)
    assert larger.config.image_size == 96
    assert len(larger(FRAME)) > 0


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"classes": ["bard"]}, "knows? no class 'bard'; did you mean 'bird'"),
        ({"classes": []}, "no class is named"),
        ({"score_threshold": 1.5}, "score threshold must be 0 to 1, got 1.5"),
        ({"max_detections": 1000}, "1 to 100 detections"),
        ({"nms": "slow"}, "no NMS is named 'slow'"),
        ({"image_size": 8}, "input size must be 32 to 4096 pixels, got 8"),
        ({"device": "gpu"}, "no device is named 'gpu'"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_a_frame_comes(
    weights: Path, bad: dict[str, Any], said: str
):
    with pytest.raises(ConfigError, match=said):
        load_predictor(weights, **{"device": "cpu"} | bad)


def test_a_network_that_re_scores_refuses_an_input_too_small_for_it(tmp_path: Path):
    config = dataclasses.replace(TINY, mask_iou=True, image_size=256)
    save_checkpoint(tmp_path / "a.pt", config, small_network(config).state_dict())

    assert len(load_predictor(tmp_path / "a.pt", **KEEN)(FRAME)) > 0
    with pytest.raises(ConfigError, match="249 to 4096"):
        load_predictor(tmp_path / "a.pt", image_size=224, device="cpu")


def test_weights_that_are_not_there_are_an_error_of_the_project(tmp_path: Path):
    with pytest.raises((CheckpointError, ConfigError), match=r"none\.pt"):
        load_predictor(tmp_path / "none.pt", device="cpu")


def test_a_predictor_leaves_the_network_that_it_is_made_of_alone():
    network = small_network(TINY).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}

    predictor = make_predictor(network, torch.device("cpu"), DetectOptions(score_threshold=0.1))
    predictor(FRAME)

    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())


PACKAGE: dict[str, str] = {
    "the submodules came first": "import model.preprocessing, model.detection.postprocessing",
    "the names came first": "from model import preprocess",
}


@pytest.mark.parametrize("order", PACKAGE)
def test_the_packages_names_are_functions_and_classes_whatever_was_imported_before(order: str):
    code = f"""
{PACKAGE[order]}
import model, inspect
from model import preprocess, postprocess, load_predictor, load_checkpoint, build_yolact
assert all(map(inspect.isfunction, (preprocess, postprocess, load_predictor, load_checkpoint, build_yolact)))
assert all(getattr(model, name) is not None for name in model.__all__)
assert all(map(inspect.isclass, (model.Detections, model.Targets, model.RawOutputs, model.YolactLoss)))
"""
    run(code)


def test_a_name_that_the_package_has_not_is_an_attribute_error():
    import model

    check: Callable[[], object] = lambda: model.nonsense  # noqa: E731
    with pytest.raises(AttributeError, match="'model' has no attribute 'nonsense'"):
        check()


def run(code: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, check=True, timeout=120)
