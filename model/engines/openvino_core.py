"""The one OpenVINO `Core` of the process."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from model.engines.telemetry import refuse_telemetry

if TYPE_CHECKING:
    import openvino

_LOCK = Lock()


def openvino_core() -> openvino.Core:
    """The same object every time, for all threads; never freed. Raises ImportError without OpenVINO.

    A second one is not safe: OpenVINO's CPU plugin, of which each `Core` makes its own, gives the thread
    that loads it a stack for signals, and puts back the one from before when it is freed. Two of them that
    are freed in the order in which they were made leave the thread with a stack whose memory is gone, where
    the next signal (Ctrl-C, the end of a child process) is written all the same. Seen in 2026.4.
    """
    with _LOCK:
        return _core()


@cache
def _core() -> openvino.Core:
    refuse_telemetry()
    from openvino import Core

    return Core()
