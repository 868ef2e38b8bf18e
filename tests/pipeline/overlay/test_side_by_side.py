from __future__ import annotations

import numpy as np
import pytest

from pipeline.overlay.side_by_side import GAP, captioned, compose, is_wide


def plain(height: int, width: int, value: int) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


@pytest.mark.parametrize(("height", "width"), [(20, 30), (21, 31), (1, 1), (33, 8)])
def test_both_pictures_are_whole_and_the_sides_are_even(height, width):
    beside = compose(plain(height, width, 100), plain(height, width, 200))
    assert (beside[:height, :width] == 100).all()
    assert (beside[:height, width + GAP : 2 * width + GAP] == 200).all()
    above = compose(plain(height, width, 100), plain(height, width, 200), stacked=True)
    assert (above[:height, :width] == 100).all()
    assert (above[height + GAP : 2 * height + GAP, :width] == 200).all()
    for whole in (beside, above):
        assert whole.shape[0] % 2 == whole.shape[1] % 2 == 0
        assert np.count_nonzero(whole == 100) == np.count_nonzero(whole == 200) == 3 * height * width


def test_frames_wider_than_two_to_one_are_wide():
    assert not is_wide(100, 200)
    assert is_wide(100, 201)


def test_pictures_of_different_sizes_do_not_go_together():
    with pytest.raises(ValueError, match="pictures of one frame have one size"):
        compose(plain(10, 20, 0), plain(10, 21, 0))


@pytest.mark.parametrize(("height", "width"), [(64, 96), (65, 97), (432, 768), (1080, 1920), (100, 20)])
@pytest.mark.parametrize("lines", [("stabilise off", "jitter 0.031"), ("weights " + "a" * 300, "")])
def test_a_caption_stands_below_the_picture_and_within_its_width(height, width, lines):
    picture = plain(height, width, 77)
    whole = captioned(picture, lines)
    assert (whole[:height] == 77).all()
    assert whole.shape[1] == width
    assert (whole.shape[0] - height) % 2 == 0
    strip = whole[height:]
    assert strip.max() > 200  # letters
    # a margin all around: nothing is cut off
    assert strip[0].max() == strip[-1].max() == 0


def test_a_strip_is_as_high_whatever_it_says():
    heights = {
        captioned(plain(100, 200, 0), (text, "b")).shape[0]
        for text in ("", "a", "Ägypten, " * 40, "stabilise")
    }
    assert len(heights) == 1


def test_a_line_that_is_too_long_becomes_smaller_and_then_shorter():
    picture = plain(200, 120, 0)

    def letters(text: str) -> np.ndarray:
        return captioned(picture, (text,))[200:]

    def height(text: str) -> int:
        return int(np.ptp(np.flatnonzero(letters(text).max(axis=(1, 2)) > 100)))

    assert height("x" * 20) < height("x" * 5)
    # what does not fit is not there: the ends differ, and the pictures do not
    assert np.array_equal(letters("x" * 200 + "a"), letters("x" * 200 + "b"))


def test_as_much_of_a_line_is_left_as_there_is_room_for():
    picture = plain(100, 120, 0)
    strips = [captioned(picture, ("i" * count,))[100:].max(axis=(0, 2)) for count in range(1, 120)]
    ends = [int(np.flatnonzero(strip > 100)[-1]) for strip in strips]
    assert max(ends) >= 112
    assert min(ends[70:]) >= 108
