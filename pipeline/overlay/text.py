"""Text on a frame: filled tags with one line of letters. Words are drawn once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pipeline.overlay.palette import Colour, text_colour

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Tag:
    """A line of text on a filled rectangle.

    words:  pieces of the line, put together without a gap. A class's name, a score: what comes again and
            again should be a piece of its own
    size:   of the letters, in pixels
    colour: of the rectangle; the letters are black or white, whichever is easier to read
    """

    words: tuple[str, ...]
    size: int
    colour: Colour

    @property
    def height(self) -> int:
        """Height in pixels, margins included."""
        return self._ink.shape[0]

    @property
    def width(self) -> int:
        """Width in pixels, margins included."""
        return self._ink.shape[1]

    @property
    def pixels(self) -> Pixels:
        """[height, width, 3] uint8 BGR."""
        return np.take(_shades(self.colour), self._ink, axis=0)

    @cached_property
    def _ink(self) -> Pixels:
        """The coverage of each pixel by letters: [height, width] uint8."""
        words = [_word(word, self.size) for word in self.words]
        margin = np.zeros((words[0].shape[0], max(2, self.size // 4)), np.uint8)
        return np.hstack([margin, *words, margin])


def paste(canvas: Pixels, tag: Tag, x: int, y: int) -> None:
    """Put a tag on `canvas`, [H, W, 3] uint8 BGR, with its top left corner at (x, y).

    It has to lie inside; one that is larger than the canvas is left out.
    """
    h, w = tag.height, tag.width
    if h <= canvas.shape[0] and w <= canvas.shape[1]:
        canvas[y : y + h, x : x + w] = tag.pixels


@lru_cache(maxsize=512)
def _word(text: str, size: int) -> Pixels:
    """Return the coverage of each pixel by letters: [h, w] uint8, all words of a size equally high."""
    font = _font(size)
    ascent, descent = font.getmetrics()
    margin = max(2, size // 4)  # half above, half below
    picture = Image.new("L", (int(np.ceil(font.getlength(text))), ascent + descent + margin))
    ImageDraw.Draw(picture).text((0, margin // 2), text, fill=255, font=font)
    return np.asarray(picture)


@lru_cache(maxsize=64)
def _shades(colour: Colour) -> Pixels:
    """[256, 3] uint8: from the rectangle's colour to the letters'."""
    ink = np.linspace(0, 1, 256)[:, None]
    mixed = np.asarray(colour) * (1 - ink) + np.asarray(text_colour(colour)) * ink
    return np.rint(mixed).astype(np.uint8)


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own typeface: the same letters on every machine, whatever fonts it has."""
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
