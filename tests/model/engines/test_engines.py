"""The contract of every engine on a CPU, against the plain network in PyTorch."""

from __future__ import annotations

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from model.detection.raw_outputs import RawOutputs, raw_outputs
from model.engines import ENGINES
from model.engines.base import YolactEngine
from model.engines.compiled_cache import CompiledCache, Compiler, ModelKey
from model.engines.openvino_engine import MAX_SHAPES, OpenVinoEngine, Shape
from model.engines.torch_engine import TorchEngine
from tests.small_networks import TINY, small_network

CPU = torch.device("cpu")
NETWORK = small_network(TINY)
TOLERANCE = 1e-4  # other orders of summation, nothing more


Compiled = Callable[..., Compiler]


@pytest.fixture(scope="session")
def compiled(converted: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """Compiles the network; one cache for all tests."""
    cache = CompiledCache(tmp_path_factory.mktemp("compiled"), "")

    def make(streams: int = 1, with_masks: bool = True, precision: str = "fp32") -> Compiler:
        key = ModelKey("0" * 64, "tiny.pt", None, with_masks, precision)
        return Compiler(partial(converted, with_masks), key, cache, precision, streams)

    return make


BUILDERS: dict[str, Callable[[Compiled, bool], YolactEngine]] = {
    "torch": lambda _, masks: TorchEngine(NETWORK, CPU, with_masks=masks),
    "openvino": lambda compiled, masks: OpenVinoEngine(compiled(1, masks), "fp32", raw_outputs),
    "openvino, three streams": lambda compiled, masks: OpenVinoEngine(
        compiled(3, masks), "fp32", raw_outputs, slots=3
    ),
}


@pytest.fixture(params=BUILDERS)
def engine(request: pytest.FixtureRequest, compiled: Compiled) -> YolactEngine:
    return BUILDERS[request.param](compiled, True)


def batch(seed: int, images: int = 1) -> Tensor:
    return torch.randn(images, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def truth(images: Tensor) -> RawOutputs:
    return NETWORK(images)


def difference(a: RawOutputs, b: RawOutputs) -> float:
    assert a.prototypes is not None
    assert b.prototypes is not None
    return max(float((x - y).abs().max()) for x, y in zip(a[:4], b[:4], strict=True))


def test_every_engine_has_its_contract_tested():
    assert {name.partition(",")[0] for name in BUILDERS} == set(ENGINES)


@pytest.mark.parametrize("images", [1, 3])
def test_an_engine_says_what_the_network_says(engine: YolactEngine, images: int):
    raw = engine.start(batch(0, images))()

    assert difference(raw, truth(batch(0, images))) < TOLERANCE
    assert {part.dtype for part in raw if part is not None} == {torch.float32}
    assert engine.precision == "fp32"
    assert str(engine.device) == "cpu"


def test_images_need_not_lie_in_memory_in_order(engine: YolactEngine):
    images = batch(1).to(memory_format=torch.channels_last)
    assert difference(engine.start(images)(), truth(images)) < TOLERANCE


def test_outputs_stay_until_as_many_more_batches_were_begun_as_there_are_slots(
    engine: YolactEngine,
):
    raw = engine.start(batch(0))()
    others = [engine.start(batch(i)) for i in range(1, engine.slots)]
    for pending in others:
        pending()

    assert difference(raw, truth(batch(0))) < TOLERANCE


def test_as_many_batches_as_there_are_slots_may_be_on_their_way(engine: YolactEngine):
    for round_ in range(3):
        seeds = range(round_ * 10, round_ * 10 + engine.slots)
        pending = [engine.start(batch(seed)) for seed in seeds]
        for seed, wait in zip(seeds, pending, strict=True):
            assert difference(wait(), truth(batch(seed))) < TOLERANCE


def test_a_batch_that_nobody_waits_for_is_forgotten(engine: YolactEngine):
    for seed in range(5):
        engine.start(batch(seed, images=2))
    gc.collect()

    assert difference(engine.start(batch(9))(), truth(batch(9))) < TOLERANCE


def test_another_thread_may_wait_for_the_outputs(engine: YolactEngine):
    with ThreadPoolExecutor(1) as pool:
        raw = pool.submit(engine.start(batch(3))).result()
    assert difference(raw, truth(batch(3))) < TOLERANCE


@pytest.mark.parametrize("name", BUILDERS)
def test_outputs_outlive_their_engine(name: str, compiled: Compiled):
    engine = BUILDERS[name](compiled, True)
    raw = engine.start(batch(4))()
    del engine
    gc.collect()
    noise = [torch.full_like(part, 7.0) for part in raw if part is not None for _ in range(8)]

    assert difference(raw, truth(batch(4))) < TOLERANCE
    assert len(noise) == 32


@pytest.mark.parametrize("name", BUILDERS)
def test_without_masks_there_are_no_prototypes_and_the_boxes_stay_as_they_are(name: str, compiled: Compiled):
    raw = BUILDERS[name](compiled, False).start(batch(5))()

    expected = truth(batch(5))
    assert raw.prototypes is None
    for part, wanted in zip(raw[:3], expected[:3], strict=True):
        torch.testing.assert_close(part, wanted, atol=TOLERANCE, rtol=0)


def test_openvino_keeps_only_so_many_batch_sizes_and_takes_any(compiled: Compiled):
    made: list[int] = []
    compile_model = compiled()

    def watched(shape: Shape) -> Any:
        made.append(shape[0])
        return compile_model(shape)

    engine = OpenVinoEngine(watched, "fp32", raw_outputs)
    sizes = [*range(1, MAX_SHAPES + 2), 2]

    for size in sizes:
        assert difference(engine.start(batch(6, size))(), truth(batch(6, size))) < TOLERANCE
    assert made == list(range(1, MAX_SHAPES + 2)), "size 2 was still there"
    engine.start(batch(6, 1))()
    assert made[-1] == 1, "size 1 was used longest ago and had to be made again"


def test_what_openvino_computes_in_16_bits_is_near(compiled: Compiled):
    engine = OpenVinoEngine(compiled(precision="bf16"), "bf16", raw_outputs)
    images = batch(7)
    expected = truth(images)
    largest = max(float(part.abs().max()) for part in expected if part is not None)
    # 8 bits of a number are kept; a processor that has no such arithmetic computes in 32
    assert difference(engine.start(images)(), expected) < 0.05 * largest
