"""Side data of decoded frames."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, cast

import av
from av.filter import Graph
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType

_HIGHEST = 64  # FFmpeg counts about thirty kinds by now

_Kind = tuple[int, int, str]


class SideDataReader:
    """Reads the side data of frames of which PyAV may not know every kind.

    PyAV gives all of a frame's side data or, where it has no name for one of them (EXIF), none: it raises
    ValueError. The nameless ones are then taken off a second reference to the frame, by a filter of FFmpeg's,
    which costs some 20 µs and copies no pixels.
    """

    def __init__(self) -> None:
        self._kind: _Kind | None = None
        self._graph: Graph | None = None

    def of(self, frame: av.VideoFrame) -> Mapping[SideDataType, Any]:
        """The side data that have a name, by it. The frame is not tied to the result, and is freed early."""
        try:
            return _named(frame)
        except ValueError:
            return _named(self._without_nameless(frame))

    def _without_nameless(self, frame: av.VideoFrame) -> av.VideoFrame:
        kind = (frame.width, frame.height, frame.format.name)
        if self._graph is None or kind != self._kind:
            self._graph, self._kind = _taking_off_nameless(frame), kind
        self._graph.vpush(frame)
        return self._graph.vpull()


def _named(frame: av.VideoFrame) -> Mapping[SideDataType, Any]:
    # `frame.side_data` would be kept by the frame, and the frame by it
    return cast(Any, SideDataContainer)(frame)


def _taking_off_nameless(frame: av.VideoFrame) -> Graph:
    graph = Graph()
    graph.threads = 1
    last = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
    )
    names = {int(cast(Any, kind).value) for kind in SideDataType}
    for number in range(_HIGHEST):
        if number not in names:
            taking_off = graph.add("sidedata", mode="delete", type=str(number))
            last.link_to(taking_off)
            last = taking_off
    last.link_to(graph.add("buffersink"))
    graph.configure()
    return graph
