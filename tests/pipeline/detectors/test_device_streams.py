"""The streams that put work off: that they show what is wrong and accept what is right. And CUDA's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from pipeline.detectors.device_streams import CudaStreams, DeviceEvent, DeviceStreams
from tests.pipeline.deferred_streams import LAZY, DeferredStreams, Schedule
from tests.pipeline.pretended_device import NAME, POISON

EAGER = Schedule(eager=1.0)
no_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def pinned(streams: DeviceStreams, *values: int) -> Tensor:
    memory = streams.pinned(len(values))
    memory.copy_(torch.tensor(values, dtype=torch.uint8))
    return memory


class Doubled(NamedTuple):
    """1, 2, 3, doubled on another stream than they were uploaded on; not waited for yet."""

    back: Tensor  # pinned
    there: Tensor
    done: DeviceEvent


def doubled(streams: DeviceStreams, device: torch.device | str, wait: bool = True) -> Doubled:
    source, back = pinned(streams, 1, 2, 3), streams.pinned(3)
    with streams.stream("upload"):
        there = torch.empty(3, dtype=torch.uint8, device=device)
        there.copy_(source, non_blocking=True)
        uploaded = streams.event()
        uploaded.record()
    with streams.stream("inference"):
        if wait:
            uploaded.wait()
        back.copy_(there * 2, non_blocking=True)
        done = streams.event()
        done.record()
    return Doubled(back, there, done)


@pytest.mark.parametrize("schedule", [LAZY, EAGER, *(Schedule(0.5, seed=s) for s in range(8))], ids=str)
def test_work_is_done_in_order_once_the_host_has_waited(schedule: Schedule):
    streams = DeferredStreams(schedule)
    made = doubled(streams, NAME)

    made.done.synchronize()

    assert made.back.tolist() == [2, 4, 6]
    assert (streams.synchronisations, streams.hidden) == (1, [])


def test_nothing_is_there_before_the_host_has_waited():
    assert doubled(DeferredStreams(LAZY), NAME).back.tolist() == [POISON] * 3


def test_a_device_that_is_fast_has_done_it_already():
    assert doubled(DeferredStreams(EAGER), NAME).back.tolist() == [2, 4, 6]


def test_a_wait_that_is_missing_gives_poison():
    streams = DeferredStreams(LAZY)
    made = doubled(streams, NAME, wait=False)

    made.done.synchronize()

    assert made.back.tolist() == [2 * POISON % 256] * 3


def test_memory_that_nobody_refers_to_any_more_is_taken_by_its_own_stream():
    streams = DeferredStreams(Schedule(eager=1.0, late=("inference",)))
    back, there, done = doubled(streams, NAME)
    del there
    with streams.stream("upload"):
        torch.zeros(1, device=NAME)  # an occasion for the stream to go on

    done.synchronize()

    assert back.tolist() == [2 * POISON % 256] * 3


def test_pinned_memory_that_is_written_to_too_early_uploads_what_was_written_last():
    streams = DeferredStreams(LAZY)
    source = pinned(streams, 1)
    back = streams.pinned(1)
    with streams.stream("upload"):
        there = torch.empty(1, dtype=torch.uint8, device=NAME)
        there.copy_(source, non_blocking=True)
        back.copy_(there, non_blocking=True)
        done = streams.event()
        done.record()
    source.fill_(9)

    done.synchronize()

    assert back.tolist() == [9]


LOOKS: dict[str, Callable[[Tensor], object]] = {
    "item": lambda t: t.sum().item(),
    "cpu": lambda t: t.cpu(),
    "nonzero": lambda t: t.nonzero(),
    "a mask as an index": lambda t: t[t > 1],
    "an upload": lambda t: t + torch.tensor([1, 2, 3]).to(NAME),
    "a constant": lambda t: t + torch.tensor([1, 2, 3], device=NAME),
    "a download that waits": lambda t: torch.empty(3).copy_(t),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_whatever_makes_the_host_wait_unasked_is_counted(look: Callable[[Tensor], object]):
    streams = DeferredStreams(LAZY)
    with streams.stream("inference"):
        there = torch.arange(3, device=NAME) * 2
        assert streams.hidden == []
        look(there)

    assert len(streams.hidden) == 1


def test_a_value_that_is_looked_at_is_the_right_one():
    streams = DeferredStreams(LAZY)
    with streams.stream("inference"):
        there = torch.arange(3, device=NAME) * 2
        constant = torch.tensor([1, 2, 3], device=NAME)
        assert (there + constant).cpu().tolist() == [1, 4, 7]
        assert there[there > 1].sum().item() == 6


def test_tensors_of_host_and_device_do_not_mix():
    streams = DeferredStreams(LAZY)
    with streams.stream("inference"), pytest.raises(AssertionError, match="mixes"):
        torch.arange(3, device=NAME) + torch.arange(3)


def test_a_tensor_of_the_device_cannot_be_used_outside_of_any_stream():
    streams = DeferredStreams(LAZY)
    there = streams.device.upload(torch.arange(3))
    with pytest.raises(AssertionError, match="outside of any stream"):
        there + 1


def test_the_time_of_an_event_that_is_not_reached_is_refused():
    streams = DeferredStreams(LAZY)
    done = doubled(streams, NAME).done
    with pytest.raises(AssertionError, match="not reached"):
        done.elapsed_time(done)


def test_making_cudas_streams_asks_nothing_of_a_gpu():
    was_initialised = torch.cuda.is_initialized()
    CudaStreams(torch.device("cuda"))
    assert torch.cuda.is_initialized() is was_initialised


@no_gpu
def test_cudas_streams_do_the_same():
    device = torch.device("cuda")
    streams = CudaStreams(device)
    made = doubled(streams, device)

    made.done.synchronize()

    assert made.back.tolist() == [2, 4, 6]
    assert made.back.is_pinned()


@no_gpu
def test_cudas_streams_are_one_a_name_and_begin_after_the_current_one():
    device = torch.device("cuda")
    streams = CudaStreams(device)
    back = streams.pinned(1)
    big = torch.ones(4096, 4096, device=device)
    for _ in range(20):
        big = (big @ big).clamp(max=1)
    with streams.stream("upload"):
        first = torch.cuda.current_stream()
        back.copy_(big[0, :1].to(torch.uint8), non_blocking=True)
        done = streams.event()
        done.record()
    with streams.stream("upload"):
        assert torch.cuda.current_stream() == first
    assert first != torch.cuda.current_stream()

    done.synchronize()

    assert back.tolist() == [1]
