"""One engine for several sources: batches of their frames, in turn, each source getting its own outputs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError

import numpy as np
import pytest

from model.engines.device import CPU
from model.host.outputs import Floats, ImageOutputs
from pipeline.detectors.engine_pool import EnginePool


class Echo:
    """An engine whose logits are the first pixel of each image; it has one memory for all its outputs.

    gate: set while batches may be computed
    """

    name, precision, device = "echo", "fp32", CPU

    def __init__(self, slots: int = 1) -> None:
        self.slots = slots
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        self.batches: list[list[float]] = []
        self.fails = False
        self._memory: deque[Floats] = deque(np.zeros((8, 1), np.float32) for _ in range(slots))

    def start(self, images: Floats) -> Callable[[], list[ImageOutputs]]:
        self.batches.append(images[:, 0, 0, 0].tolist())
        self.begun.set()
        memory = self._memory[0]
        self._memory.rotate()

        def wait() -> list[ImageOutputs]:
            self.gate.wait()
            if self.fails:
                raise RuntimeError("the network broke")
            memory[: len(images), 0] = images[:, 0, 0, 0]
            nothing = np.zeros((1, 4), np.float32)
            return [ImageOutputs(nothing, row[None], nothing, None) for row in memory[: len(images)]]

        return wait


def image(value: float, side: int = 2) -> Floats:
    return np.full((1, 3, side, side), value, np.float32)


def said(wait: Callable[[], list[ImageOutputs]]) -> float:
    (outputs,) = wait()
    return float(outputs.class_logits[0, 0])


def held(engine: Echo, pool: EnginePool) -> Callable[[], list[ImageOutputs]]:
    """Begin with a batch that does not end before the gate opens, so that what is asked next must wait."""
    engine.gate.clear()
    wait = pool.seat().start(image(-1))
    engine.begun.wait()
    return wait


def test_what_waits_goes_together_one_request_of_each_source_first():
    engine = Echo()
    with EnginePool(engine, most=3) as pool:
        first = held(engine, pool)
        greedy, modest = pool.seat(slots=4), pool.seat()
        waits = [greedy.start(image(value)) for value in (1, 2, 3)] + [modest.start(image(10))]
        engine.gate.set()
        assert [said(wait) for wait in (first, *waits)] == [-1, 1, 2, 3, 10]
    assert engine.batches == [[-1], [1, 10], [2], [3]]


def test_no_source_starves_where_batches_are_full():
    engine = Echo()
    with EnginePool(engine, most=2) as pool:
        first = held(engine, pool)
        seats = [pool.seat(slots=2) for _ in range(3)]
        waits = [seat.start(image(10 * turn + n)) for n, seat in enumerate(seats) for turn in (1, 2)]
        engine.gate.set()
        assert [said(wait) for wait in (first, *waits)] == [-1, 10, 20, 11, 21, 12, 22]
    assert engine.batches == [[-1], [10, 11], [12, 20], [21, 22]]


def test_frames_of_other_shapes_go_by_themselves_and_next():
    engine = Echo()
    with EnginePool(engine, most=4) as pool:
        first = held(engine, pool)
        waits = [pool.seat().start(image(value, side)) for value, side in ((1, 2), (2, 4), (3, 2), (4, 4))]
        engine.gate.set()
        assert [said(wait) for wait in (first, *waits)] == [-1, 1, 2, 3, 4]
    assert engine.batches == [[-1], [1, 3], [2, 4]]


def test_outputs_stay_as_they_are_while_the_engine_goes_on():
    engine = Echo(slots=2)
    with EnginePool(engine, most=1) as pool:
        seat, other = pool.seat(), pool.seat()
        early = seat.start(image(1))()
        for value in range(2, 6):
            assert said(other.start(image(value))) == value
        assert early[0].class_logits[0, 0] == 1


def test_an_error_of_the_network_is_raised_where_its_frames_came_from_and_the_pool_goes_on():
    engine = Echo()
    with EnginePool(engine, most=2) as pool:
        seat = pool.seat()
        engine.fails = True
        with pytest.raises(RuntimeError, match="the network broke"):
            seat.start(image(1))()
        engine.fails = False
        assert said(seat.start(image(2))) == 2


def test_a_source_that_stops_asking_costs_the_others_nothing():
    engine = Echo()
    with EnginePool(engine, most=2) as pool:
        pool.seat().start(image(1))  # and never waits for it
        stays = pool.seat()
        assert [said(stays.start(image(value))) for value in (2, 3)] == [2, 3]


def test_a_closed_pool_cancels_what_waits_and_takes_no_more():
    engine = Echo()
    pool = EnginePool(engine, most=1)
    first = held(engine, pool)
    seat = pool.seat(slots=2)
    late = seat.start(image(1))
    closing = threading.Thread(target=pool.close)
    closing.start()
    engine.gate.set()
    closing.join()
    assert said(first) == -1
    if len(engine.batches) == 1:  # it may have been started just before
        with pytest.raises(CancelledError):
            late()
    with pytest.raises(RuntimeError, match="closed"):
        seat.start(image(2))
