"""Conversion of BGR to an encoder's pixel format, and the file's colour tags."""

from __future__ import annotations

import av
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from pipeline.frame import Image
from pipeline.native_memory import spacious
from pipeline.sources.picture.colours import FULL, LIMITED, UNSPECIFIED, ColourTags

_BT709, _SMPTE170M, _RGB = 1, 6, 0

# to the nearest level, and colour from both pixels that share it; the usual way cuts off, which darkens
_ROUNDED = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP

# matrices that the conversion knows: code point -> swscale's own
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}


def apply_tags(tags: ColourTags, context: av.VideoCodecContext, is_rgb: bool) -> None:
    """Tag an encoder that is not open yet; `is_rgb` where its pixels need no matrix."""
    context.color_primaries = tags.primaries
    context.color_trc = tags.transfer
    context.colorspace = _RGB if is_rgb else tags.matrix
    context.color_range = FULL if is_rgb else tags.range


def choose_tags(source: ColourTags | None, height: int) -> ColourTags:
    """The tags of an output whose pictures came, as BGR, from a video with the tags of `source`.

    Primaries and transfer describe the BGR values, which nobody has changed, and stay. Matrix and range
    stay too where the conversion knows them. Where nothing is said, or `source` is None, a `height` of
    720 or more means BT.709 and less means BT.601, limited range, as players assume.
    """
    usual = _BT709 if height >= 720 else _SMPTE170M
    if source is None:
        return ColourTags(usual, usual, usual, LIMITED)
    matrix = source.matrix if source.matrix in _MATRICES else usual
    tagged = {source.primaries, source.transfer} - {UNSPECIFIED, 0}
    return ColourTags(
        primaries=source.primaries if tagged else usual,
        transfer=source.transfer if tagged else usual,
        matrix=matrix,
        range=FULL if source.range == FULL else LIMITED,
    )


def padded_size(width: int, height: int, pixels: str) -> tuple[int, int]:
    """(width, height) of the smallest picture that holds this one and that the pixel format can store.

    Formats that share colour between neighbours store even sizes only. 4:4:4 could keep an odd size, but
    most players and all hardware decoders refuse it in H.264, so one more row or column is the better deal.
    """
    shares_colour = pixels.startswith(("yuv420", "yuv422"))
    return (width + width % 2, height + height % 2) if shares_colour else (width, height)


class PictureConverter:
    """Makes `pixels` frames of BGR pictures, padded to `padded_size` by repeating the last row and column."""

    def __init__(self, pixels: str, tags: ColourTags) -> None:
        self._pixels = pixels
        self._tags = tags
        self._reformatter = VideoReformatter()

    def __call__(self, picture: Image) -> av.VideoFrame:
        """picture: [H, W, 3] uint8 BGR. The frame is a copy and carries no time stamp yet."""
        frame = av.VideoFrame.from_numpy_buffer(self._padded(picture), format="bgr24")
        return self._reformatter.reformat(
            frame,
            format=self._pixels,
            dst_colorspace=_MATRICES[self._tags.matrix],
            dst_color_range=self._tags.range,
            interpolation=_ROUNDED,
            threads=1,  # half a millisecond of work is not worth waking others
        )

    def _padded(self, picture: Image) -> Image:
        """A copy of the picture that may be lent to FFmpeg for as long as the frame of it is there."""
        height, width = picture.shape[:2]
        wide, high = padded_size(width, height, self._pixels)
        copy = spacious(high, wide)
        copy[:height, :width] = picture
        copy[height:, :width] = picture[-1:]
        copy[:, width:] = copy[:, width - 1 : width]
        return copy
