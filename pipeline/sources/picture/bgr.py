"""Convert decoded pixels of any format to BGR, by the colour tags of the video."""

from __future__ import annotations

from functools import cache
from typing import Any

import av
import cv2
import numpy as np
from av.video.format import VideoFormat
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from pipeline.frame import Image
from pipeline.sources.picture.colours import LIMITED, ColourTags
from pipeline.sources.picture.tone_map import ToneMapper

HD_HEIGHT = 720

_MATRICES = {  # of ISO/IEC 23091-2, by libswscale's own names
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,  # with constant luminance; the nearest that there is
}
_FAST_FORMATS = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p"})
_FAST = Interpolation.BILINEAR
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class BgrConverter:
    """Makes BGR pictures of decoded frames.

    8 bit 4:2:0 and 4:2:2 go libswscale's fast way, which rounds down: up to 3 of 255 levels darker, about 1
    on average, at a tenth of the cost. All other formats are converted to within 1 level. Transparent pixels
    show white, as those of photographs do. High dynamic range (PQ, HLG) is tone-mapped to BT.709.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._tone_mapper = ToneMapper()

    def __call__(self, frame: av.VideoFrame, tags: ColourTags, peak: float) -> Image:
        """[H, W, 3] uint8 BGR. Raises av.FFmpegError for a pixel format that cannot be converted.

        tags: what the frame's colours are, as far as anybody said
        peak: the brightest that it may show, in nits; of high dynamic range only
        """
        colour: Image | None = None
        if tags.hdr:
            colour = self._tone_mapper(self._converted(frame, tags, "gbrp16le"), tags, peak)
        elif tags.range == LIMITED and _is_grey(frame.format.name):
            bits = frame.format.components[0].bits
            colour = _from_limited_grey(self._array(frame, tags, "gray" if bits == 8 else "gray16le"), bits)
        if not _has_alpha(frame.format.name):
            if colour is None:
                colour = self._array(frame, tags, "bgr24")
            return colour
        bgra: Image = self._array(frame, tags, "bgra")  # [H, W, 4]
        return _over_white(bgra[..., :3] if colour is None else colour, bgra[..., 3])

    def _array(self, frame: av.VideoFrame, tags: ColourTags, pixels: str) -> Any:
        return np.ascontiguousarray(self._converted(frame, tags, pixels).to_ndarray())

    def _converted(self, frame: av.VideoFrame, tags: ColourTags, pixels: str) -> av.VideoFrame:
        fast = pixels == "bgr24" and frame.format.name in _FAST_FORMATS
        return self._reformatter.reformat(
            frame,
            format=pixels,
            src_colorspace=_matrix(tags, frame.height),
            src_color_range=tags.range,
            interpolation=_FAST if fast else _EXACT,
            threads=1,
        )


def _matrix(tags: ColourTags, height: int) -> Colorspace | None:
    """The matrix to take: the usual one where none that libswscale knows was named. None: there is none."""
    if tags.matrix == 0:
        return None
    return _MATRICES.get(tags.matrix, Colorspace.ITU709 if height >= HD_HEIGHT else Colorspace.ITU601)


@cache
def _is_grey(pixels: str) -> bool:
    """Return True if a format has luma alone, which libswscale always takes for full range."""
    return pixels.startswith(("gray", "ya8", "ya16")) and "f" not in pixels


@cache
def _has_alpha(pixels: str) -> bool:
    return pixels == "pal8" or any(part.is_alpha for part in VideoFormat(pixels).components)


@cache
def _grey_table(bits: int) -> NDArray[np.uint8]:
    """Return a table from luma of limited range and so many bits to 8 or 16 bits of full range."""
    stretched = np.linspace(0, (1 << bits) - 1, 1 << (8 if bits == 8 else 16))
    levels = (stretched / (1 << bits - 8) - 16) * 255 / 219
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def _from_limited_grey(grey: NDArray[np.uint8] | NDArray[np.uint16], bits: int) -> Image:
    """grey: [H, W] of 8 or 16 bits, into which libswscale stretched those that there were."""
    return np.asarray(cv2.cvtColor(_grey_table(bits)[grey], cv2.COLOR_GRAY2BGR), np.uint8)


def _over_white(colour: Image, alpha: NDArray[np.uint8]) -> Image:
    """The picture [H, W, 3] as it looks on white paper; alpha: [H, W], 255 where it is not transparent."""
    if alpha.min() == 255:
        return np.ascontiguousarray(colour)
    share = alpha[..., None].astype(np.uint16)
    sum_ = colour * share + np.uint16(255) * (255 - share) + 128  # 255 * 255 + 128 fits into 16 bits
    return ((sum_ + (sum_ >> 8)) >> 8).astype(np.uint8)  # a division by 255, rounded
