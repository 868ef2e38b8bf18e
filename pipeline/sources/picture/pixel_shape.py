"""The shape of a stream's pixels (its sample aspect ratio), also where it changes in mid-file."""

from __future__ import annotations

from fractions import Fraction

import av

from pipeline.sources.warning_log import WarningLog

_SLIMMEST = Fraction(16)  # times as wide or high as the other side; a pixel beyond that is an error
_SQUARE = Fraction(1)
_IMPOSSIBLE = "its pixels are said to be {} times as wide as high; taken for square"


class PixelShape:
    """The shape of the first frame's pixels, and by how much those of later frames are wider.

    PyAV gives no frame's own shape. A decoder tells the shape of what it has decoded last, which runs ahead
    of the frames that it gives out where they change their order; but a new shape begins with a key frame.
    Where the container tells another shape than the decoder does, the container is right, and changes are
    ignored.
    """

    def __init__(self, stream: av.VideoStream, log: WarningLog) -> None:
        told = stream.sample_aspect_ratio
        self.declared = _possible(told)
        if told and told != self.declared:
            log.add(_IMPOSSIBLE.format(told))
        self._first: Fraction | None = None
        self._now: Fraction | None = None

    def restart(self) -> None:
        """The next frame comes from another place, or from another connection."""
        self._now = None

    def mark(self, frame: av.VideoFrame, told: Fraction | None) -> None:
        """Note with the next frame in the order of showing how wide its pixels are, for `widening`.

        told: the shape that the decoder tells after it gave out the frame
        """
        told = _possible(told)
        self._first = self._first or told
        if self._now is None or frame.key_frame:
            self._now = told
        if self._now != self._first == self.declared:
            frame.opaque = self._now / self._first


def widening(frame: av.VideoFrame) -> Fraction:
    """Return the width of a frame's stored pixels, as a multiple of the first frame's."""
    marked = frame.opaque
    return marked if isinstance(marked, Fraction) else _SQUARE


def _possible(aspect: Fraction | None) -> Fraction:
    return aspect if aspect and 1 / _SLIMMEST <= aspect <= _SLIMMEST else _SQUARE
