"""How the cores are shared out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.predictor import Predictor

MOST_STREAMS = 8


def streams_for_files() -> int:
    """Batches to compute side by side for the most frames a second: one a core, within reason."""
    return min(usable_cores(), MOST_STREAMS)


def usable_cores() -> int:
    """Cores that this process may use: in a container fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_cores(predictor: Predictor) -> None:
    """Give the cores to OpenVINO's threads where it runs the network, else to PyTorch's.

    Beside OpenVINO PyTorch only prepares frames and reads outputs, in steps so short that threads of its own
    would cost more time in waiting for each other, at OpenVINO's expense, than they save. Call it before any
    frame comes, in the thread that uses the predictor where others have come before: the setting is that
    thread's, and that of all that have not worked yet, which is why a command makes it and not the model.
    """
    import torch

    torch.set_num_threads(1 if predictor.engine.name == "openvino" else usable_cores())
