"""ONNX files hold the network, its facts, and nothing about the machine that wrote them."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.config import BackboneConfig
from model.errors import CheckpointError, ConfigError
from model.exporting.exported import Facts, read_exported
from model.exporting.onnx_model import require_onnx, write_onnx
from model.exporting.openvino_model import BOX_OUTPUTS, OUTPUTS
from model.network.yolact import Yolact
from tests.small_networks import TINY
from tests.source_tree import ROOT

needs_onnx = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript")),
    reason="onnx and onnxscript are not installed",
)


@pytest.fixture
def facts(network: Yolact) -> Facts:
    return Facts(network.config, "0" * 64, "fp32", 'free, "as <it> is" & größer')


@needs_onnx
@pytest.mark.parametrize("with_masks", [True, False])
@torch.no_grad()
def test_the_file_computes_what_the_network_computes_and_knows_its_facts(
    network: Yolact, facts: Facts, tmp_path: Path, run: Any, with_masks: bool
):
    path = tmp_path / "a.onnx"

    write_onnx(network, path, facts, with_masks)

    assert [p.name for p in tmp_path.iterdir()] == ["a.onnx"]
    exported = read_exported(path)
    assert exported.has_masks == with_masks
    assert exported.facts == facts
    for batch in (1, 3):
        images = torch.randn(batch, 3, 64, 64, generator=torch.Generator().manual_seed(batch))
        found = run(exported.model, images)
        assert tuple(found) == (OUTPUTS if with_masks else BOX_OUTPUTS)
        for name, expected in zip(OUTPUTS, network(images)[:4], strict=True):
            if name in found:
                np.testing.assert_allclose(found[name], expected.numpy(), rtol=1e-4, atol=1e-4)
    content = path.read_bytes()
    assert str(ROOT).encode() not in content
    assert b"stack_trace" not in content


@pytest.mark.parametrize("content", [b"", b"nothing like protobuf", b"\x08\x07\x12\x00"])
def test_what_is_no_onnx_export_is_refused_by_name(tmp_path: Path, content: bytes):
    (tmp_path / "foreign.onnx").write_bytes(content)

    with pytest.raises(CheckpointError, match=r"foreign\.onnx: "):
        read_exported(tmp_path / "foreign.onnx")


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(ConfigError, match="needs onnx and onnxscript; run `pip install onnx onnxscript`"):
        require_onnx(TINY)


def test_deformable_convolutions_are_refused():
    backbone = BackboneConfig("resnet50", width=8, deformable_interval=1)

    with pytest.raises(ConfigError, match="deformable convolutions"):
        require_onnx(dataclasses.replace(TINY, backbone=backbone))
