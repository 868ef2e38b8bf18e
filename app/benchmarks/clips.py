"""Videos to measure on: the demo clip at another size and length."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

TIME_BASE = Fraction(1, 25)


def write_clip(path: Path, source: Path, size: tuple[int, int], frames: int) -> None:
    """`source` scaled to `size` (width, height) and encoded to H.264.

    It begins anew, packets and all, until there are `frames` frames, so that a long one is soon written.
    """
    pictures = islice(_pictures(source), min(frames, 125))
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "23", "preset": "veryfast", "bf": "0"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        packets = []
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(
                cv2.resize(picture, size).astype(np.uint8, copy=False), format="bgr24"
            )
            frame.pts, frame.time_base = number, TIME_BASE
            packets += stream.encode(frame)
        packets += stream.encode(None)
        payloads = [(bytes(packet), packet.is_keyframe) for packet in packets]
        for number in range(frames):
            payload, is_key = payloads[number % len(payloads)]
            packet = av.Packet(payload)
            packet.stream, packet.time_base = stream, TIME_BASE
            packet.pts = packet.dts = number
            packet.is_keyframe = is_key
            output.mux(packet)


def _pictures(source: Path) -> Iterator[NDArray[np.uint8]]:
    with av.open(str(source)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
