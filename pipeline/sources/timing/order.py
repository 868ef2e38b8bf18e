"""Presentation times for containers that know decoding times alone."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import av

_WITHOUT_PRESENTATION = frozenset({"avi"})


def order_of(format_name: str) -> DecodingOrder | None:
    """Return the source of stamps for a container of that format; None where it has stamps of its own."""
    return DecodingOrder() if format_name in _WITHOUT_PRESENTATION else None


class DecodingOrder:
    """Gives frames, in the order in which they are shown, the decoding times of their packets in order.

    The first frame of a file is shown at the first packet's time; how many packets later it came out of the
    decoder holds for all frames. FFmpeg makes presentation times up instead, wrong ones where frames are
    decoded in another order than they are shown.

    One file has one of it; `restart` comes before each reading, the first of which is from the file's start.
    """

    def __init__(self) -> None:
        self._times: list[int] = []
        self._next = 0
        self._delay: int | None = None

    def restart(self) -> None:
        """The packets to come are from another place in the file."""
        self._times.clear()
        self._next = 0

    def put(self, packet: av.Packet[Any]) -> None:
        """Note a packet that goes into the decoder."""
        if packet.dts is not None and (not self._times or packet.dts > self._times[-1]):
            self._times.append(packet.dts)

    def stamp(self, frame: av.VideoFrame) -> None:
        """Give a frame that came out of the decoder its presentation time."""
        if frame.dts is not None:
            at = bisect_left(self._times, frame.dts)
            if self._delay is None:
                self._delay = at
            self._next = max(self._next, at - self._delay)
        if self._next < len(self._times):
            frame.pts = self._times[self._next]
            self._next += 1
        else:
            frame.pts = None
