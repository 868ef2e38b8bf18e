"""Versions of all that decides what is found and drawn."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

from model.project import ROOT

# distributions whose version may change an output; those that are absent are left out
LIBRARIES = (
    *("av", "numpy", "opencv-python", "opencv-python-headless", "openvino", "pillow", "supervision"),
    *("torch", "torchvision", "trackers"),
)
# folders of the project whose code does not touch the outputs of a batch
_WITHOUT_EFFECT = (
    "model/training",
    "model/evaluation",
    "model/exporting",
    "pipeline/live",
    "pipeline/stability",
)


def versions_here() -> dict[str, str]:
    """Return the version of each library by its name, and a digest of the project's code as "code"."""
    found = {"code": _code_digest()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _code_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for folder in ("model", "pipeline") for path in (ROOT / folder).rglob("*.py")):
        if not _has_no_effect(path):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:20]


def _has_no_effect(path: Path) -> bool:
    return path.relative_to(ROOT).as_posix().startswith(tuple(f"{folder}/" for folder in _WITHOUT_EFFECT))
