"""From decoded frames to the pictures of the pipeline: BGR, upright, all of one size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from pipeline.frame import Image
from pipeline.sources.troubles import Troubles

HD_HEIGHT = 720

_CONVERTIBLE = frozenset({0, 1, 4, 5, 6, 7, 9})  # matrices of ISO/IEC 23091-2 that libswscale knows
_BT2020_CONSTANT_LUMINANCE = 10
_FAST_FORMATS = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p"})
_FAST = Interpolation.BILINEAR
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT

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

    The matrix (BT.601, 709, 2020) and the range are those of the frame's tags. A frame without, or with one
    that libswscale does not know, is taken for BT.709 from 720 lines on, else for BT.601. The range is
    limited unless the tag or the pixel format says full. High dynamic range stays as it is.

    8 bit 4:2:0 and 4:2:2 go libswscale's fast way, which rounds down: up to 3 of 255 levels darker, about 1
    on average, at a tenth of the cost. All other formats are converted to within 1 level.
    """

    def __init__(self, troubles: Troubles) -> None:
        self._reformatter = VideoReformatter()
        self._troubles = troubles
        self._size: tuple[int, int] | None = None
        self._rotation: int | None = None
        self._signs: _Signs | None = None

    def make(self, frame: av.VideoFrame) -> Image:
        """[H, W, 3] uint8 BGR. Raises av.FFmpegError for a pixel format that cannot be converted."""
        image = self._upright(self._bgr(frame), frame)
        if self._size is None:
            self._size = image.shape[:2]
        elif image.shape[:2] != self._size:
            self._troubles.add("the picture size changed; {count} frame(s) were scaled to the first one's")
            image = _as_image(cv2.resize(image, self._size[::-1], interpolation=cv2.INTER_AREA))
        return image

    def _bgr(self, frame: av.VideoFrame) -> Image:
        converted = self._reformatter.reformat(
            frame,
            format="bgr24",
            src_colorspace=_assumed_matrix(frame),
            interpolation=_FAST if frame.format.name in _FAST_FORMATS else _EXACT,
            threads=1,
        )
        return np.ascontiguousarray(converted.to_ndarray())

    def _upright(self, image: Image, frame: av.VideoFrame) -> Image:
        # to look further ties a frame to itself, so that it is freed late
        if self._rotation != frame.rotation:
            self._rotation, self._signs = frame.rotation, _display_signs(frame)
        if self._signs is None:
            return image
        turn = _TURNS.get(self._signs)
        if turn is None:
            self._troubles.add("the rotation is not by quarter turns and was left out")
            return image
        transposed, flip = turn
        if transposed:
            image = _as_image(cv2.transpose(image))  # [W, H, 3]
        return image if flip is None else _as_image(cv2.flip(image, flip))


def _as_image(array: Any) -> Image:
    """OpenCV's results are arrays of its arguments' type, which its annotations do not say."""
    return cast(Image, array)


def _assumed_matrix(frame: av.VideoFrame) -> Colorspace | None:
    """The matrix to take; None for the one that the frame names."""
    if frame.colorspace in _CONVERTIBLE:
        return None
    if frame.colorspace == _BT2020_CONSTANT_LUMINANCE:
        return Colorspace.BT2020  # the nearest that there is
    return Colorspace.ITU709 if frame.height >= HD_HEIGHT else Colorspace.ITU601


def _display_signs(frame: av.VideoFrame) -> _Signs | None:
    """The signs of a, b, c, d of the frame's display matrix; None when it has none."""
    side_data: Mapping[SideDataType, Any] = cast(Any, frame.side_data)
    if SideDataType.DISPLAYMATRIX not in side_data:
        return None
    # rows of [a b u], [c d v], [x y w] as 32 bit integers in the machine's byte order
    a, b, _, c, d, _, *_ = np.frombuffer(bytes(side_data[SideDataType.DISPLAYMATRIX]), np.int32).tolist()
    largest = max(abs(a), abs(b), abs(c), abs(d), 1)
    a, b, c, d = (round(value / largest) if abs(value) * 100 > largest else 0 for value in (a, b, c, d))
    return a, b, c, d
