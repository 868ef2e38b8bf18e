"""Versions of the libraries, for `doctor`."""

from __future__ import annotations

import importlib
import platform
from importlib import metadata

from packaging.requirements import Requirement

from model.engines.openvino_core import refuse_telemetry

ABSENT = "absent"
BROKEN = "broken: "

# what people call it -> the module, and where that tells its version
HEAVY = {
    "PyTorch": ("torch", "__version__"),
    "torchvision": ("torchvision", "__version__"),
    "NNCF": ("nncf", "__version__"),
}
"""Take seconds to load, and what runs on a CPU does without them."""
LIBRARIES = {
    "NumPy": ("numpy", "__version__"),
    "OpenCV": ("cv2", "__version__"),
    "Pillow": ("PIL", "__version__"),
    "PyAV": ("av", "__version__"),
    "FFmpeg": ("av", "ffmpeg_version_info"),
    "OpenVINO": ("openvino", "__version__"),
    "PyQt6": ("PyQt6.QtCore", "PYQT_VERSION_STR"),
}


def versions() -> dict[str, str]:
    """Return the versions of Python, the system and the libraries; those in `HEAVY` are not loaded."""
    refuse_telemetry()
    facts = {"Python": platform.python_version(), "system": f"{platform.platform()}, {platform.machine()}"}
    heavy = {name: installed_version(package) for name, (package, _) in HEAVY.items()}
    return facts | heavy | {name: _version(*where) for name, where in LIBRARIES.items()}


def loaded_versions() -> dict[str, str]:
    """Return the same with every library loaded."""
    return versions() | {name: _version(*where) for name, where in HEAVY.items()}


def installed_version(package: str) -> str:
    """Return the version of a package that is not loaded, or what is wrong with it by its own requirements.

    Of the packages that it requires, those in `HEAVY` are looked at: a torchvision that was built for another
    PyTorch does not load.
    """
    try:
        version, needs = metadata.version(package), metadata.requires(package) or ()
        for need in map(Requirement, needs):
            wanted = need.name in {name for name, _ in HEAVY.values()} and need.marker is None
            if wanted and not need.specifier.contains(metadata.version(need.name), prereleases=True):
                return f"{BROKEN}{version} wants {need}, there is {metadata.version(need.name)}"
    except metadata.PackageNotFoundError as error:
        return ABSENT if error.name == package else f"{BROKEN}{error.name} is absent"
    return version


def _version(module: str, attribute: str) -> str:
    try:
        return str(
            getattr(importlib.import_module(module), attribute, "there, but does not tell its version")
        )
    except ModuleNotFoundError as error:
        wanted = module.partition(".")[0]
        return ABSENT if error.name == wanted else BROKEN + one_line(error)
    except Exception as error:  # a library whose own libraries are missing fails in its own way
        return BROKEN + one_line(error)


def one_line(error: Exception) -> str:
    """Return an error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
