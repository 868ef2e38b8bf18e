"""From weights files of every kind to a predictor on the engine that was chosen."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import load_predictor
from model.checkpoints.pins import sha256_of
from model.checkpoints.yolact import save_checkpoint
from model.engines import compiled_cache
from model.errors import CheckpointError, ConfigError
from model.exporting.exported import Facts, write_openvino
from model.exporting.openvino_model import to_openvino
from model.loading import weights_facts
from tests.small_networks import TINY, small_network
from tests.source_tree import ROOT

# at least two cells on every level
CONFIG = dataclasses.replace(TINY, image_size=160)
NETWORK = small_network(CONFIG)
FRAME = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
KEEN: dict[str, Any] = {"device": "cpu", "score_threshold": 0.1}
OPENVINO: dict[str, Any] = {**KEEN, "engine": "openvino", "precision": "fp32"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights, and beside them a model exported from them that says of itself that it is int8."""
    folder = tmp_path_factory.mktemp("weights")
    save_checkpoint(folder / "tiny.pt", CONFIG, NETWORK.state_dict())
    digest = sha256_of(folder / "tiny.pt")
    model = to_openvino(NETWORK)
    write_openvino(model, folder / "exported.xml", Facts(CONFIG, digest, "fp32"))
    write_openvino(model, folder / "tiny.int8.xml", Facts(CONFIG, digest, "int8"))
    re_scored = dataclasses.replace(CONFIG, mask_iou=True)
    write_openvino(model, folder / "re-scored.xml", Facts(re_scored, digest, "fp32"))
    save_checkpoint(folder / "alone.pt", CONFIG, NETWORK.state_dict())
    return folder


