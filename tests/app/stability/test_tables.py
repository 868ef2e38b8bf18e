"""The table to quote, and what a strength gains and costs."""

from __future__ import annotations

import dataclasses
from math import nan
from pathlib import Path

import pytest

from app.annotate.inputs import VideoInput
from app.stability.inputs import Video
from app.stability.run import Run, Setting, settings
from app.stability.sink import Curves
from app.stability.tables import columns, gain_cells, gains, headline, percent, rows
from app.stability.truth import Truth
from pipeline.stability.records import StabilitySummary

NOTHING = StabilitySummary(
    stability=None,
    basis="tracks",
    failed="nothing was found",
    frames=10,
    compared=9,
    breaks=(),
    coverage=0.0,
    area_share=0.0,
    masks=0.0,
    empty_masks=0,
    jitter=None,
    boundary_jitter=None,
    excess=None,
    boundary_excess=None,
    missing=0,
    gaps=0,
    class_changes=0,
    id_changes=0,
    matched=None,
    iou=None,
    iou_change=None,
    truth_jitter=None,
    truth_boundary_jitter=None,
    tracks=(),
    objects=(),
)
GOOD = dataclasses.replace(
    NOTHING,
    stability=0.9,
    failed=None,
    coverage=1.0,
    jitter=0.08,
    boundary_jitter=0.2,
    excess=0.04,
    iou=0.8,
    missing=6,
    gaps=2,
)
KNOWN = Truth((Path("m/0.png"),), 8, 6)


def run(
    strength: str,
    summary: StabilitySummary,
    truth: Truth | None = KNOWN,
    weights: str | None = None,
    curves: Curves | None = None,
) -> Run:
    video = Video("clip", VideoInput("images", "clip"), truth)
    setting = Setting(weights, strength, None, strength)
    return Run(video, setting, {}, (6, 8), None, summary, curves or Curves(), (), ())


def test_shares_are_told_as_percent_and_what_is_not_known_as_a_dash():
    assert percent(0.12345) == "12.35"
    assert percent(0.5, sign=True) == "+50.00"
    assert percent(None) == "–"


def test_what_takes_ground_truth_is_left_out_where_no_input_has_any():
    heads = {column.head for column in columns([run("off", GOOD, truth=None)])}

    assert "coverage" in heads
    assert not heads & {"J", "excess", "found"}
    assert {"J", "excess", "found"} <= {column.head for column in columns([run("off", GOOD)])}


def test_a_row_tells_gaps_beside_missing_frames_and_why_it_failed():
    good, failed = rows([run("off", GOOD), run("light", NOTHING)])

    assert "6 (2)" in good.cells
    assert good.failed is None
    assert failed.failed == "nothing was found"
    assert failed.cells[0] == "–"


def test_the_table_of_the_terminal_has_a_cell_under_every_head():
    table = headline([run("off", GOOD), run("light", NOTHING)])

    assert [row[0] for row in table.rows] == ["clip, off", "clip, light"]
    assert {len(row) for row in table.rows} == {len(table.heads)}


def test_a_gain_is_relative_for_jitter_and_a_difference_for_the_rest():
    before = dataclasses.replace(GOOD, matched=0.9)
    steadier = dataclasses.replace(GOOD, jitter=0.06, excess=0.02, iou=0.79, matched=1.0, missing=2)

    (gain,) = gains([run("off", before), run("light", steadier)])

    assert gain.jitter == pytest.approx(-0.25)
    assert gain.excess == pytest.approx(-0.5)
    assert gain.iou == pytest.approx(-0.01)
    assert gain.missing == -4
    assert gain_cells(gain) == ("-25.0 %", "–", "+0.0 %", "-50.0 %", "-1.00", "–", "+10.00", "-4", "+0")


def curves(*frames: tuple[int, float]) -> Curves:
    """Of so many masks and such a jitter each, J being its double."""
    made = Curves()
    for masks, jitter in frames:
        made.masks.append(masks)
        made.figures["jitter"].append(jitter)
        made.figures["iou"].append(2 * jitter)
    return made


def test_masks_that_one_setting_shows_besides_do_not_count_over_as_many_masks():
    plain = curves((1, nan), (1, 0.2), (0, nan), (1, nan), (1, 0.4), (2, 0.1), (2, nan))
    steadier = curves((1, nan), (1, 0.1), (1, 0.9), (1, 0.9), (1, 0.2), (2, 0.05), (2, 0.3))

    (gain,) = gains([run("off", GOOD, curves=plain), run("light", GOOD, curves=steadier)])

    assert gain.like_jitter == pytest.approx((0.1 + 0.2 + 0.05) / (0.2 + 0.4 + 0.1) - 1)
    assert gain.like_iou == pytest.approx(2 * (0.1 + 0.2 + 0.05 - 0.2 - 0.4 - 0.1) / 3)
    assert gain_cells(gain)[1] == "-50.0 %"


@pytest.mark.parametrize("before", [None, 0.0, -0.01])
def test_where_there_is_no_excess_to_lose_no_share_of_it_is_told(before: float | None):
    (gain,) = gains([run("off", dataclasses.replace(GOOD, excess=before)), run("light", GOOD)])

    assert gain.excess is None


def test_gains_are_those_against_the_same_weights_without_stabilising():
    alone = [run("light", GOOD), run("off", GOOD, weights="others.pt")]

    assert gains(alone) == []


def test_settings_are_all_weights_with_all_strengths_and_named_by_what_differs():
    one = settings([None], ["off", "light"], None)
    two = settings(["a/x.pt", "b/x.pt"], ["off"], None)

    assert [setting.label for setting in one] == ["off", "light"]
    assert [setting.label for setting in two] == ["a/x.pt, off", "b/x.pt, off"]
