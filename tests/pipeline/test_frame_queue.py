"""The bounded queue between two threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pipeline.frame_queue import FrameQueue, QueueClosed

PATIENCE = 20.0  # seconds; nothing here takes any time unless it hangs


def in_thread(work: Callable[[], object]) -> Callable[[], object]:
    """Start `work` in a thread; the result waits for it and gives what it returned or the error it raised."""
    outcome: list[object] = []

    def body() -> None:
        try:
            outcome.append(work())
        except QueueClosed as error:
            outcome.append(error)

    thread = threading.Thread(target=body)
    thread.start()

    def wait() -> object:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "it hangs"
        return outcome[0]

    return wait


def filled(*items: int, capacity: int = 3) -> FrameQueue[int]:
    queue: FrameQueue[int] = FrameQueue("numbers", capacity)
    for item in items:
        queue.put(item)
    return queue


def test_what_goes_in_comes_out_in_the_same_order() -> None:
    queue = filled(1, 2, 3)
    assert [queue.get() for _ in range(3)] == [1, 2, 3]


def test_a_full_queue_lets_its_writer_wait_until_there_is_room() -> None:
    queue = filled(1, 2, 3)
    wait = in_thread(lambda: queue.put(4))
    assert queue.get() == 1
    wait()
    assert [queue.get() for _ in range(3)] == [2, 3, 4]


def test_the_newest_takes_the_place_of_all_that_wait_and_they_are_counted() -> None:
    queue = filled(1, 2, 3)
    assert queue.put_newest(4) == 3
    assert queue.put_newest(5) == 1
    assert queue.get() == 5
    assert queue.put_newest(6) == 0


def test_an_empty_queue_lets_its_reader_wait() -> None:
    queue = filled()
    wait = in_thread(queue.get)
    queue.put(7)
    assert wait() == 7


def test_a_closed_queue_takes_nothing_and_gives_what_it_holds() -> None:
    queue = filled(1)
    queue.close()
    for put in (queue.put, queue.put_newest):
        with pytest.raises(QueueClosed):
            put(2)
    assert queue.get() == 1
    with pytest.raises(QueueClosed):
        queue.get()


def test_an_aborted_queue_is_empty_and_closed() -> None:
    queue = filled(1, 2)
    queue.abort()
    assert len(queue) == 0
    with pytest.raises(QueueClosed):
        queue.get()


@pytest.mark.parametrize("end", ["close", "abort"])
def test_closing_wakes_whoever_waits_on_either_end(end: str) -> None:
    empty, full = filled(), filled(1, capacity=1)
    reader, writer = in_thread(empty.get), in_thread(lambda: full.put(2))
    getattr(empty, end)()
    getattr(full, end)()
    assert isinstance(reader(), QueueClosed)
    assert isinstance(writer(), QueueClosed)


def test_a_queue_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="got 0"):
        FrameQueue("none", 0)


def test_many_writers_and_readers_lose_and_double_nothing() -> None:
    queue: FrameQueue[int] = FrameQueue("numbers", 2)
    taken: list[int] = []

    def take() -> None:
        while True:
            taken.append(queue.get())

    readers = [in_thread(take) for _ in range(3)]
    writers = [in_thread(lambda k=k: [queue.put(k * 1000 + i) for i in range(200)]) for k in range(3)]
    for wait in writers:
        wait()
    queue.close()
    for wait in readers:
        wait()
    assert sorted(taken) == sorted(k * 1000 + i for k in range(3) for i in range(200))


def test_the_oldest_is_taken_only_if_it_is_wanted_and_stays_where_it_is_otherwise() -> None:
    queue = filled(1, 2, 3)

    assert queue.get_if(lambda item: item == 1) == 1
    assert queue.get_if(lambda item: item == 1) is None
    assert [queue.get() for _ in range(2)] == [2, 3]


def test_whoever_wants_some_items_only_waits_for_one_and_makes_room_by_taking_it() -> None:
    queue: FrameQueue[int] = FrameQueue("numbers", 1)
    wait = in_thread(lambda: queue.get_if(lambda item: item > 0))
    queue.put(1)
    assert wait() == 1
    queue.put(2)  # there is room again

    writes = in_thread(lambda: queue.put(3))
    assert queue.get_if(lambda item: item == 2) == 2
    writes()
    assert queue.get() == 3


@pytest.mark.parametrize("end", ["close", "abort"])
def test_closing_wakes_who_waits_for_a_wanted_item(end: str) -> None:
    queue: FrameQueue[int] = FrameQueue("numbers", 1)
    wait = in_thread(lambda: queue.get_if(lambda _: True))
    getattr(queue, end)()
    assert isinstance(wait(), QueueClosed)


def test_a_closed_queue_still_gives_what_is_wanted_and_then_says_that_it_is_closed() -> None:
    queue = filled(1, 2)
    queue.close()
    assert queue.get_if(lambda _: False) is None
    assert [queue.get_if(lambda _: True) for _ in range(2)] == [1, 2]
    with pytest.raises(QueueClosed):
        queue.get_if(lambda _: True)
