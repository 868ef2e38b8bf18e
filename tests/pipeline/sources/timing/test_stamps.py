"""Time stamps that grow, whatever is given."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.timing.stamps import Stamps
from pipeline.sources.warning_log import WarningLog

MILLISECONDS = Fraction(1, 1000)


def repaired(*given: int | None, rate: Fraction | None = Fraction(25)) -> tuple[list[int], tuple[str, ...]]:
    """What becomes of stamps in milliseconds, and what is told of it."""
    log = WarningLog()
    stamps = Stamps(MILLISECONDS, rate, log)
    return [stamps.next(stamp) for stamp in given], log.messages


@pytest.mark.parametrize("given", [(0, 40, 80), (-500, 0, 1, 90_000), (7,)])
def test_stamps_that_grow_are_kept_exactly_and_without_a_word(given):
    assert repaired(*given) == (list(given), ())


def test_missing_stamps_follow_at_the_nominal_rate_and_are_told_once():
    assert repaired(0, None, None, 120) == (
        [0, 40, 80, 120],
        ("2 frame(s) without a time stamp were given one",),
    )


def test_without_any_stamp_and_rate_frames_are_a_25th_of_a_second_apart():
    assert repaired(None, None, None, rate=None)[0] == [0, 40, 80]


def test_a_stamp_that_does_not_grow_moves_by_one_unit_and_nothing_after_it_drifts():
    assert repaired(0, 40, 40, 20, 120, 160) == (
        [0, 40, 41, 42, 120, 160],
        ("2 time stamp(s) that did not grow were moved",),
    )


def test_invented_stamps_that_ran_ahead_do_not_shift_the_real_ones_after_them():
    assert repaired(0, *[None] * 100, 2000, 5000)[0][-2:] == [4001, 5000]


def test_a_new_beginning_goes_on_one_frame_later_and_keeps_its_own_distances():
    assert repaired(0, 5000, 10_000, 0, 33, 100) == (
        [0, 5000, 10_000, 10_040, 10_073, 10_140],
        ("time stamps began anew 1 time(s) and were continued",),
    )


def test_a_new_connection_goes_on_after_as_long_as_it_took():
    log = WarningLog()
    stamps = Stamps(MILLISECONDS, None, log)
    before = [stamps.next(stamp) for stamp in (100, 140)]
    stamps.resume(2.5)
    after = [stamps.next(stamp) for stamp in (90_000, 90_040)]

    assert (before, after) == ([100, 140], [2640, 2680])
    assert log.messages == ()


@given(
    st.lists(st.none() | st.integers(-(2**40), 2**40)),
    st.fractions(min_value=Fraction(1, 10**6), max_value=2),
)
def test_stamps_grow_whatever_is_given(given, time_base):
    stamps = Stamps(time_base, None, WarningLog())
    made = [stamps.next(stamp) for stamp in given]

    assert made == sorted(set(made))
