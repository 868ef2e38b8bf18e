"""What every sink promises, whatever it makes."""

from __future__ import annotations

import ast
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from model.errors import SinkError
from pipeline.sinks.base import Sink
from pipeline.sinks.image_files import ImagesSink
from pipeline.sinks.jsonl import JsonLinesSink
from pipeline.sinks.latest import LatestSink
from pipeline.sinks.video import VideoSink
from tests.pipeline.sinks.recordings import fill, info, left_in, numbered
from tests.source_tree import modules

MAKERS: dict[str, Callable[[Path], Sink]] = {
    "video": lambda folder: VideoSink(folder / "o.mp4"),
    "images": lambda folder: ImagesSink(folder / "o"),
    "json": lambda folder: JsonLinesSink(folder / "o.jsonl"),
    "latest": lambda folder: LatestSink(),
}


@pytest.fixture(params=MAKERS)
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Sink:
    return MAKERS[request.param](tmp_path)


def test_every_kind_of_sink_is_tested_here(tmp_path: Path) -> None:
    kinds = {
        node.name
        for name, module in modules().items()
        if name.startswith("pipeline.sinks.")
        for node in module.tree.body
        if isinstance(node, ast.ClassDef)
        and {"open", "write", "close"} <= {getattr(part, "name", "") for part in node.body}
    }
    made = {type(make(tmp_path)).__name__ for make in MAKERS.values()}
    # the protocol, a sink in front of another one, and one of several formats, which are tested by themselves
    assert kinds == made | {"Sink", "OtherSide", "TracksSink"}


def test_a_sink_counts_its_frames_and_calls_a_complete_run_whole(sink: Sink) -> None:
    report = fill(sink, info(), numbered([0, 40, 80]))
    assert report.summary.startswith("3 frames, 0.000 to 0.080 s")
    assert report.whole
    assert report.problems == ()
    assert "\n" not in report.summary
    assert report.path is None or report.path.exists()


def test_a_sink_never_calls_a_run_that_ended_early_whole(sink: Sink) -> None:
    report = fill(sink, info(), numbered([0, 40, 80]), complete=False)
    assert not report.whole
    assert report.path is None or report.path.exists()


def test_a_sink_without_frames_leaves_nothing(sink: Sink, tmp_path: Path) -> None:
    report = fill(sink, info(), [])
    assert report.path is None
    assert report.summary.startswith("no frames")
    assert left_in(tmp_path) == []


def test_a_sink_can_be_closed_after_a_write_has_failed(sink: Sink) -> None:
    (one,) = numbered([0])
    sink.open(info())
    sink.write(one)
    with pytest.raises(AttributeError):
        sink.write(None)  # type: ignore[arg-type]
    assert not sink.close(complete=False).whole


def test_a_sink_can_be_closed_after_it_could_not_be_opened(sink: Sink, tmp_path: Path) -> None:
    tmp_path.rmdir()
    tmp_path.write_text("in the way")
    with suppress(SinkError):  # the newest result needs no folder
        sink.open(info())
    assert sink.close(complete=False).path is None
