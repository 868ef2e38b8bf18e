"""Facts about the processor and the graphics driver, asked of the system itself."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

# any of these multiplies and adds 8-bit numbers in one instruction; without, int8 is no faster than fp32
_INT8_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})  # as Linux names them
_INT8_CAPABILITIES = ("avx512_vnni", "avx_vnni", "amx_int8", "dot", "i8mm")  # as PyTorch does
_CPUINFO = Path("/proc/cpuinfo")
_DRIVERS = {"win32": "nvcuda.dll"}


def has_int8_instructions(cpuinfo: Path = _CPUINFO) -> bool:
    """Return whether the processor has instructions for int8; True where nothing tells.

    Linux says so in a file; elsewhere PyTorch is loaded and asked. OpenVINO says yes of every CPU.
    """
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return _pytorch_says()
    flags = [
        line.partition(":")[2].split() for line in lines if line.lower().startswith(("flags", "features"))
    ]
    return not flags or not _INT8_FLAGS.isdisjoint(flags[0])


def _pytorch_says() -> bool:
    import torch

    # older releases cannot say
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return not capabilities or any(capabilities.get(name) for name in _INT8_CAPABILITIES)


@cache
def nvidia_gpus() -> int:
    """Return the number of GPUs that NVIDIA's driver sees; 0 without a driver.

    The driver is asked by itself (`cuInit`, `cuDeviceGetCount`), which takes a thousandth of the time and
    memory of loading PyTorch to ask it.
    """
    try:
        driver = ctypes.CDLL(_DRIVERS.get(sys.platform, "libcuda.so.1"))
        count = ctypes.c_int()
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
            return 0
    except (OSError, AttributeError):
        return 0
    return count.value
