"""One picture of two, beside or above each other, with strips of text below them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipeline.overlay.draw import font_size
from pipeline.overlay.palette import BLACK
from pipeline.overlay.text import Tag, paste

Picture = NDArray[np.uint8]

GAP = 4  # pixels between the pictures; even, so that the whole is
WIDEST = 2  # times its height: a wider frame goes above the other one, not beside it

_SMALLEST = 8  # pixels, of letters that can still be read
_ELLIPSIS = "..."
_WORD = re.compile(r"\s*\S+\s*")


def is_wide(height: int, width: int) -> bool:
    """Whether two frames of this size are better seen above each other than beside each other."""
    return width > WIDEST * height


def compose(left: Picture, right: Picture, stacked: bool = False) -> Picture:
    """Two pictures of one size as one: beside each other or, stacked, the left one above the right one.

    left, right: [H, W, 3] uint8 BGR. The result is a new array of even width and height, as encoders want it.
    Raises ValueError when the sizes differ.
    """
    _check(left, right)
    height, width = left.shape[:2]
    if stacked:
        whole = _canvas(2 * height + GAP, width)
        whole[height + GAP : 2 * height + GAP, :width] = right
    else:
        whole = _canvas(height, 2 * width + GAP)
        whole[:height, width + GAP : 2 * width + GAP] = right
    whole[:height, :width] = left
    return whole


def captioned(picture: Picture, lines: Sequence[str]) -> Picture:
    """The picture with lines of text on a dark strip below it, in a new array.

    picture: [H, W, 3] uint8 BGR. The letters become smaller where a line is too long, and its end is left out
    where it still is. The strip's height depends on the picture's size and the number of lines alone, so that
    all pictures of a video stay alike. It is even.
    """
    height, width = picture.shape[:2]
    size = font_size(height, width)
    pitch = Tag(("Ag",), size, BLACK).height
    strip = len(lines) * pitch + size // 2
    whole = np.zeros((height + strip + strip % 2, width, 3), np.uint8)
    whole[:height] = picture
    for number, line in enumerate(lines):
        tag = _fitting(line, size, width)
        paste(whole, tag, 0, height + size // 4 + number * pitch + (pitch - tag.height) // 2)
    return whole


@lru_cache(maxsize=16)
def _fitting(line: str, size: int, width: int) -> Tag:
    """The line in letters that fit into the width; its end is cut off where the smallest do not.

    Kept for what stands there all the time, because letters are drawn to see how much room they take.
    """
    while _tag(line, size).width > width and size > _SMALLEST:
        size -= 1
    if _tag(line, size).width <= width:
        return _tag(line, size)
    most = bisect_left(range(len(line)), width, key=lambda end: _tag(line[:end] + _ELLIPSIS, size).width)
    return _tag(line[: max(most - 1, 0)] + _ELLIPSIS, size)


def _tag(line: str, size: int) -> Tag:
    """Word by word, for words come again where lines do not."""
    return Tag(tuple(_WORD.findall(line)) or ("",), size, BLACK)


def _canvas(height: int, width: int) -> Picture:
    return np.zeros((height + height % 2, width + width % 2, 3), np.uint8)


def _check(left: Picture, right: Picture) -> None:
    if left.shape != right.shape:
        raise ValueError(f"pictures of one frame have one size, got {left.shape} and {right.shape}")
