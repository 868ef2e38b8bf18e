"""A mask at frame size, mixed with what was refined in a window of the network's input."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.host.mask_windows import WINDOW_WEIGHT, MaskWindow, sharpened

FRAME = (60, 80)  # height, width: half of the content's, which is letterboxed to 128 x 160
CONTENT = (120, 160)
EVERYWHERE = (0.0, 0.0, 80.0, 60.0)


def window(logits: NDArray[np.float32], x: int = 32, y: int = 16, side: int = 64) -> MaskWindow:
    return MaskWindow(logits, x, y, side, CONTENT)


def own(value: float, height: int = 60, width: int = 80) -> NDArray[np.float32]:
    return np.full((height, width), value, np.float32)


def pixels(
    probabilities: NDArray[np.float32], mask_window: MaskWindow, box: tuple[float, float, float, float] =
    EVERYWHERE,
    corner: tuple[int, int] = (0, 0),
) -> NDArray[np.bool_]:  # fmt: skip
    return sharpened(probabilities, corner, box, FRAME, mask_window).paste(*FRAME)


def test_the_window_lies_where_the_frame_has_it_and_the_rest_stays():
    logits = np.full((32, 32), 9.0, np.float32)
    logits[:, 16:] = -9.0  # input columns 64 to 95, the frame's 32 to 47
    said = pixels(own(0.6), window(logits))
    expected = np.ones(FRAME, bool)
    expected[8:40, 32:48] = False
    assert np.array_equal(said, expected)


def test_a_window_may_begin_outside_of_the_input():
    logits = np.full((32, 32), 9.0, np.float32)
    logits[16:] = -9.0  # input rows 16 to 47, of which 0 is the first one: frame rows 8 to 23
    said = pixels(own(0.6), window(logits, x=-32, y=-16))
    expected = np.ones(FRAME, bool)
    expected[8:24, :16] = False
    assert np.array_equal(said, expected)


def test_a_crop_is_mixed_at_its_own_place():
    logits = np.full((64, 64), 9.0, np.float32)
    logits[:32] = -9.0  # frame rows 8 to 23
    said = sharpened(own(0.6, 30, 20), (20, 15), EVERYWHERE, FRAME, window(logits))
    assert (said.x, said.y) == (20, 15)
    assert said.pixels[:9].any() == False  # noqa: E712 - a NumPy bool
    assert said.pixels[9:].all()


def test_the_mask_is_cut_to_the_box_with_the_pixels_that_its_edges_cross():
    said = pixels(own(0.9), window(np.full((8, 8), 9.0, np.float32)), box=(0.0, 0.0, 60.5, 60.0))
    assert said[:, :61].all()
    assert not said[:, 61:].any()


@pytest.mark.parametrize("probability", [0.01, 0.3, 0.7, 0.99])
def test_both_logits_count_by_their_weights(probability: float):
    """The window decides where its logit outweighs the detector's."""
    mine = np.log(probability / (1 - probability))
    tie = -mine * (1 - WINDOW_WEIGHT) / WINDOW_WEIGHT
    for beyond in (-0.1, 0.1):
        # small enough a window for the two masks to agree
        logits = np.full((8, 8), tie + beyond, np.float32)
        mask = own(0.9)
        mask[:, 40:44] = probability
        said = pixels(mask, window(logits, 80, 0, 8))
        assert said[0:4, 40:44].all() == (beyond > 0)


def test_a_mask_that_disagrees_badly_with_the_detectors_is_not_taken():
    nothing = window(np.full((8, 8), -90.0, np.float32), x=0, y=0, side=160)
    assert pixels(own(0.6), nothing).all()
