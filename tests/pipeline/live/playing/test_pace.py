"""When frames are due."""

from __future__ import annotations

from fractions import Fraction

import pytest

from pipeline.live.playing.pace import Pace


def seconds(text: str) -> Fraction:
    return Fraction(text)


def test_the_first_frame_is_due_at_once_and_later_ones_by_their_stamps() -> None:
    pace = Pace()
    assert pace.due(seconds("7"), 1.0) < 0
    pace.given(seconds("7"), 1.0, now=100.0)
    assert pace.due(seconds("7.5"), 1.0) == 100.5
    assert pace.due(seconds("7.5"), 2.0) == 100.25


def test_small_delays_do_not_add_up() -> None:
    pace = Pace()
    for number in range(1000):
        due = pace.due(Fraction(number, 30), 1.0) if number else 50.0
        pace.given(Fraction(number, 30), 1.0, now=due + 0.01)
    assert pace.due(Fraction(1000, 30), 1.0) == pytest.approx(50.01 + 1000 / 30)


def test_after_a_long_delay_the_later_frames_keep_their_distances() -> None:
    pace = Pace()
    pace.given(seconds("0"), 1.0, now=10.0)
    pace.given(seconds("0.1"), 1.0, now=15.0)
    assert pace.due(seconds("0.2"), 1.0) == pytest.approx(15.1)


def test_a_frame_that_is_given_early_counts_from_then_on() -> None:
    pace = Pace()
    pace.given(seconds("0"), 1.0, now=10.0)
    pace.given(seconds("5"), 1.0, now=11.0)
    assert pace.due(seconds("5.5"), 1.0) == pytest.approx(11.5)


def test_at_a_seam_the_first_frame_follows_the_last_by_the_last_distance() -> None:
    pace = Pace()
    pace.given(seconds("0"), 1.0, now=10.0)
    pace.given(seconds("0.2"), 1.0, now=10.2)
    pace.wrap(seconds("0"))
    assert pace.due(seconds("0"), 1.0) == pytest.approx(10.4)


def test_after_a_restart_any_frame_is_due_at_once() -> None:
    pace = Pace()
    pace.given(seconds("0"), 1.0, now=10.0)
    pace.restart()
    assert pace.due(seconds("900"), 1.0) < 0
