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
    """Give the cores to OpenVINO's threads where it runs the network; call it before any frame comes.

    PyTorch then only prepares frames and reads outputs, in steps so short that threads of its own would
    cost more time in waiting for each other, at OpenVINO's expense, than they save. The setting is the
    whole process's, which is why a command makes it and not the model.
    """
    import torch

    if predictor.engine.name == "openvino":
        torch.set_num_threads(1)


class CoreSharing:
    """`share_cores` for networks that come one after another: PyTorch's threads come back with its engine.

    Call it in the thread that uses the predictor: PyTorch's setting is that thread's, and that of all threads
    that have not worked yet.
    """

    def __init__(self) -> None:
        self._own: int | None = None  # PyTorch's threads, as they were before any were taken away

    def __call__(self, predictor: Predictor) -> None:
        """Make ready for this network."""
        import torch

        if self._own is None:
            self._own = torch.get_num_threads()
        elif predictor.engine.name != "openvino":
            torch.set_num_threads(self._own)
        share_cores(predictor)
