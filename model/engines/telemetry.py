"""Nothing leaves the machine: OpenVINO and NNCF report their use over the network unless they cannot."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import cast

_REPORTER = "openvino_telemetry"


def refuse_telemetry() -> None:
    """Make the package that reports unimportable in this process; call it before `import openvino` or `nncf`.

    `import openvino` alone writes an identifier into the user's home folder and sends an event, with no
    option to say no. Both libraries go without when the reporting package is not installed, which an entry
    of None in `sys.modules` means to Python's import system.
    """
    sys.modules[_REPORTER] = cast(ModuleType, None)
