"""Exported files: facts survive, broken and foreign files are refused by name, nothing is half written."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from model.checkpoints.pins import sha256_of
from model.errors import CheckpointError, SinkError
from model.exporting.exported import (
    Facts,
    int8_beside,
    read_exported,
    read_facts,
    write_openvino,
)
from model.exporting.interface import without_masks
from model.network.yolact import Yolact
from tests.full_disk import no_file_longer_than

DIGEST = "0123456789abcdef" * 4


@pytest.fixture
def facts(network: Yolact) -> Facts:
    return Facts(network.config, DIGEST, "fp32", 'free, "as <it> is" & größer')


@pytest.fixture
def file(tmp_path: Path, converted: Any, facts: Facts) -> Path:
    path = tmp_path / "new" / "model.fp32.xml"
    write_openvino(converted.clone(), path, facts)
    return path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_is_written_is_read_back(file: Path, facts: Facts, converted: Any):
    exported = read_exported(file)

    assert exported.facts == read_facts(file) == facts
    assert exported.has_masks
    assert [p.get_any_name() for p in exported.model.outputs] == [p.get_any_name() for p in converted.outputs]


def test_a_model_of_boxes_alone_says_so(tmp_path: Path, converted: Any, facts: Facts):
    write_openvino(without_masks(converted), tmp_path / "boxes.xml", facts)

    assert not read_exported(tmp_path / "boxes.xml").has_masks


def test_only_the_two_files_are_left(file: Path):
    assert sorted(path.name for path in file.parent.iterdir()) == ["model.fp32.bin", "model.fp32.xml"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a model that LiveMask exported"),
        (b"\x00\xff nothing like xml", "not a model that LiveMask exported"),
        (b"<net><rt_info><livemask>", "not a model that LiveMask exported"),
        (
            b'<net name="x" version="11"><layers/><edges/><rt_info/></net>',
            "not a model that LiveMask exported",
        ),
        (b"<net><rt_info><livemask/></rt_info></net>", "version None"),
    ],
)
def test_what_is_no_export_is_refused_by_name(tmp_path: Path, content: bytes, said: str):
    path = tmp_path / "foreign.xml"
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match=f"foreign.xml: .*{said}"):
        read_exported(path)


def test_an_absent_file_is_named(tmp_path: Path):
    with pytest.raises(CheckpointError, match="no such file"):
        read_exported(tmp_path / "absent.xml")


def test_a_truncated_xml_is_refused(file: Path):
    file.write_bytes(file.read_bytes()[:-2000])

    with pytest.raises(CheckpointError, match="or a truncated one"):
        read_exported(file)


@pytest.mark.parametrize("left", [None, 0, 1000])
def test_missing_and_truncated_weights_are_refused(file: Path, left: int | None):
    binary = file.with_suffix(".bin")
    content = binary.read_bytes()
    binary.unlink()
    if left is not None:
        binary.write_bytes(content[:left])

    with pytest.raises(CheckpointError, match=r"broken, or cut short .* export it again"):
        read_exported(file)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image_size": 96}, "images is .*64,64.*expected .*96,96"),
        ({"class_names": ("cat",)}, "class_logits is "),
        ({"num_prototypes": 31}, "mask_coefficients is "),
        ({"image_size": 10**9}, "its configuration makes no sense"),
    ],
)
def test_a_configuration_of_another_network_is_refused(
    tmp_path: Path, converted: Any, facts: Facts, change: dict[str, Any], said: str
):
    other = dataclasses.replace(facts, config=dataclasses.replace(facts.config, **change))
    write_openvino(converted.clone(), tmp_path / "other.xml", other)

    with pytest.raises(CheckpointError, match=said):
        read_exported(tmp_path / "other.xml")


@pytest.mark.parametrize(
    ("old", "new"),
    [(DIGEST, "no digest"), ('<precision value="fp32"', '<precision value="fp1"'), ('"1" />', '"2" />')],
)
def test_forged_facts_are_refused(file: Path, old: str, new: str):
    edit(file, old, new)

    with pytest.raises(CheckpointError, match=r"model\.fp32\.xml: it"):
        read_exported(file)


def test_a_configuration_that_is_nested_beyond_reason_is_refused():
    texts = {"version": "1", "digest": DIGEST, "precision": "int8", "config": "[" * 100_000}

    with pytest.raises(CheckpointError, match="configuration makes no sense"):
        Facts.from_texts(texts)


def test_facts_are_plain_text_and_json(facts: Facts):
    texts = facts.to_texts()

    assert all(isinstance(text, str) for text in texts.values())
    assert json.loads(texts["config"])["name"] == facts.config.name


def test_the_int8_file_beside_weights_is_found_if_it_is_of_them(tmp_path: Path, converted: Any, facts: Facts):
    weights = tmp_path / "mine.v2.pt"
    weights.write_bytes(b"weights")
    path = tmp_path / "mine.v2.int8.xml"
    mine = dataclasses.replace(facts, digest=sha256_of(weights), precision="int8")
    assert int8_beside(weights) is None

    write_openvino(converted.clone(), path, mine)
    assert int8_beside(weights) == path

    weights.write_bytes(b"newer weights")
    assert int8_beside(weights) is None


@pytest.mark.parametrize("content", [b"", b"<net><rt_info><livemask/></rt_info></net>", b"\xff" * 5000])
def test_a_broken_int8_file_beside_weights_is_none(tmp_path: Path, content: bytes):
    (tmp_path / "mine.pt").write_bytes(b"weights")
    (tmp_path / "mine.int8.xml").write_bytes(content)

    assert int8_beside(tmp_path / "mine.pt") is None


def test_a_float_file_that_is_called_int8_is_none(tmp_path: Path, converted: Any, facts: Facts):
    weights = tmp_path / "mine.pt"
    weights.write_bytes(b"weights")
    write_openvino(
        converted.clone(),
        tmp_path / "mine.int8.xml",
        dataclasses.replace(facts, digest=sha256_of(weights)),
    )

    assert int8_beside(weights) is None


def test_a_full_disk_leaves_the_old_files_as_they_were(file: Path, converted: Any, facts: Facts):
    before = {path.name: path.read_bytes() for path in file.parent.iterdir()}

    with no_file_longer_than(50_000), pytest.raises(SinkError, match="cannot be written"):
        write_openvino(converted.clone(), file, dataclasses.replace(facts, licence="another"))

    assert {path.name: path.read_bytes() for path in file.parent.iterdir()} == before
