"""Inputs of several shapes: what keeps the aspect ratio runs on every engine as on the plain network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from model import load_predictor
from model.checkpoints.yolact import save_checkpoint
from model.detection.raw_outputs import raw_outputs
from model.engines.base import YolactEngine
from model.engines.compiled_cache import CompiledCache, Compiler, ModelKey
from model.engines.openvino_engine import MAX_SHAPES, OpenVinoEngine, Shape
from model.engines.torch_engine import TorchEngine
from model.exporting.openvino_model import to_openvino
from tests.small_networks import FREE, free_network

NETWORK = free_network()
KEY = ModelKey("ef" * 32, "free.pt", None, True, "fp32")
SHAPES: list[Shape] = [(1, 3, 64, 96), (1, 3, 96, 64), (2, 3, 32, 128), (1, 3, 64, 96)]
TOLERANCE = 2e-3  # of weights that enlarge what rounding leaves


@pytest.fixture(scope="module")
def build() -> Callable[[], Any]:
    model = to_openvino(NETWORK)
    return lambda: model


def images(shape: Shape) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def agree(engine: YolactEngine, shape: Shape) -> None:
    raw = engine.start(images(shape))()
    with torch.inference_mode():
        expected = NETWORK(images(shape))
    for part, wanted in zip(raw[:4], expected[:4], strict=True):
        torch.testing.assert_close(part, wanted, atol=TOLERANCE, rtol=1e-3)


def never() -> Any:
    pytest.fail("the model was made anew")


def test_pytorch_takes_one_shape_after_another():
    engine = TorchEngine(NETWORK, torch.device("cpu"))
    for shape in SHAPES:
        agree(engine, shape)


def test_openvino_takes_one_shape_after_another_and_finds_them_in_the_cache_at_the_next_start(
    build: Callable[[], Any], tmp_path: Path
):
    cache = CompiledCache(tmp_path, "")
    for source in (build, never):
        engine = OpenVinoEngine(Compiler(source, KEY, cache, "fp32"), "fp32", raw_outputs)
        for shape in SHAPES:
            agree(engine, shape)
    assert sorted(entry.suffix for entry in tmp_path.iterdir()) == [".1x3x64x96", ".1x3x96x64", ".2x3x32x128"]


def test_a_model_is_converted_once_for_all_shapes(tmp_path: Path, build: Callable[[], Any]):
    built = []

    def counted() -> Any:
        built.append(1)
        return build()

    engine = OpenVinoEngine(Compiler(counted, KEY, CompiledCache(tmp_path, ""), "fp32"), "fp32", raw_outputs)
    for shape in SHAPES:
        agree(engine, shape)
    assert built == [1]


def test_the_shape_used_longest_ago_is_given_up_first():
    made: list[Shape] = []

    class Compiled:
        def create_infer_request(self) -> None:
            return None

    def compile_model(shape: Shape) -> Any:
        made.append(shape)
        return Compiled()

    engine = OpenVinoEngine(compile_model, "fp32", raw_outputs)
    sides = range(32, 32 * (MAX_SHAPES + 1), 32)
    for side in sides:
        engine.prepare_for((1, 3, side, 64))
    engine.prepare_for((1, 3, 32, 64))  # used again
    engine.prepare_for((1, 3, 64, 32))  # one too many: (64, 64) goes

    assert len(made) == MAX_SHAPES + 1
    engine.prepare_for((1, 3, 32, 64))
    assert len(made) == MAX_SHAPES + 1
    engine.prepare_for((1, 3, 64, 64))
    assert made[-1] == (1, 3, 64, 64)
    assert len(made) == MAX_SHAPES + 2


def test_predictors_of_both_engines_find_the_same_in_frames_of_several_shapes_at_the_second_start_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LIVEMASK_HOME", str(tmp_path / "home"))
    save_checkpoint(tmp_path / "free.pt", FREE, NETWORK.state_dict())
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((90, 160), (160, 90), (64, 64))]
    keen: dict[str, Any] = {"device": "cpu", "precision": "fp32", "score_threshold": 0.25}
    expected = load_predictor(tmp_path / "free.pt", engine="torch", **keen)(frames)
    assert sum(map(len, expected)) > 5

    for _ in range(2):
        found = load_predictor(tmp_path / "free.pt", engine="openvino", **keen)(frames)

        for a, b in zip(found, expected, strict=True):
            assert len(a) == len(b)
            np.testing.assert_allclose(a.scores, b.scores, atol=1e-3)
            np.testing.assert_allclose(a.boxes, b.boxes, atol=0.1)
