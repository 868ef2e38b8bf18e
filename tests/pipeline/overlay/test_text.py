"""Labels and the badge."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from model.detections import Detections, no_detections
from pipeline.overlay import text as overlay_text
from pipeline.overlay.draw import OverlayStyle, draw, draw_text_on, font_size
from pipeline.overlay.palette import BLACK, COLOUR_BLIND_SAFE, WHITE
from pipeline.overlay.text import Tag, paste

LABELS_ONLY = OverlayStyle(masks=False, outlines=False, boxes=False)


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 100, np.uint8)


def persons(size: tuple[int, int], *boxes: tuple[float, float, float, float]) -> Detections:
    scores = np.linspace(0.9, 0.5, len(boxes)).astype(np.float32)
    classes = np.zeros(len(boxes), np.int64)
    return Detections(size, np.array(boxes, np.float32), scores, classes, ("person",), None, scores)


def test_a_tag_is_its_colour_with_letters_in_black_or_white() -> None:
    light, dark = Tag(("person",), 20, WHITE).pixels, Tag(("person",), 20, BLACK).pixels
    assert light.shape == dark.shape
    assert light.min() == 0
    assert dark.max() == 255
    for corner in (light[0, 0], light[-1, -1]):
        assert tuple(corner) == WHITE
    assert np.array_equal(light, 255 - dark)


def test_a_tag_of_any_palette_colour_has_that_colour_around_its_letters() -> None:
    for colour in COLOUR_BLIND_SAFE:
        pixels = Tag(("a",), 14, colour).pixels
        assert tuple(pixels[0, 0]) == colour
        assert (pixels != colour).any()


def test_a_longer_text_makes_a_wider_tag_and_larger_letters_a_higher_one() -> None:
    short, long, large = Tag(("cat",), 16, BLACK), Tag(("cat ", "0.91"), 16, BLACK), Tag(("cat",), 32, BLACK)
    assert short.width < long.width
    assert short.height == long.height < large.height
    assert short.pixels.shape == (short.height, short.width, 3)


def test_words_are_drawn_once_whatever_else_changes() -> None:
    overlay_text._word.cache_clear()
    frame = grey(200, 300)
    found = persons((200, 300), (10, 100, 90, 150), (150, 100, 290, 150))
    for _ in range(50):
        draw(frame, found)
    assert overlay_text._word.cache_info().misses == 3  # the class's name and two scores


def test_the_words_that_are_kept_are_limited_in_number() -> None:
    assert overlay_text._word.cache_info().maxsize


def test_a_badge_stands_in_the_top_left_corner_above_all_else() -> None:
    frame = grey(200, 300)
    found = persons((200, 300), (0, 20, 200, 150))
    plain, badged = draw(frame, found), draw(frame, found, badge="31.2 fps")
    tag = Tag(("31.2 fps",), font_size(200, 300), BLACK)
    assert np.array_equal(badged[: tag.height, : tag.width], tag.pixels)
    badged[: tag.height, : tag.width] = plain[: tag.height, : tag.width]
    assert np.array_equal(badged, plain)


def test_a_badge_is_shown_where_nothing_was_found_and_labels_are_off() -> None:
    frame = grey(100, 150)
    style = dataclasses.replace(LABELS_ONLY, labels=False)
    drawn = draw(frame, no_detections((100, 150), ("person",)), style, badge="9.9 fps")
    assert (drawn != frame).any()


@pytest.mark.parametrize(("height", "width"), [(5, 200), (100, 10), (1, 1)])
def test_a_badge_that_does_not_fit_is_left_out(height: int, width: int) -> None:
    frame = grey(height, width)
    drawn = draw(frame, no_detections((height, width), ("person",)), badge="31.2 fps")
    assert np.array_equal(drawn, frame)


def test_text_alone_is_what_is_drawn_last() -> None:
    frame = grey(200, 300)
    found = persons((200, 300), (0, 20, 200, 150), (40, 60, 260, 190))
    without = draw(frame, found, OverlayStyle(labels=False))
    draw_text_on(without, found, badge="31.2 fps")
    assert np.array_equal(without, draw(frame, found, badge="31.2 fps"))


@pytest.mark.parametrize("view", [lambda f: f[:, ::-1], lambda f: f[:, :50]], ids=["flipped", "cut"])
def test_what_cannot_be_drawn_on_in_place_is_refused(view: Callable[[np.ndarray], np.ndarray]) -> None:
    canvas = view(grey(80, 100))
    with pytest.raises(ValueError, match="draws on a copy"):
        draw_text_on(canvas, no_detections(canvas.shape[:2], ("person",)))


def test_a_frame_that_nobody_may_write_to_is_refused_in_place() -> None:
    canvas = grey(80, 100)
    canvas.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        draw_text_on(canvas, no_detections((80, 100), ("person",)))


def test_a_tag_larger_than_the_canvas_is_not_pasted() -> None:
    canvas = grey(10, 10)
    paste(canvas, Tag(("person",), 20, BLACK), 0, 0)
    assert (canvas == 100).all()
