"""Whole pictures of interlaced video."""

from __future__ import annotations

from collections import deque
from fractions import Fraction

import av
from av.filter import Graph

_LEAST = (3, 4)  # columns and lines that the filter needs


class Deinterlacer:
    """Makes one progressive frame of each interlaced frame (FFmpeg's bwdif); progressive ones pass through.

    It stays out of the way until the first interlaced frame. From then on it is one frame behind, for it
    needs the next one, so that frames come out of `put` and `flush` in lists. Time stamps are kept.
    """

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._kind: tuple[int, int, str] | None = None
        self._stamps: deque[tuple[int | None, int]] = deque()

    def put(self, frame: av.VideoFrame) -> list[av.VideoFrame]:
        """Take a frame; returns those that are ready, in their order. Raises av.FFmpegError."""
        kind = (frame.width, frame.height, frame.format.name)
        ready = self.flush() if self._graph is not None and kind != self._kind else []
        if self._graph is None:
            if not frame.interlaced_frame or frame.width < _LEAST[0] or frame.height < _LEAST[1]:
                return [*ready, frame]
            self._graph, self._kind = _bwdif(frame), kind
        self._stamps.append((frame.pts, frame.duration))
        self._graph.vpush(frame)
        return ready + self._pull()

    def flush(self) -> list[av.VideoFrame]:
        """The frames that are still inside. Raises av.FFmpegError."""
        if self._graph is None:
            return []
        self._graph.vpush(None)
        ready = self._pull()
        self._graph = None
        self._stamps.clear()
        return ready

    def _pull(self) -> list[av.VideoFrame]:
        assert self._graph is not None
        ready = []
        while self._stamps:
            try:
                frame = self._graph.vpull()
            except (BlockingIOError, EOFError):
                break
            # the filter counts in half units, and invents what is missing
            frame.pts, frame.duration = self._stamps.popleft()
            ready.append(frame)
        return ready


def _bwdif(frame: av.VideoFrame) -> Graph:
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
    )
    bwdif = graph.add("bwdif", mode="send_frame", deint="interlaced")
    source.link_to(bwdif)
    bwdif.link_to(graph.add("buffersink"))
    graph.configure()
    return graph
