"""The proposal networks: shapes, heads over a map, the refinement in its two forms, published values."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.checkpoints.kinds import is_sharpmask_file
from model.checkpoints.sharpmask import load_sharpmask
from model.errors import ConfigError
from model.sharpmask.config import SHARPMASK_PRESETS, SharpMaskConfig
from model.sharpmask.heads import build_head
from model.sharpmask.network import build_sharpmask
from model.sharpmask.padding import symmetric_pad
from model.sharpmask.refinement import Refinement
from tests.model.sharpmask.networks import TINY, tiny
from tests.source_tree import ROOT

PARITY = ROOT.parent / "shared" / "parity" / "check_sharpmask.py"


@pytest.mark.parametrize("config", SHARPMASK_PRESETS.values(), ids=lambda config: config.name)
def test_every_preset_describes_a_network(config: SharpMaskConfig):
    with torch.device("meta"):
        network = build_sharpmask(config)
        out = network.patch(torch.empty(2, 3, config.patch, config.patch))
        dense = network(torch.empty(1, 3, config.window + 2 * config.stride, config.window))

    assert out.score_logits.shape == (2,)
    assert out.mask_logits.shape == (2, config.mask_side, config.mask_side)
    assert (out.refined_logits is not None) == config.refines
    if out.refined_logits is not None:
        assert out.refined_logits.shape == (2, config.window, config.window)
    assert dense.score_logits.shape == (1, 3, 1)


@pytest.mark.parametrize(("name", "learned"), [("deepmask_resnet50", 17.33), ("sharpmask_resnet50", 20.08)])
def test_the_published_networks_have_the_published_number_of_parameters(name: str, learned: float):
    with torch.device("meta"):
        network = build_sharpmask(SHARPMASK_PRESETS[name])

    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(learned, abs=0.006)


def test_the_first_papers_network_has_75_million_parameters():
    with torch.device("meta"):
        network = build_sharpmask(SHARPMASK_PRESETS["deepmask_vgg"])

    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(75, abs=1)


@pytest.mark.parametrize("head", ["original", "A", "B", "C"])
def test_a_head_over_a_map_says_of_each_window_what_it_says_of_the_window_alone(head: str):
    config = replace(SHARPMASK_PRESETS["sharpmask_lite"], trunk="csp", window=64, head=head)
    heads = build_head(config).eval()
    level = torch.rand(1, 256, 6, 7)

    over_map = heads(level)
    alone = heads(level[:, :, 2:6, 1:5])

    torch.testing.assert_close(over_map.codes[:, :, 2, 1], alone.codes[:, :, 0, 0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        over_map.score_logits[:, 2, 1], alone.score_logits[:, 0, 0], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(("head", "shared"), [("A", 0), ("B", 1), ("C", 2)])
def test_heads_share_what_they_say(head: str, shared: int):
    heads = build_head(replace(TINY, head=head))
    branch = heads.mask_branch if heads.score_branch is None else heads.score_branch

    convolutions = [part for part in branch if isinstance(part, nn.Conv2d)]
    of_masks = [part for part in heads.mask_branch if isinstance(part, nn.Conv2d)]
    assert sum(a is b for a, b in zip(convolutions, of_masks, strict=True)) == shared


def plain_refinement(refinement: Refinement, codes: Tensor, levels: list[Tensor]) -> Tensor:
    """The paper's own form: each module convolves the concatenation of skip features and mask encoding."""
    mask = refinement.seed(codes).view(-1, refinement.width, refinement.grid, refinement.grid)
    for horizontal, vertical, level in zip(
        refinement.horizontal, refinement.vertical, reversed(levels), strict=True
    ):
        features = torch.relu(horizontal[:3](level))
        encoding = torch.relu(vertical[:1](mask))
        kernel = torch.cat([horizontal[-1].weight, vertical[-1].weight], dim=1)
        bias = horizontal[-1].bias + vertical[-1].bias
        both = symmetric_pad(torch.cat([features, encoding], dim=1), 1)
        mask = F.interpolate(torch.relu(F.conv2d(both, kernel, bias)), scale_factor=2.0, mode="nearest")
    return refinement.last(mask)[:, 0]


