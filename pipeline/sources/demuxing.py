"""The packets of a container, also where a stream appears in it that was not there when it was opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import av
from av.container import InputContainer

LATE = "a stream that begins far behind the others was left out"


def packets_of(
    container: InputContainer, *streams: Any, on_late: Callable[[], None] = lambda: None
) -> Iterator[av.Packet[Any]]:
    """The packets from where the container stands, of these streams or of all; see PyAV's `demux`.

    on_late: called with each packet of a stream that FFmpeg found only now, in FLV for example, whose header
             does not list them. PyAV 18 knows the streams of the opening alone, and raises IndexError for
             any other; the packet is lost, and those after it come when it is asked again.
    """
    while True:
        packets = container.demux(*streams)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except IndexError:
                on_late()
                break
            yield packet
