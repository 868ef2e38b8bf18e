from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.frame import Result
from pipeline.overlay.draw import OverlayStyle
from pipeline.overlay.side_by_side import GAP, SideBySidePaint, captioned, compose, is_wide, score_line
from pipeline.stability.pair_score import RECENT_FILM, PairMeter
from tests.pipeline.moving_squares import SIZE, compared


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


def test_the_still_side_scores_better_and_both_scores_are_written_below():
    paint = SideBySidePaint(("stabilise light", "stabilise off"), OverlayStyle())
    done = [paint(result, 25.0) for result in compared(10, speed=0)]
    left, right = paint.summaries()
    assert left.frames == right.frames == 10
    assert left.jitter is not None
    assert right.jitter is not None
    assert left.jitter < 0.01 < 0.1 < right.jitter
    assert all(result.annotated is not None for result in done)
    assert len({result.annotated.shape for result in done}) == 1
    height = SIZE[0]
    for result in done:
        # the picture's own corner, which nothing is drawn on, is the frame's on both sides
        for start in (0, result.annotated.shape[1] // 2 + 2):
            corner = result.annotated[height - 4 : height, start : start + 20]
            np.testing.assert_array_equal(corner, result.frame.image[-4:, :20])


def test_an_instance_that_both_sides_have_found_has_one_colour():
    (result,) = compared(1, shake=0)
    assert result.other is not None
    swapped = dataclasses.replace(result.other, track_ids=np.array([7, 3]))
    paint = SideBySidePaint(("", ""), OverlayStyle(labels=False))
    same = paint(dataclasses.replace(result, other=swapped), 0.0)
    half = same.annotated.shape[1] // 2
    height = SIZE[0]
    assert np.array_equal(
        same.annotated[:height, : SIZE[1]], same.annotated[:height, half + 2 : half + 2 + SIZE[1]]
    )


def test_the_frame_rate_is_drawn_once():
    (result,) = compared(1, shake=0)
    bare, told = (
        SideBySidePaint(("a", "a"), OverlayStyle(), show_fps)(result, 25.0).annotated
        for show_fps in (False, True)
    )
    changed = np.flatnonzero((bare != told).any(axis=(0, 2)))
    assert len(changed)
    assert changed.max() < bare.shape[1] // 2


def test_wide_frames_stand_above_each_other():
    (result,) = compared(1)
    image = result.frame.image[:30]
    assert result.other is not None

    def low(found):
        return dataclasses.replace(found.select([]), image_size=(30, 80))

    wide = Result(
        dataclasses.replace(result.frame, image=image), low(result.detections), other=low(result.other)
    )
    picture = SideBySidePaint(("a", "b"), OverlayStyle())(wide, 0.0).annotated
    assert picture.shape[1] == 80
    np.testing.assert_array_equal(picture[:30], image)
    below = picture.shape[0] // 2 + 2
    np.testing.assert_array_equal(picture[below : below + 30], image)


def test_without_masks_or_tracks_there_is_nothing_to_measure():
    (result,) = compared(1)
    for missing in ("track_ids", "crops"):
        other = dataclasses.replace(result.other, **{missing: None})
        with pytest.raises(ValueError, match=r"tracks|masks"):
            SideBySidePaint(("a", "b"), OverlayStyle())(dataclasses.replace(result, other=other), 0.0)


def test_composing_is_what_is_painted():
    (result,) = compared(1)
    painted = SideBySidePaint(("a", "a"), OverlayStyle())(result, 0.0).annotated
    half = (painted.shape[1] - 4) // 2
    np.testing.assert_array_equal(compose(painted[:, :half], painted[:, half + 4 :]), painted)


def test_before_two_frames_dashes_stand_where_the_score_will():
    assert "-----" in score_line(PairMeter(RECENT_FILM), 0)