def test_the_plain_and_the_refactored_refinement_are_equal():
    network = tiny()
    assert network.refinement is not None
    levels = list(network.patch_levels(torch.rand(2, 3, TINY.patch, TINY.patch)))
    codes = network.head(levels[-1]).codes[:, :, 0, 0]

    refactored = network.refinement(codes, network.refinement.skips(levels))

    torch.testing.assert_close(refactored, plain_refinement(network.refinement, codes, levels))


def test_mask_encodings_double_their_side_and_halve_their_channels():
    network = tiny()
    assert network.refinement is not None
    levels = network.patch_levels(torch.rand(1, 3, TINY.patch, TINY.patch))
    codes = network.head(levels[-1]).codes[:, :, 0, 0]

    steps = network.refinement.steps(codes, network.refinement.skips(levels))

    assert [tuple(step.shape[1:]) for step in steps] == [
        (16, 2, 2), (8, 4, 4), (4, 8, 8), (2, 16, 16), (1, 32, 32), (32, 32)
    ]  # fmt: skip


def test_a_patch_without_its_rim_is_taken_and_other_sides_are_refused():
    network = tiny()

    assert network.patch(torch.rand(1, 3, 32, 32)).score_logits.shape == (1,)
    with pytest.raises(ConfigError, match="64 px, or of 32 px"):
        network.patch(torch.rand(1, 3, 48, 48))


@pytest.mark.parametrize(
    "change",
    [{"window": 100}, {"pools": 5}, {"head": "D"}, {"trunk": "vgg"}, {"refine_width": 24}, {"code": 0}],
)
def test_a_configuration_that_makes_no_sense_is_refused(change: dict[str, object]):
    with pytest.raises(ConfigError):
        replace(TINY, **change)  # type: ignore[arg-type]


def test_a_configuration_survives_a_file():
    assert SharpMaskConfig.from_dict(TINY.to_dict()) == TINY
    with pytest.raises(ConfigError, match="surprise"):
        SharpMaskConfig.from_dict({**TINY.to_dict(), "surprise": 1})


@pytest.mark.skipif(not PARITY.exists(), reason="the reference values lie beside the project; not there")
def test_the_published_deepmask_is_computed_as_published():
    command = [sys.executable, str(PARITY), "deepmask_resnet50"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)

    assert done.stdout.splitlines()[-1:] == ["parity"], done.stdout + done.stderr


@pytest.mark.skipif(not PARITY.exists(), reason="the reference values lie beside the project; not there")
def test_the_ports_own_file_is_recognised_and_computed_with_its_padding(tmp_path: Path):
    spec = importlib.util.spec_from_file_location("check_sharpmask", PARITY)
    assert spec is not None
    assert spec.loader is not None
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    reference = np.load(PARITY.parent / "deepmask.npz")
    shapes = json.loads((PARITY.parent / "deepmask.keys.json").read_text())
    table = {f"module.{key}": value for key, value in check.weights(shapes).items()}
    torch.save({"state_dict": table}, tmp_path / "DeepMask.pth.tar")

    network = load_sharpmask(tmp_path / "DeepMask.pth.tar")

    assert network.config.name == "deepmask_port"
    picture = cv2.imread(str(PARITY.parent / "image_240x320.png"))
    with torch.inference_mode():
        out = network.patch(check.patch(np.ascontiguousarray(picture[:, :, ::-1]), 20, 60, 192))
    np.testing.assert_allclose(out.score_logits[0], reference["reflect_score_logit"], rtol=1e-4)
    np.testing.assert_allclose(out.mask_logits[0], reference["reflect_mask_logits"], atol=1e-3)
    assert is_sharpmask_file(tmp_path / "DeepMask.pth.tar")
