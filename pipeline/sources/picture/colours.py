"""Colour tags of a video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

UNSPECIFIED = 2
"""The code point of ITU-T H.273 for primaries, transfer and matrix alike."""

LIMITED, FULL = 1, 2  # FFmpeg's values for the range
PQ, HLG = 16, 18
HDR = {PQ: "PQ", HLG: "HLG"}
"""Transfers of high dynamic range, and what people call them."""

_NOTHING_SAID = frozenset({0, UNSPECIFIED, 3})  # 0 and 3 are reserved


class Tagged(Protocol):
    """A frame or a codec's context, as PyAV has them."""

    color_primaries: int
    color_trc: int
    colorspace: int
    color_range: int


@dataclass(frozen=True)
class ColourTags:
    """A video's colour tags: code points of ITU-T H.273, and FFmpeg's value for the range."""

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED
    range: int = 0

    @property
    def hdr(self) -> str:
        """Name of its high dynamic range; "" for standard dynamic range."""
        return HDR.get(self.transfer, "")


NO_TAGS = ColourTags()
"""Of a video that says nothing."""

BT709 = ColourTags(1, 1, 1, LIMITED)
"""Tags of pictures after tone mapping."""


def tags_of(tagged: Tagged, otherwise: ColourTags = NO_TAGS) -> ColourTags:
    """The tags of a frame, or of a codec's context; `otherwise` for each one that it does not have.

    A container may know what a codec's frames do not tell.
    """
    return ColourTags(
        primaries=_first(tagged.color_primaries, otherwise.primaries),
        transfer=_first(tagged.color_trc, otherwise.transfer),
        # 0 is a matrix: none, for RGB
        matrix=otherwise.matrix if tagged.colorspace in (UNSPECIFIED, 3) else tagged.colorspace,
        range=tagged.color_range or otherwise.range,
    )


def _first(said: int, otherwise: int) -> int:
    return otherwise if said in _NOTHING_SAID else said
