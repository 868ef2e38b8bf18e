"""Facts about the machine that PyTorch knows, for `doctor`."""

from __future__ import annotations

import contextlib
import subprocess

import torch

_GB = 1e9


def gpus() -> dict[str, str]:
    """Return the CUDA devices that PyTorch sees, by number, and what it reaches them with."""
    facts = {"CUDA of PyTorch": torch.version.cuda or "none: this PyTorch was built for the CPU"}
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        facts["NVIDIA driver"] = _driver()
    for i in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(i)
        facts[f"cuda:{i}"] = (
            f"{properties.name}, {properties.total_memory / _GB:.1f} GB, "
            f"compute capability {properties.major}.{properties.minor}"
        )
    if not torch.cuda.is_available():
        facts["devices"] = "none that PyTorch can use"
    return facts


def capabilities() -> dict[str, object]:
    """Return PyTorch's facts about the processor; none before PyTorch 2.12."""
    return dict(getattr(torch.cpu, "get_capabilities", dict)())


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    return ", ".join(sorted(set(done.stdout.split())))
