"""The process's only OpenVINO `Core`, with OpenVINO's telemetry switched off."""

from __future__ import annotations

import sys
from functools import cache
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import openvino

_LOCK = Lock()
_REPORTER = "openvino_telemetry"  # what OpenVINO and NNCF report their use with


def openvino_core() -> openvino.Core:
    """Return the same object every time, for all threads; never freed. Raises ImportError without OpenVINO.

    A second one is not safe. OpenVINO's CPU plugin, of which each `Core` makes its own, sets an alternate
    signal stack in the thread that loads it, and restores the former one when it is freed. Two plugins that
    are freed in the order in which they were made leave the thread with a stack whose memory is gone; the
    next signal (Ctrl-C, the end of a child process) is written there all the same. Seen in 2026.4.
    """
    with _LOCK:
        return _core()


@cache
def _core() -> openvino.Core:
    refuse_telemetry()
    from openvino import Core

    return Core()


def refuse_telemetry() -> None:
    """Make the package that reports unimportable in this process; call it before `import openvino` or `nncf`.

    `import openvino` alone writes an identifier into the user's home folder and sends an event, with no
    option to say no. Both libraries go without when the reporting package is not installed, which an entry
    of None in `sys.modules` means to Python's import system.
    """
    sys.modules[_REPORTER] = cast(ModuleType, None)
