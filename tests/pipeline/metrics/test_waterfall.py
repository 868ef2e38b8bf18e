"""The bars of the waterfall: where they lie and what they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.metrics.run import Span
from pipeline.metrics.waterfall import CHARTS, FRAMES, ROOM, WAIT, by_frame, by_stage


def passes(frame: int, at: float) -> list[Span]:
    """A live frame's way: captured at `at`, 10 ms in a queue, 20 ms of work, 5 ms of drawing, delivered."""
    return [
        Span("capture", frame, at - 0.04, at, "wait", "capture"),
        Span("prepare", frame, at - 0.01, at + 0.01, "wait", "inference"),
        Span("forward", frame, at + 0.01, at + 0.03, "work", "engine"),
        Span("masks", frame, at + 0.03, at + 0.032, "room", "inference"),
        Span("overlay", frame, at + 0.032, at + 0.037, "work", "overlay"),
        Span("encode", frame, at + 0.037, at + 0.038, "work", "sinks"),
    ]


def run(frames: int) -> list[Span]:
    return [span for i in range(frames) for span in passes(i, 100 + i * 0.04)]


@pytest.mark.parametrize("name", CHARTS)
def test_nothing_makes_an_empty_chart(name: str) -> None:
    chart = CHARTS[name]([])
    assert (chart.rows, dict(chart.bars), chart.length) == ((), {}, 0)


@pytest.mark.parametrize("name", CHARTS)
def test_time_ends_at_0_with_the_newest_frame_and_no_bar_is_cut_off(name: str) -> None:
    chart = CHARTS[name](run(4))
    ends = np.concatenate([bars[:, 1] + bars[:, 2] for bars in chart.bars.values()])
    begins = np.concatenate([bars[:, 1] for bars in chart.bars.values()])
    assert ends.max() == pytest.approx(0, abs=1e-6)
    assert begins.min() == pytest.approx(-chart.length)
    assert chart.length == pytest.approx(3 * 40 + 38)


def test_every_stage_has_a_row_with_its_work_and_its_waiting() -> None:
    chart = by_stage(run(2))
    assert chart.rows == ("capture", "prepare", "forward", "masks", "overlay", "encode")
    assert np.allclose(chart.bars["forward"], [[2, -68, 20], [2, -28, 20]])
    assert np.allclose(chart.bars[ROOM], [[3, -48, 2], [3, -8, 2]])
    assert set(chart.bars[WAIT][:, 0]) == {0, 1}


def test_a_frame_has_a_row_that_reaches_from_its_capture_to_its_delivery() -> None:
    chart = by_frame(run(2))
    assert chart.rows == ("#0", "#1")
    assert np.allclose(chart.bars[WAIT], [[0, -78, 38], [1, -38, 38]])
    assert np.allclose(chart.bars["overlay"], [[0, -46, 5], [1, -6, 5]])


def test_only_the_newest_frames_are_drawn_and_none_that_is_still_on_its_way() -> None:
    on_its_way = passes(30, 100 + 30 * 0.04)[:3]
    chart = by_frame([*run(30), *on_its_way])
    assert chart.rows == tuple(f"#{i}" for i in range(30 - FRAMES, 30))


def test_a_dropped_frame_is_seen_where_stages_are_but_has_no_row_of_its_own() -> None:
    dropped = Span("capture", 7, 100.0, 100.02, "wait", "capture")
    assert len(by_stage([*run(2), dropped]).bars[WAIT]) == len(by_stage(run(2)).bars[WAIT]) + 1
    assert by_frame([*run(2), dropped]).rows == ("#0", "#1")


def test_waiting_that_began_long_ago_does_not_stretch_the_chart() -> None:
    first = Span("prepare", 0, 0.0, 100.001, "wait", "inference")
    assert by_stage([first, *run(2)]).length == pytest.approx(78)
