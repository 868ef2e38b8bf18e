"""Runs a function in several processes that train together, as torchrun would start them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import distributed as dist

PATIENCE = 200.0  # seconds; a busy machine takes its time


def run_together(folder: Path, function: Callable[[Path], Any], processes: int = 2) -> list[Any]:
    """What `function(folder)` returned in each process, in the order of ranks; tensors, numbers and text.

    `function` is at the top of its module. The processes are forked from one that has imported what they
    need and done nothing yet: after a backward pass, a process of some PyTorch releases cannot be forked.
    """
    context = torch.multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.tiny_training"])
    started = [
        context.Process(target=_enter, args=(rank, processes, folder, function), daemon=True)
        for rank in range(processes)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(PATIENCE)
    codes = [process.exitcode for process in started]
    for process in started:
        process.kill()
    assert codes == [0] * processes, f"exit codes {codes}; None stands for one that did not end"
    return [torch.load(folder / f"result_{rank}.pt") for rank in range(processes)]


def _enter(rank: int, processes: int, folder: Path, function: Callable[[Path], Any]) -> None:
    torch.set_num_threads(1)  # a pool of threads does not outlive a fork
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", f"file://{folder}/rendezvous", rank=rank, world_size=processes)
    torch.save(function(folder), folder / f"result_{rank}.pt")
    dist.destroy_process_group()
