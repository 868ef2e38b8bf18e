"""Convert decoded frames to the pictures of the pipeline: BGR, upright, all of one size."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, cast

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideDataType

from pipeline.frame import Image
from pipeline.sources.picture.bgr import BgrConverter
from pipeline.sources.picture.colours import BT709, NO_TAGS, ColourTags, tags_of
from pipeline.sources.picture.cropping import NO_CROP, Crop
from pipeline.sources.picture.letterbox import letterboxed
from pipeline.sources.picture.pixel_shape import widening
from pipeline.sources.picture.side_data import SideDataReader
from pipeline.sources.picture.tone_map import peak_of
from pipeline.sources.warning_log import WarningLog

_Signs = tuple[int, int, int, int]

# By the signs of a, b, c and d of the display matrix, which takes x to a*x + c*y and y to b*x + d*y
# (ISO/IEC 14496-12, 6.2.2): whether rows and columns change places, and along which axes the picture is then
# flipped (OpenCV's flip code, None for none).
_TURNS: dict[_Signs, tuple[bool, int | None]] = {
    (1, 0, 0, 1): (False, None),
    (-1, 0, 0, 1): (False, 1),
    (1, 0, 0, -1): (False, 0),
    (-1, 0, 0, -1): (False, -1),
    (0, 1, 1, 0): (True, None),
    (0, 1, -1, 0): (True, 1),
    (0, -1, 1, 0): (True, 0),
    (0, -1, -1, 0): (True, -1),
}


class Pictures:
    """Makes upright BGR pictures of decoded frames; the size of the first one holds for all.

    The matrix (BT.601, 709, 2020) and the range are those of the frame's tags, or else of the container's. A
    frame without, or with a matrix that libswscale does not know, is taken for BT.709 from 720 lines on, else
    for BT.601. The range is limited unless the tag or the pixel format says full. See `BgrConverter` for the
    rest. A picture of another size or shape than the first one's is shown whole, between black bars.
    """

    def __init__(self, log: WarningLog, declared: ColourTags = NO_TAGS, crop: Crop = NO_CROP) -> None:
        """declared: what the container says of the colours, for frames that do not; crop: of the edges"""
        self._declared = declared
        self._crop = crop
        self._converter = BgrConverter()
        self._side_data = SideDataReader()
        self._log = log
        self._size: tuple[int, int] | None = None
        self._colours = declared
        self._sideways = False

    @property
    def colours(self) -> ColourTags:
        """Colour tags of the first picture's BGR; before it, those of the container."""
        return self._colours

    @property
    def sideways(self) -> bool:
        """True if rows and columns of the first picture were exchanged to have it upright."""
        return self._sideways

    def make(self, frame: av.VideoFrame) -> Image:
        """[H, W, 3] uint8 BGR. Raises av.FFmpegError for a pixel format that cannot be converted."""
        side_data = self._side_data.of(frame)
        tags = tags_of(frame, self._declared)
        if tags.hdr:
            self._log.add(f"high dynamic range ({tags.hdr}) was tone-mapped to BT.709")
        image = self._converter(frame, tags, peak_of(side_data) if tags.hdr else 0)
        signs = _display_signs(side_data)
        image = self._upright(self._cropped(image), signs)
        if self._size is None:
            self._size = image.shape[:2]
            self._colours = BT709 if tags.hdr else tags
            self._sideways = _is_sideways(signs)
            return image
        wider = widening(frame)
        return self._fitted(image, 1 / wider if _is_sideways(signs) else wider, self._size)

    def _fitted(self, image: Image, wider: Fraction, size: tuple[int, int]) -> Image:
        """wider: how many times as wide as the first picture's its pixels are"""
        if image.shape[:2] != size:
            self._log.add("the picture size changed; {count} frame(s) were fitted into the first one's")
        elif wider != 1:
            self._log.add("the shape of pixels changed; {count} frame(s) were fitted into the first one's")
        else:
            return image
        return letterboxed(image, size, wider)

    def _cropped(self, image: Image) -> Image:
        height, width = image.shape[:2]
        crop = self._crop
        if not crop.leaves(height, width):
            return image
        rows = slice(crop.top, height - crop.bottom)
        return np.ascontiguousarray(image[rows, crop.left : width - crop.right])

    def _upright(self, image: Image, signs: _Signs | None) -> Image:
        if signs is None:
            return image
        turn = _TURNS.get(signs)
        if turn is None:
            self._log.add("the rotation is not by quarter turns and was left out")
            return image
        transposed, flip = turn
        if transposed:
            image = _as_image(cv2.transpose(image))  # [W, H, 3]
        return image if flip is None else _as_image(cv2.flip(image, flip))


def _as_image(array: Any) -> Image:
    """OpenCV's results are arrays of its arguments' type, which its annotations do not say."""
    return cast(Image, array)


def _is_sideways(signs: _Signs | None) -> bool:
    """Return True if rows and columns change places."""
    return signs is not None and signs in _TURNS and _TURNS[signs][0]


def _display_signs(side_data: Mapping[SideDataType, Any]) -> _Signs | None:
    """The signs of a, b, c, d of a frame's display matrix; None when it has none."""
    matrix = side_data.get(SideDataType.DISPLAYMATRIX)
    if matrix is None:
        return None
    # rows of [a b u], [c d v], [x y w] as 32 bit integers in the machine's byte order
    a, b, _, c, d, _, *_ = np.frombuffer(bytes(matrix), np.int32).tolist()
    largest = max(abs(a), abs(b), abs(c), abs(d), 1)
    a, b, c, d = (round(value / largest) if abs(value) * 100 > largest else 0 for value in (a, b, c, d))
    return a, b, c, d