@pytest.fixture(autouse=True)
def one_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache of compiled models for the whole file, since making one takes a second."""
    monkeypatch.setenv("LIVEMASK_HOME", str(folder / "home"))


def test_the_shape_of_a_choice_is_told_by_the_predictor(folder: Path):
    predictor = load_predictor(folder / "alone.pt", **OPENVINO)
    assert predictor.choice is not None
    assert (predictor.choice.engine, predictor.choice.precision) == ("openvino", "fp32")
    assert (predictor.engine.name, predictor.engine.precision) == ("openvino", "fp32")


def test_int8_is_found_beside_the_weights_that_it_was_made_from(folder: Path):
    predictor = load_predictor(folder / "tiny.pt", **KEEN, precision="int8")
    assert predictor.engine.precision == "int8"
    assert len(predictor(FRAME)) > 0


def test_int8_for_another_input_size_is_not_used(folder: Path):
    assert weights_facts(folder / "tiny.pt", 160).int8 == folder / "tiny.int8.xml"
    assert weights_facts(folder / "tiny.pt", 96).int8 is None
    with pytest.raises(ConfigError, match="no int8 model for this input size lies beside"):
        load_predictor(folder / "tiny.pt", **KEEN, image_size=96, precision="int8")


def test_an_exported_file_is_run_as_it_is(folder: Path):
    exported = load_predictor(folder / "exported.xml", **OPENVINO)
    checkpoint = load_predictor(folder / "alone.pt", **KEEN, engine="torch")

    a, b = exported(FRAME), checkpoint(FRAME)

    np.testing.assert_allclose(a.boxes, b.boxes, atol=1e-2)
    np.testing.assert_allclose(a.scores, b.scores, atol=1e-4)
    assert exported.config == checkpoint.config


def test_an_exported_file_can_be_asked_for_boxes_alone(folder: Path):
    assert not load_predictor(folder / "exported.xml", with_masks=False, **OPENVINO)(FRAME).has_masks


def test_an_exported_file_keeps_its_input_size(folder: Path):
    assert load_predictor(folder / "exported.xml", image_size=160, **OPENVINO).config.image_size == 160
    with pytest.raises(ConfigError, match="exported for inputs of 160 pixels, not 96"):
        load_predictor(folder / "exported.xml", image_size=96, **OPENVINO)


def test_a_file_that_was_exported_by_nobody_is_refused_by_name(tmp_path: Path):
    (tmp_path / "other.xml").write_text("<net/>")
    with pytest.raises(CheckpointError, match=r"other\.xml"):
        load_predictor(tmp_path / "other.xml", device="cpu")


def test_re_scoring_works_on_every_engine_and_needs_the_weights_themselves(folder: Path, tmp_path: Path):
    config = dataclasses.replace(TINY, mask_iou=True, image_size=256)
    network = small_network(config)
    save_checkpoint(tmp_path / "a.pt", config, network.state_dict())

    for _ in range(2):  # from the weights, then from the cache
        found = load_predictor(tmp_path / "a.pt", **OPENVINO)(FRAME)
        expected = load_predictor(tmp_path / "a.pt", **KEEN, engine="torch")(FRAME)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
        assert not np.array_equal(found.scores, found.box_scores)
    with pytest.raises(CheckpointError, match="re-scores masks"):
        load_predictor(folder / "re-scored.xml", **OPENVINO)


def test_several_batches_side_by_side_find_what_one_at_a_time_finds(folder: Path):
    predictor = load_predictor(folder / "alone.pt", **OPENVINO, streams=2, batch=2)
    frames = [FRAME, FRAME[::-1]]

    pending = [predictor.engine.start(predictor.prepare(frames)) for _ in range(predictor.engine.slots)]
    raws = [wait() for wait in pending]

    assert predictor.engine.slots == 2
    assert [len(outputs) for outputs in raws] == [2, 2]
    for one, other in zip(*raws, strict=True):
        np.testing.assert_array_equal(one.box_deltas, other.box_deltas)


@pytest.mark.parametrize("bad", [{"streams": 0}, {"batch": 0}])
def test_less_than_one_stream_or_frame_is_refused(folder: Path, bad: dict[str, Any]):
    with pytest.raises(ConfigError, match="must be 1 or more"):
        load_predictor(folder / "alone.pt", **KEEN, **bad)


def test_the_cache_is_used_for_the_same_file_and_not_for_another_of_its_name(folder: Path, tmp_path: Path):
    other = small_network(CONFIG, seed=1)
    save_checkpoint(tmp_path / "alone.pt", CONFIG, other.state_dict())

    one = load_predictor(folder / "alone.pt", **OPENVINO)(FRAME)
    another = load_predictor(tmp_path / "alone.pt", **OPENVINO)(FRAME)
    again = load_predictor(folder / "alone.pt", **OPENVINO)(FRAME)

    assert np.array_equal(one.boxes, again.boxes)
    assert not np.array_equal(one.scores, another.scores)


def test_settings_that_make_no_sense_are_refused_from_the_cache_too(folder: Path):
    load_predictor(folder / "alone.pt", **OPENVINO)
    for bad, said in (({"max_detections": 1000}, "1 to 100"), ({"classes": ["bard"]}, "did you mean 'bird'")):
        with pytest.raises(ConfigError, match=said):
            load_predictor(folder / "alone.pt", **{**OPENVINO, **bad})


WATCHED = """
import json, os, sys
seen = []
def watch(event, arguments):
    # PyTorch asks ldconfig where libraries are
    started = event == "subprocess.Popen" and "ldconfig" not in str(arguments[0])
    if event.startswith("socket.") or started or event in ("os.system", "os.posix_spawn"):
        seen.append(f"{event} {arguments}")
sys.addaudithook(watch)
import numpy as np
from model import load_predictor
predictor = load_predictor(sys.argv[1], device="cpu", engine="openvino", precision="fp32")
predictor(np.zeros((30, 50, 3), np.uint8))
print(json.dumps([seen, sorted(sys.modules)]))
"""


def watched(weights: Path, home: Path) -> tuple[list[str], set[str]]:
    """What a new process did to the network, and the modules that it loaded."""
    environment = {**os.environ, "HOME": str(home), "USERPROFILE": str(home)}
    command = [sys.executable, "-c", WATCHED, str(weights)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    seen, loaded = json.loads(done.stdout.splitlines()[-1])
    return seen, set(loaded)


def test_nothing_leaves_the_machine_and_a_start_from_the_cache_builds_no_network(
    folder: Path, tmp_path: Path
):
    load_predictor(folder / "alone.pt", **OPENVINO)  # now it is in the cache

    seen, loaded = watched(folder / "alone.pt", tmp_path)

    assert seen == []
    assert list(tmp_path.iterdir()) == [], "OpenVINO wrote into the home folder"
    assert not loaded & {"model.network.yolact", "model.checkpoints.yolact", "torchvision"}


def test_the_cache_is_left_alone_by_pytorch(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiled_cache, "compiled_cache", lambda: pytest.fail("the cache was opened"))
    assert len(load_predictor(folder / "alone.pt", **KEEN, engine="torch")(FRAME)) > 0
