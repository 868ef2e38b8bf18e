"""Sharpening: which window an object gets, what is computed in it, and for which weights it works."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from model.checkpoints.sharpmask import save_sharpmask
from model.checkpoints.yolact import save_checkpoint
from model.config import BackboneConfig
from model.errors import ConfigError
from model.host.outputs import ImageOutputs
from model.network.yolact import Yolact
from model.options import DetectOptions
from model.predictor import Predictor, load_predictor
from model.sharpmask.config import SHARPMASK_PRESETS
from model.sharpmask.network import SharpMask
from model.sharpmask.sharpener import Sharpener, WindowPlace, shares_trunk, window_place
from tests.model.sharpmask.networks import TINY, tiny
from tests.small_networks import FREE, free_network, small_network

WHOLE_WINDOW = dataclasses.replace(TINY, window=160)
SHARED = dataclasses.replace(FREE, backbone=BackboneConfig("csp", width=32))


@pytest.mark.parametrize(
    ("box", "place"),
    [
        # 92 px fill a window of 10 cells; the corner nearest to centre - 80 px
        ((100, 60, 192, 120), WindowPlace(row=1, column=4, cells=10)),
        ((107, 60, 199, 120), WindowPlace(row=1, column=5, cells=10)),
        # near the edge of the picture it begins outside
        ((0, 0, 30, 92), WindowPlace(row=-2, column=-4, cells=10)),
        # the longest side counts, and larger objects get larger windows
        ((100, 100, 120, 247), WindowPlace(row=3, column=-1, cells=16)),
        ((0, 0, 184, 184), WindowPlace(row=-4, column=-4, cells=20)),
        ((0, 0, 65, 65), WindowPlace(row=-2, column=-2, cells=8)),
    ],
)
def test_an_object_gets_the_window_nearest_to_its_centre(
    box: tuple[float, float, float, float], place: WindowPlace
):
    assert window_place(box) == place


@pytest.mark.parametrize("side", [0, 64.9, 184.1, 400])
def test_objects_that_are_too_small_or_too_large_get_no_window(side: float):
    assert window_place((10, 10, 10 + side, 10 + side)) is None


def levels(network: SharpMask, height: int = 256, width: int = 320) -> tuple[Tensor, ...]:
    noise = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return network.trunk(noise)


def outputs_with(features: tuple[Tensor, ...]) -> ImageOutputs:
    nothing = np.zeros((0, 0), np.float32)
    return ImageOutputs(nothing, nothing, nothing, None, tuple(level[0].numpy() for level in features))


def relative(boxes: list[tuple[float, float, float, float]], height: int, width: int) -> NDArray[np.float32]:
    """Boxes in pixels of the input, relative to it."""
    return np.array(boxes, np.float32) / np.array([width, height, width, height], np.float32)


@torch.no_grad()
def refined_slowly(network: SharpMask, features: tuple[Tensor, ...], place: WindowPlace) -> Tensor:
    """What head and refinement make of a window that is cut out of generously padded levels."""
    parts = []
    for level, per_cell in zip(features, (8, 4, 2, 1), strict=True):
        rim = 10 * per_cell
        padded = F.pad(level, (rim, rim, rim, rim))
        top, left = (n * per_cell + rim for n in (place.row, place.column))
        part = padded[..., top : top + place.cells * per_cell, left : left + place.cells * per_cell]
        size = (10 * per_cell, 10 * per_cell)
        parts.append(F.interpolate(part, size, mode="bilinear", antialias=place.cells > 10))
    assert network.refinement is not None
    codes = network.head(parts[-1]).codes[:, :, 0, 0]
    return network.refinement(codes, network.refinement.skips(parts))[0]


def test_each_eligible_object_is_refined_in_its_window_of_the_levels_and_the_others_are_not():
    network = tiny(WHOLE_WINDOW)
    features = levels(network)
    boxes = [(100, 60, 192, 120), (10, 10, 40, 40), (160, 109, 280, 256), (-5, 20, 65, 60)]
    windows = Sharpener(network).windows(relative(boxes, 256, 320), outputs_with(features), (256, 320))
    places = [window_place(box) for box in boxes]
    places[3] = window_place((0, 20, 65, 60))  # a box counts as far as it lies in the picture
    assert [window is None for window in windows] == [False, True, False, False]
    for window, place in zip(windows, places, strict=True):
        if window is None or place is None:
            continue
        assert (window.x, window.y) == (16 * place.column, 16 * place.row)
        assert (window.side, window.content) == (16 * place.cells, (256, 320))
        assert np.allclose(window.logits, refined_slowly(network, features, place), atol=1e-5)


@pytest.mark.parametrize("name", ["sharpmask_resnet50", "deepmask_lite"])
def test_a_network_of_another_trunk_or_without_refinement_is_refused(name: str):
    with torch.device("meta"):
        network = SharpMask(SHARPMASK_PRESETS[name])
    with pytest.raises(ConfigError, match="sharpened by a SharpMask with refinement"):
        Sharpener(network)


def sharing(detector: Yolact) -> SharpMask:
    """Return a proposal network on the detector's backbone that claims every window for its object."""
    network = tiny()
    backbone = detector.backbone.state_dict()
    network.trunk.load_state_dict({name: backbone[name] for name in network.trunk.state_dict()})
    assert network.refinement is not None
    torch.nn.init.zeros_(network.refinement.last.weight)
    torch.nn.init.constant_(network.refinement.last.bias, 100.0)  # type: ignore[arg-type]
    return network


