"""Proposals of whole pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.errors import ConfigError
from model.sharpmask.proposals import best_windows, propose, window_parts
from model.sharpmask.pyramid import ZOOMS, FramedPicture, levels
from tests.model.sharpmask.networks import TINY, tiny
from tests.source_tree import ROOT

REFERENCE = ROOT.parent / "shared" / "parity" / "deepmask.npz"


def picture(height: int = 40, width: int = 56) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_the_best_of_all_scales_come_first_and_equal_scores_stay_in_order():
    first, second = np.array([[0.0, 2.0]]), np.array([[3.0], [2.0]])

    best = best_windows([first, second], 3)

    assert best.windows.tolist() == [[1, 0, 0], [0, 0, 1], [1, 1, 0]]
    assert best.scores == pytest.approx([0.9526, 0.8808, 0.8808], abs=1e-4)


def test_windows_without_a_finite_score_are_left_out():
    best = best_windows([np.array([[np.nan, -5.0, np.inf, -np.inf]])], 10)

    assert best.windows.tolist() == [[0, 0, 1]]


def test_no_finite_score_at_all_gives_no_proposals():
    assert len(best_windows([np.full((2, 2), np.nan)], 10).scores) == 0


@pytest.mark.parametrize("refine", [False, True])
def test_proposals_fit_together(refine: bool):
    found = propose(tiny(), picture(), scales=(0.5, 1.0), top_n=7, refine=refine, probability=0.5)

    assert len(found) == 7
    assert (np.diff(found.scores) <= 0).all()
    for mask, box in zip(found.masks, found.boxes, strict=True):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        tight = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if len(rows) else (0, 0, 0, 0)
        assert tuple(box) == tight


def test_fewer_windows_than_are_asked_for_are_all_given():
    expected = sum(level.rows * level.columns for level in levels(TINY, 40, 56, (0.5, 1.0)))

    assert len(propose(tiny(), picture(), scales=(0.5, 1.0), top_n=10_000)) == expected == 3 * 3 + 4 * 5


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 2), (31, 33)])
def test_pictures_smaller_than_a_window_have_proposals(size: tuple[int, int]):
    found = propose(tiny(), picture(*size), scales=(0.25, 1.0), top_n=3)

    assert found.masks.shape == (3, *size)


def test_a_4k_picture_is_taken():
    frame = np.zeros((2160, 3840, 3), np.uint8)
    frame[900:1200, 1500:1900] = 255

    found = propose(tiny(), frame, scales=(0.0625, 0.25), top_n=3)

    assert found.shape == (2160, 3840)
    assert len(found) == 3
    assert (found.boxes[:, 2:] <= (3840, 2160)).all()


def test_a_coarse_mask_is_what_deepmask_gives():
    sharp = tiny()
    deep = tiny(replace(TINY, refine_width=0))
    deep.load_state_dict({k: v for k, v in sharp.state_dict().items() if not k.startswith("refinement.")})

    of_sharp = propose(sharp, picture(), scales=(1.0,), top_n=4, refine=False)
    of_deep = propose(deep, picture(), scales=(1.0,), top_n=4)

    assert (of_sharp.masks == of_deep.masks).all()


def test_a_windows_part_of_a_map_ends_in_zeros_where_the_map_does():
    level = torch.arange(12.0).view(1, 1, 3, 4) + 1

    parts = window_parts(level, np.array([[0, 1], [2, 3]]), 2)

    assert parts[:, 0].tolist() == [[[2, 3], [6, 7]], [[12, 0], [0, 0]]]


def test_a_framed_picture_is_grey_around():
    image = torch.zeros(1, 3, 4, 6)

    framed = FramedPicture(image, 0.5, margin=2).whole()

    assert framed.shape == (1, 3, 6, 7)
    assert framed[0, :, 2:4, 2:5].abs().max() == 0
    assert framed[0, :, 0, 0].tolist() == pytest.approx([(0.5 - 0.485) / 0.229, 0.044 / 0.224, 0.094 / 0.225])


def test_zooming_in_adds_finer_scales_to_the_seven():
    assert [len(scales) for scales in ZOOMS] == [7, 8, 9]
    assert ZOOMS[2][-3:] == pytest.approx([2**0.5, 2.0, 2**1.5])


@pytest.mark.parametrize(
    "wrong",
    [
        {"top_n": 0},
        {"scales": ()},
        {"scales": (0.0,)},
        {"scales": (float("nan"),)},
        {"frame": np.zeros((4, 4), np.uint8)},
        {"frame": np.zeros((4, 4, 3), np.float32)},
        {"frame": np.zeros((0, 4, 3), np.uint8)},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]):
    arguments = {"frame": picture(), "scales": (1.0,), "top_n": 1} | wrong

    with pytest.raises(ConfigError):
        propose(tiny(), **arguments)  # type: ignore[arg-type]


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference values lie beside the project; not there")
def test_the_released_code_looks_up_the_cell_above_and_to_the_right():
    """It takes an index that counts from 1 apart as if it counted from 0: masks move by up to 16 px a way."""
    values = np.load(REFERENCE)

    moved = [[level, max(row - 1, 0), column + 1] for level, row, column in values["top_window"].tolist()]

    assert values["released_window"].tolist() == moved
    both = values["top_coverage"], values["released_coverage"]
    inside, outside = np.minimum(*both).sum((1, 2)), np.maximum(*both).sum((1, 2))
    assert 0.5 < float((inside / outside).mean()) < 0.9
