"""Proposal networks through every engine: the same proposals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.checkpoints.pins import sha256_of
from model.checkpoints.sharpmask import save_sharpmask
from model.engines.choice import Machine
from model.engines.compiled_cache import CompiledCache
from model.errors import CheckpointError, ConfigError
from model.exporting.exported import Facts, read_facts, write_openvino
from model.exporting.proposal_models import DensePassFacts, dense_model, read_dense
from model.instance_predictor import load_instance_predictor
from model.sharpmask import loading
from model.sharpmask.config import SHARPMASK_PRESETS
from model.sharpmask.engines import dense_outputs
from model.sharpmask.loading import load_engines
from model.sharpmask.proposals import propose
from tests.model.sharpmask.networks import TINY, tiny
from tests.small_networks import small_network

pytest.importorskip("openvino")

FRAME = np.random.default_rng(3).integers(0, 255, (53, 71, 3), dtype=np.uint8)
SCALES = (0.5, 1.0, 2.0)


@cache
def converted() -> Any:
    return dense_model(tiny())


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = CompiledCache(tmp_path / "compiled", "")
    monkeypatch.setattr("model.engines.compiled_cache.compiled_cache", lambda: cache)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_sharpmask(tmp_path / "tiny.pt", tiny())
    return tmp_path / "tiny.pt"


REFLECTED = replace(
    SHARPMASK_PRESETS["w112_p3_d21_f128"], code=8, score_hidden=8, mask_side=14, padding="reflect"
)


@pytest.mark.parametrize(
    "config", [TINY, replace(TINY, refine_width=0), REFLECTED], ids=["refines", "coarse", "reflected"]
)
@pytest.mark.parametrize("refine", [True, False])
def test_openvino_says_what_pytorch_says(tmp_path: Path, config, refine: bool):
    save_sharpmask(tmp_path / "tiny.pt", tiny(config))
    engines, choice = load_engines(tmp_path / "tiny.pt", "openvino", "cpu", "fp32")

    found = propose(engines, FRAME, SCALES, top_n=9, refine=refine)
    wanted = propose(tiny(config), FRAME, SCALES, top_n=9, refine=refine)

    assert (choice.engine, choice.precision) == ("openvino", "fp32")
    assert found.windows.tolist() == wanted.windows.tolist()
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-5)
    assert (found.masks != wanted.masks).mean() < 1e-3


def test_results_are_the_same_from_run_to_run_and_from_the_cache(weights: Path):
    first, _ = load_engines(weights, "openvino", "cpu", "fp32")
    again, _ = load_engines(weights, "openvino", "cpu", "fp32")

    results = [propose(engines, FRAME, SCALES, top_n=5) for engines in (first, first, again)]

    for other in results[1:]:
        assert (other.scores == results[0].scores).all()
        assert (other.masks == results[0].masks).all()


def test_int8_of_these_very_weights_is_taken_where_it_lies_beside_them(
    weights: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        loading,
        "detect_machine",
        lambda: Machine("a processor", openvino="1", fast_bf16=True, fast_int8=True),
    )
    assert load_engines(weights)[1].precision == "bf16"

    facts = DensePassFacts(TINY, sha256_of(weights), "int8")
    write_openvino(converted().clone(), weights.with_name("tiny.int8.xml"), facts)
    engines, choice = load_engines(weights)
    assert (choice.engine, choice.precision, engines.dense.precision) == ("openvino", "int8", "int8")
    assert len(propose(engines, FRAME, SCALES, top_n=5)) == 5

    save_sharpmask(weights, tiny(seed=1))
    assert load_engines(weights)[1].precision == "bf16"


def test_a_trunk_that_only_pytorch_runs_gets_pytorch(tmp_path: Path):
    config = SHARPMASK_PRESETS["w160_p4_d8_vgg"]
    small = type(config)(**{**config.to_dict(), "code": 8, "score_hidden": 8})
    save_sharpmask(tmp_path / "vgg.pt", tiny(small))

    assert load_engines(tmp_path / "vgg.pt", device="cpu")[1].engine == "torch"
    with pytest.raises(ConfigError, match=r"w160_p4_d8_vgg has poolings that only the torch engine runs"):
        load_engines(tmp_path / "vgg.pt", engine="openvino")


def test_a_predictor_takes_engine_and_precision_from_the_options(weights: Path):
    predictor = load_instance_predictor(weights, engine="openvino", device="cpu", precision="fp32")
    assert predictor.choice is not None
    assert str(predictor.choice).startswith("openvino fp32 on cpu")
    assert predictor([FRAME])[0].image_size == (53, 71)


def test_a_dense_pass_is_written_and_read_back(tmp_path: Path):
    path = tmp_path / "dense.xml"
    write_openvino(converted().clone(), path, DensePassFacts(TINY, "ab" * 32, "fp32", "free"))

    assert [port.get_any_name() for port in read_dense(path).outputs][:2] == ["score_logits", "codes"]
    with pytest.raises(CheckpointError, match=r"dense pass of a proposal network.* name those"):
        read_facts(path)


def broken(path: Path, change: str) -> None:
    if change == "cut":
        content = path.with_suffix(".bin").read_bytes()
        path.with_suffix(".bin").write_bytes(content[: len(content) // 2])
    elif change == "of YOLACT":
        write_openvino(converted().clone(), path, Facts(small_network().config, "ab" * 32, "fp32"))
    elif change == "another network":
        write_openvino(
            dense_model(tiny()), path, DensePassFacts(SHARPMASK_PRESETS["sharpmask_lite"], "ab" * 32, "fp32")
        )
    elif change == "configuration":
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("mask_side", "mask_sight"), encoding="utf-8")
    elif change == "absent":
        path.unlink()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("cut", "broken, or cut short"),
        ("of YOLACT", "no dense pass of a proposal network"),
        ("another network", r"codes is \[.*\], expected \[.*256"),
        ("configuration", "configuration makes no sense"),
        ("absent", "cannot be read"),
    ],
)
def test_a_file_that_is_no_dense_pass_is_refused_by_what_it_is(tmp_path: Path, change: str, said: str):
    path = tmp_path / "dense.xml"
    write_openvino(converted().clone(), path, DensePassFacts(TINY, "ab" * 32, "fp32"))
    broken(path, change)
    with pytest.raises(CheckpointError, match=rf"(?s)dense\.xml: .*{said}"):
        read_dense(path)


def test_skips_are_ordered_by_their_numbers():
    parts: Mapping[str, NDArray[np.float32]] = {
        name: np.full(1, n, np.float32)
        for n, name in enumerate(["skips.10", "codes", "skips.9", "score_logits"])
    }
    assert [float(skip) for skip in dense_outputs(parts).skips] == [2, 0]
