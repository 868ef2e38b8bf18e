"""Instances before another background."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.live.background import Background, blurred, covering, foreground
from pipeline.settings import BACKGROUNDS
from tests.pipeline.live.scenes import SIZE, disc, found, inside, noise

BOX = (500, 200, 700, 600)
GREEN = (0, 160, 0)


def eroded(mask: np.ndarray, pixels: int = 3) -> np.ndarray:
    return cv2.erode(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)) > 0


@pytest.mark.parametrize("kind", [kind for kind in BACKGROUNDS if kind != "kept"])
def test_instances_stay_and_the_rest_is_another(kind: str) -> None:
    image, people = noise(), found([BOX])
    before = image.copy()
    shown = Background(kind, GREEN, noise((50, 40), seed=1))(image, people)  # type: ignore[arg-type]
    mask = disc(BOX).paste(*SIZE)
    assert np.array_equal(shown[eroded(mask)], image[eroded(mask)])
    assert (shown[eroded(~mask)] != image[eroded(~mask)]).mean() > 0.98
    assert np.array_equal(image, before)


def test_a_background_that_is_kept_is_the_picture_itself() -> None:
    assert Background("kept")(noise(), found([BOX])) is noise()


def test_a_plain_background_has_just_its_colour() -> None:
    shown = Background("colour", GREEN)(noise(), found([BOX]))
    assert (shown[eroded(~disc(BOX).paste(*SIZE))] == GREEN).all()


def test_where_nothing_was_found_everything_is_background() -> None:
    assert (Background("colour", GREEN)(noise(), found([])) == GREEN).all()


def test_along_the_edge_of_a_mask_both_are_mixed() -> None:
    white = np.full((*SIZE, 3), 255, np.uint8)
    shown = Background("colour", (0, 0, 0))(white, found([BOX]))
    between = (shown > 20) & (shown < 235)
    assert between.any()
    assert not between[eroded(disc(BOX).paste(*SIZE))].any()


def test_without_masks_boxes_stand_before_the_background() -> None:
    boxes = found([(500.5, 200.2, 700, 600), (1270.3, 0, 1280, 20)], with_masks=False)
    expected = inside((500, 200, 700, 600)) | inside((1270, 0, 1280, 20))
    assert np.array_equal(foreground(boxes) > 0, expected)


def test_overlapping_masks_are_one_foreground() -> None:
    boxes = [(0, 0, 100, 100), (50, 50, 150, 150)]
    union = disc(boxes[0]).paste(*SIZE) | disc(boxes[1]).paste(*SIZE)
    assert np.array_equal(foreground(found(boxes)), union * np.uint8(255))


def test_a_blurred_background_has_no_halo_of_what_stands_before_it() -> None:
    image = np.full((*SIZE, 3), 40, np.uint8)
    image[inside(BOX)] = 255
    soft = blurred(image, inside(BOX).astype(np.uint8) * np.uint8(255))
    assert soft[~inside(BOX)].max() <= 41


def test_a_blurred_background_keeps_its_colours_and_loses_its_edges() -> None:
    image = np.zeros((*SIZE, 3), np.uint8)
    image[:, 640:] = 200
    soft = blurred(image, np.zeros(SIZE, np.uint8)).astype(int)
    assert (soft[:, :400] == 0).all()
    assert (soft[:, 900:] == 200).all()
    assert np.abs(np.diff(soft[360, :, 0])).max() < 10


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (33, 7), (719, 1279)])
@pytest.mark.parametrize("kind", BACKGROUNDS)
def test_frames_of_any_size_are_taken(size: tuple[int, int], kind: str) -> None:
    full = found([(0, 0, size[1], size[0])], size=size)
    background = Background(kind, GREEN, noise((50, 40)))  # type: ignore[arg-type]
    for people in (found([], size=size), full):
        shown = background(noise(size), people)
        assert (shown.shape, shown.dtype) == ((*size, 3), np.uint8)


@pytest.mark.parametrize("size", [(100, 100), (50, 200), (200, 50), (720, 1280), (3, 1000)])
def test_a_picture_covers_the_frame_by_its_middle(size: tuple[int, int]) -> None:
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[140:160, 190:210] = 255
    shown = covering(picture, size)
    assert shown.shape == (*size, 3)
    rows, columns = np.nonzero(shown[..., 0] > 100)
    assert rows.mean() == pytest.approx(size[0] / 2, abs=max(size) / 100 + 1)
    assert columns.mean() == pytest.approx(size[1] / 2, abs=max(size) / 100 + 1)


def test_a_round_thing_in_a_picture_stays_round() -> None:
    picture = np.zeros((300, 400, 3), np.uint8)
    cv2.circle(picture, (200, 150), 50, (255, 255, 255), -1)
    lit = covering(picture, (600, 300))[..., 0] > 127
    assert lit.any(axis=0).sum() == pytest.approx(lit.any(axis=1).sum(), abs=2)


def test_frames_of_another_size_get_the_picture_anew() -> None:
    background = Background("picture", picture=noise((40, 60)))
    for size in ((100, 150), (60, 60), (100, 150)):
        assert background(noise(size), found([], size=size)).shape == (*size, 3)


def test_without_a_picture_the_background_stays_as_it_is() -> None:
    assert np.array_equal(Background("picture", GREEN)(noise(), found([])), noise())