def test_weights_in_half_precision_are_the_same_weights_and_others_are_not():
    detector = small_network(SHARED)
    network = sharing(detector)
    assert shares_trunk(network, {k: v.half() for k, v in detector.state_dict().items()})
    assert not shares_trunk(network, small_network(SHARED, seed=1).state_dict())
    assert not shares_trunk(network, small_network(FREE).state_dict())


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, Path]:
    """The files of a proposal network and of the detector whose backbone it shares."""
    detector = free_network(SHARED)
    save_checkpoint(tmp_path / "detector.pt", SHARED, detector.state_dict())
    save_sharpmask(tmp_path / "proposals.pt", sharing(detector))
    return str(tmp_path / "proposals.pt"), tmp_path / "detector.pt"


def frame() -> Tensor:
    return torch.randint(0, 256, (96, 128, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_a_predictor_sharpens_the_masks_of_eligible_objects_alone(files: tuple[str, Path]):
    sharpen, detector = files
    plain = load_predictor(detector, engine="torch", device="cpu", score_threshold=0.1)
    sharp = load_predictor(detector, engine="torch", score_threshold=0.1, sharpen=sharpen)
    assert str(sharp.choice) == "torch fp32 on cpu: the fastest that gives features to sharpen masks by"
    before, after = plain(frame().numpy()), sharp(frame().numpy())
    assert after.boxes.tolist() == before.boxes.tolist()
    sides = (after.boxes[:, 2:] - after.boxes[:, :2]).max(1)
    changed = (before.masks != after.masks).any((1, 2))
    assert changed.any()
    assert not changed[(sides < 65) | (sides > 184)].any()
    whole = sharp.without_sharpener()(frame().numpy())
    assert (whole.masks == before.masks).all()


@pytest.mark.slow
def test_both_engines_sharpen_alike(files: tuple[str, Path]):
    sharpen, detector = files
    one, other = (
        load_predictor(detector, engine=engine, precision="fp32", score_threshold=0.1, sharpen=sharpen)
        for engine in ("torch", "openvino")
    )
    expected, said = one(frame().numpy()), other(frame().numpy())
    assert np.allclose(said.boxes, expected.boxes, atol=0.01)
    assert (said.masks != expected.masks).mean() < 0.001


def test_uncropped_masks_are_left_alone(files: tuple[str, Path]):
    sharpen, detector = files
    sharp = load_predictor(detector, engine="torch", score_threshold=0.1, sharpen=sharpen, crop_masks=False)
    assert (sharp(frame().numpy()).masks == sharp.without_sharpener()(frame().numpy()).masks).all()


def test_other_options_keep_the_sharpener(files: tuple[str, Path]):
    sharp = load_predictor(files[1], engine="torch", sharpen=files[0])
    assert sharp.with_options(nms="exact").sharpener is sharp.sharpener
    assert isinstance(sharp, Predictor)
    assert sharp.options == DetectOptions()


def test_a_detector_of_another_backbone_is_refused_by_name(files: tuple[str, Path], tmp_path: Path):
    save_checkpoint(tmp_path / "other.pt", SHARED, small_network(SHARED, seed=1).state_dict())
    with pytest.raises(
        ConfigError, match=r"other\.pt cannot be sharpened by proposals\.pt, which was trained"
    ):
        load_predictor(tmp_path / "other.pt", sharpen=files[0])


def test_weights_of_a_detector_do_not_sharpen(files: tuple[str, Path]):
    with pytest.raises(ConfigError, match="this file holds something else"):
        load_predictor(files[1], sharpen=str(files[1]))


@pytest.mark.parametrize("option", [{"device": "cuda"}, {"precision": "int8"}])
def test_what_gives_no_features_in_floating_point_is_refused(files: tuple[str, Path], option: dict[str, str]):
    with pytest.raises(ConfigError, match="sharpened on the CPU, on features of a checkpoint's network"):
        load_predictor(files[1], sharpen=files[0], **option)  # type: ignore[arg-type]
