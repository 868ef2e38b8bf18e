"""A run as a file for trace viewers."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from model.errors import SinkError
from pipeline.metrics.run import Metrics, Span
from pipeline.metrics.trace import TraceWriter
from tests.full_disk import no_file_longer_than


def events(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.read_text())["traceEvents"])


def of_kind(path: Path, kind: str) -> list[dict[str, Any]]:
    """The events of one phase: X spans, C counters, i marks, M names."""
    return [event for event in events(path) if event["ph"] == kind]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.json"


def test_spans_lie_on_the_tracks_of_their_threads_with_the_frame(path: Path) -> None:
    writer = TraceWriter(path)
    metrics = Metrics(writer)
    metrics.add(Span("forward", 7, writer.began + 1.0, writer.began + 1.25, thread="engine"))
    metrics.add(Span("overlay", 6, writer.began + 1.0, writer.began + 1.5, "wait", thread="overlay"))
    metrics.add(Span("overlay", 6, writer.began + 1.5, writer.began + 1.75, "room", thread="overlay"))
    with metrics.work("encode", 5):
        pass
    writer.close()

    work, wait, room, own = of_kind(path, "X")
    tracks = {e["tid"]: e["args"]["name"] for e in of_kind(path, "M") if e["name"] == "thread_name"}
    assert (work["name"], work["cat"], work["args"]) == ("forward", "work", {"frame": 7})
    assert (work["ts"], work["dur"]) == pytest.approx((1e6, 0.25e6), abs=0.2)
    assert (wait["name"], wait["cat"]) == ("overlay waits for a frame", "wait")
    assert (room["name"], room["cat"]) == ("overlay waits for room", "room")
    assert wait["tid"] == room["tid"] != work["tid"]
    assert [tracks[e["tid"]] for e in (work, wait, own)] == [
        "engine",
        "overlay",
        threading.current_thread().name,
    ]


def test_queues_become_curves_and_drops_marks(path: Path) -> None:
    writer = TraceWriter(path)
    metrics = Metrics(writer)
    metrics.queue("frames", 3, 4)
    metrics.drop("frames", 2)
    metrics.drop("frames", 0)
    writer.close()

    [curve], [mark] = of_kind(path, "C"), of_kind(path, "i")
    assert (curve["name"], curve["args"]) == ("queue frames", {"items": 3})
    assert (mark["name"], mark["args"]) == ("drop", {"queue": "frames", "frames": 2})
    assert mark["tid"]
    assert 0 <= curve["ts"] <= mark["ts"]


def test_an_empty_run_is_valid_too(path: Path) -> None:
    TraceWriter(path).close()
    [event] = events(path)
    assert event["args"] == {"name": "livemask"}


def test_names_may_hold_anything(path: Path) -> None:
    writer = TraceWriter(path)
    name = 'a "quoted"\n\\ näme 漢\ud800'
    writer.span(Span("nms", 0, 0.0, 1.0, thread=name))
    writer.close()
    assert name in [e["args"].get("name") for e in of_kind(path, "M")]


def test_the_file_grows_while_the_run_goes_on_and_is_named_at_the_end(path: Path) -> None:
    path.write_text("an older one")
    writer = TraceWriter(path)
    for i in range(2000):
        writer.span(Span("nms", i, 0.0, 1.0, thread="t"))
    [part] = [p for p in path.parent.iterdir() if p != path and p.is_file()]
    assert part.stat().st_size > 50_000
    assert path.read_text() == "an older one"
    writer.close()
    assert not part.exists()
    assert len(of_kind(path, "X")) == 2000


def test_closed_in_the_middle_of_a_run_it_is_whole_and_takes_no_more(path: Path) -> None:
    writer = TraceWriter(path)
    metrics = Metrics(writer)
    stop, started = threading.Event(), threading.Barrier(4)

    def work() -> None:
        started.wait()
        i = 0
        while not stop.is_set():
            with metrics.work("forward", i):
                i += 1

    threads = [threading.Thread(target=work, name=f"worker {i}") for i in range(3)]
    for thread in threads:
        thread.start()
    started.wait()
    writer.close()
    whole = path.read_bytes()
    with metrics.work("forward", 0):
        pass
    stop.set()
    for thread in threads:
        thread.join()
    writer.close()

    assert json.loads(whole)["traceEvents"]
    assert path.read_bytes() == whole


def test_a_folder_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"no folder.out\.json"):
        TraceWriter(tmp_path / "no folder" / "out.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
def test_a_pipe_or_device_is_refused_and_stays(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(SinkError, match=r"out\.json: is a device, a pipe or a socket"):
        TraceWriter(path)
    assert path.is_fifo()
    assert [p for p in path.parent.iterdir() if p.name != "home"] == [path]


def test_a_full_disk_costs_the_trace_but_not_the_run(path: Path) -> None:
    writer = TraceWriter(path)
    metrics = Metrics(writer)
    with no_file_longer_than(20_000):
        for i in range(1000):
            with metrics.work("forward", i):
                pass
    with pytest.raises(SinkError, match=r"out\.json"):
        writer.close()
    assert metrics.snapshot().stages[0].work.count == 1000
    assert [p for p in path.parent.iterdir() if p.is_file()] == []
    writer.close()
