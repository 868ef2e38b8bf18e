"""Weights of the proposal networks: the project's own files and the port's names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from model.checkpoints.kinds import is_sharpmask_file
from model.checkpoints.sharpmask import (
    load_sharpmask,
    read_sharpmask_config,
    save_sharpmask,
)
from model.errors import CheckpointError
from model.sharpmask.config import SHARPMASK_PRESETS
from tests.model.sharpmask.networks import TINY, tiny
from tests.source_tree import ROOT

SHARP = SHARPMASK_PRESETS["sharpmask_resnet50"]
KEYS = ROOT.parent / "shared" / "parity"


@pytest.mark.parametrize("half", [False, True])
def test_a_network_survives_its_file(tmp_path: Path, half: bool):
    network = tiny()
    save_sharpmask(tmp_path / "a.pt", network, half=half)

    loaded = load_sharpmask(tmp_path / "a.pt")

    assert loaded.config == TINY == read_sharpmask_config(tmp_path / "a.pt")
    assert not loaded.training
    for key, value in network.state_dict().items():
        assert torch.allclose(loaded.state_dict()[key], value, atol=1e-3 if half else 0)


def test_a_file_of_a_network_is_told_from_others(tmp_path: Path):
    save_sharpmask(tmp_path / "a.pt", tiny())
    torch.save({"format": "something else"}, tmp_path / "b.pt")

    assert is_sharpmask_file(tmp_path / "a.pt")
    assert not is_sharpmask_file(tmp_path / "b.pt")
    assert not is_sharpmask_file(tmp_path / "c.pt")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda w: w.pop("head.mask.weight"),
            r"head.mask.weight: expected \[196, 16, 1, 1\] for tiny, but it is",
        ),
        (
            lambda w: w.update({"head.mask.bias": torch.zeros(3)}),
            r"head.mask.bias: expected \[196\].*got \[3\]",
        ),
        (lambda w: w.update({"surplus": torch.zeros(3)}), "surplus: not a part of tiny"),
        (lambda w: w["refinement.seed.bias"].fill_(float("nan")), "refinement.seed.bias: .*not finite"),
    ],
)
def test_the_first_key_that_does_not_fit_is_named(tmp_path: Path, change, told: str):
    save_sharpmask(tmp_path / "a.pt", tiny())
    content = torch.load(tmp_path / "a.pt", weights_only=True)
    change(content["weights"])
    torch.save(content, tmp_path / "a.pt")

    with pytest.raises(CheckpointError, match=told):
        load_sharpmask(tmp_path / "a.pt")


@pytest.mark.parametrize("start", [b"\x04\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00V 1", b"anything"])
def test_a_torch7_file_is_recognised_and_refused_with_what_to_do(tmp_path: Path, start: bytes):
    path = tmp_path / ("model.t7" if start == b"anything" else "model.bin")
    path.write_bytes(start + bytes(40))

    with pytest.raises(CheckpointError, match=r"Torch7 file.*names of the PyTorch port"):
        load_sharpmask(path, SHARP)


def test_weights_of_another_model_are_refused(tmp_path: Path):
    torch.save({"state_dict": {"module.backbone.conv1.weight": torch.zeros(1)}}, tmp_path / "a.pth")

    with pytest.raises(CheckpointError, match=r"trunk.conv1.weight: expected \[64, 3, 7, 7\]"):
        load_sharpmask(tmp_path / "a.pth", SHARP)


def test_a_file_under_the_ports_names_needs_a_configuration(tmp_path: Path):
    torch.save({"state_dict": {"trunk.0.0.1.weight": torch.zeros(1)}}, tmp_path / "a.pth")

    with pytest.raises(CheckpointError, match="name its configuration"):
        load_sharpmask(tmp_path / "a.pth")


@pytest.mark.skipif(not KEYS.exists(), reason="the published key lists lie beside the project; not there")
@pytest.mark.parametrize("name", ["deepmask", "sharpmask"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_every_published_key_has_its_place(tmp_path: Path, name: str, wrapped: bool):
    shapes = json.loads((KEYS / f"{name}.keys.json").read_text())
    table = {k: torch.full(shape, 0.5 if shape else 1.0) for k, shape in shapes.items()}
    table |= {"refs.0.0.weight": torch.zeros(1)}  # a double, which is passed over
    content = {"state_dict": {f"module.{k}": v for k, v in table.items()}} if wrapped else table
    torch.save(content, tmp_path / "a.pth")

    network = load_sharpmask(tmp_path / "a.pth", SHARPMASK_PRESETS[f"{name}_resnet50"])

    assert all(float(p.detach().mean()) == 0.5 for p in network.parameters())
