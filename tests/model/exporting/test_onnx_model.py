"""ONNX files: what cannot be exported, and what is none, is refused (the rest: `test_every_exporter.py`)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from model.config import BackboneConfig
from model.errors import CheckpointError, ConfigError
from model.exporting.exported import read_exported
from model.exporting.onnx_model import require_onnx
from tests.small_networks import TINY


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
