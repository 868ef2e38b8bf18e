"""A thread that works off commands."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pipeline.live.commands import MOST_WAITING, CommandThread
from tests.pipeline.live.sessions import PATIENCE, wait_until


class Work:
    """A thread, what it did and what went wrong; its first command waits for `go_on`."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, Exception]] = []
        self.done: list[object] = []
        self.go_on = threading.Event()
        self.begun = threading.Event()
        self.thread = CommandThread("test-commands", lambda topic, error: self.errors.append((topic, error)))

    def busy(self) -> None:
        def wait() -> None:
            self.begun.set()
            self.go_on.wait(PATIENCE)

        self.thread.put("first", wait)
        assert self.begun.wait(PATIENCE)

    def put(self, topic: str, what: object, replaces: bool = True) -> bool:
        return self.thread.put(topic, lambda: self.done.append(what), replaces)

    def finish(self) -> None:
        last = threading.Event()
        self.go_on.set()
        self.thread.put("last", last.set, replaces=False)
        assert last.wait(PATIENCE)


@pytest.fixture
def work() -> Iterator[Work]:
    made = Work()
    yield made
    made.go_on.set()
    made.thread.end()
    assert made.thread.join(PATIENCE)


def test_it_starts_with_the_first_command_and_ends_when_told(work: Work) -> None:
    assert work.thread.alive == ()
    work.busy()
    assert work.thread.alive == ("test-commands",)
    assert not work.thread.join(0.01)
    work.go_on.set()
    work.thread.end()
    assert work.thread.join(PATIENCE)


def test_commands_run_in_their_order(work: Work) -> None:
    for number in range(20):
        work.put(str(number), number)
    work.finish()
    assert work.done == list(range(20))


def test_the_newest_of_a_topic_runs_in_the_place_of_the_first(work: Work) -> None:
    work.busy()
    for what in ("a1", "b1", "a2", "b2", "a3"):
        work.put(what[0], what)
    work.finish()
    assert work.done == ["a3", "b2"]


def test_those_that_take_no_place_all_run_up_to_a_bound(work: Work) -> None:
    work.busy()
    taken = [work.put("same", number, replaces=False) for number in range(MOST_WAITING + 3)]
    assert taken == [True] * MOST_WAITING + [False] * 3
    work.go_on.set()
    wait_until(lambda: len(work.done) == MOST_WAITING)
    assert work.done == list(range(MOST_WAITING))


def test_one_that_replaces_others_is_taken_however_many_wait(work: Work) -> None:
    work.busy()
    for number in range(MOST_WAITING):
        assert work.put("snapshot", number, replaces=False)
    assert work.put("display", "hidden")
    assert work.put("display", "shown")
    work.go_on.set()
    wait_until(lambda: work.done[-1:] == ["shown"])
    assert work.done == [*range(MOST_WAITING), "shown"]


def test_a_command_that_raises_is_told_and_the_next_one_runs(work: Work) -> None:
    error = ValueError("no")

    def fails() -> None:
        raise error

    work.thread.put("bad", fails)
    work.put("good", "good")
    work.finish()
    assert (work.errors, work.done) == ([("bad", error)], ["good"])


def test_at_the_end_what_waits_is_forgotten_and_nothing_is_taken_any_more(work: Work) -> None:
    work.busy()
    work.put("waiting", "waiting")
    work.thread.end()
    assert not work.put("late", "late")
    work.go_on.set()
    assert work.thread.join(PATIENCE)
    assert work.done == []
