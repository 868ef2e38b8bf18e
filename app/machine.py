"""Facts about the machine for `doctor`: processor, memory, GPUs, display. Each tells "unknown" by raising."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from pathlib import Path

from app.threads import usable_cores

_GB = 1e9
# what people look for -> how Linux and PyTorch call it, without underscores; any of these will do
_INSTRUCTIONS = {
    "AVX2": {"avx2"},
    "AVX512": {"avx512f"},
    "VNNI": {"avx512vnni", "avxvnni"},
    "BF16": {"avx512bf16", "amxbf16", "bf16"},
    "FP16": {"avx512fp16", "amxfp16", "fphp"},
    "AMX": {"amxtile"},
    "NEON": {"asimd", "neon"},
    "I8MM": {"i8mm"},
}


def processor(proc: Path = Path("/proc")) -> str:
    """Return the maker's name of the processor."""
    name = _cpuinfo(proc).get("model name") or _capabilities().get("cpu_name")
    return str(name or platform.processor() or platform.machine())


def cores() -> str:
    """Return the number of cores that this process may use, and of all."""
    there, usable = os.cpu_count() or 1, usable_cores()
    return str(there) if usable == there else f"{usable} of {there}"


def memory(proc: Path = Path("/proc")) -> str:
    """Return the size of the memory and, on Linux, of its free part."""
    if not (proc / "meminfo").is_file():
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / _GB:.1f} GB"
    sizes = {}
    for line in (proc / "meminfo").read_text().splitlines():
        name, _, size = line.partition(":")
        sizes[name] = int(size.split()[0]) * 1024
    return f"{sizes['MemTotal'] / _GB:.1f} GB, {sizes['MemAvailable'] / _GB:.1f} GB of it free"


def instructions(proc: Path = Path("/proc")) -> str:
    """Return those of the processor's instructions that speed up inference."""
    flags = _cpuinfo(proc)
    names = set((flags.get("flags") or flags.get("Features") or "").split())
    names = names or {name for name, there in _capabilities().items() if there is True}
    if not names:
        return "unknown"
    plain = {name.replace("_", "") for name in names}
    return ", ".join(told for told, wanted in _INSTRUCTIONS.items() if wanted & plain) or "none that matter"


def gpus() -> dict[str, str]:
    """The CUDA devices that PyTorch sees, by number, and what it reaches them with."""
    import torch

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


def display() -> str:
    """Return the display protocols by which windows can be shown."""
    if platform.system() != "Linux":
        return "there is one"
    protocols = {"WAYLAND_DISPLAY": "Wayland", "DISPLAY": "X11"}
    found = [told for variable, told in protocols.items() if os.environ.get(variable)]
    return " and ".join(found) or "none: windows cannot be shown, files can be annotated"


def _cpuinfo(proc: Path) -> dict[str, str]:
    """Linux's facts about the first core; empty elsewhere."""
    facts: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in (proc / "cpuinfo").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            facts.setdefault(name.strip(), value.strip())
    return facts


def _capabilities() -> dict[str, object]:
    """PyTorch's facts about the processor; empty before 2.12."""
    import torch

    return dict(getattr(torch.cpu, "get_capabilities", dict)())


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    return ", ".join(sorted(set(done.stdout.split())))
