"""Facts about the machine for `doctor`: processor, memory, display. Each tells "unknown" by raising.

capabilities: PyTorch's facts about the processor, asked for where the system has none
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path

from app.threads import usable_cores

Capabilities = Callable[[], Mapping[str, object]]

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


def processor(proc: Path = Path("/proc"), capabilities: Capabilities = dict) -> str:
    """Return the maker's name of the processor."""
    name = _cpuinfo(proc).get("model name") or capabilities().get("cpu_name")
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


def instructions(proc: Path = Path("/proc"), capabilities: Capabilities = dict) -> str:
    """Return those of the processor's instructions that speed up inference."""
    flags = _cpuinfo(proc)
    names = set((flags.get("flags") or flags.get("Features") or "").split())
    names = names or {name for name, there in capabilities().items() if there is True}
    if not names:
        return "unknown"
    plain = {name.replace("_", "") for name in names}
    return ", ".join(told for told, wanted in _INSTRUCTIONS.items() if wanted & plain) or "none that matter"


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
