"""Sorting of dropped items: a source, weights, or a reason for refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PyQt6.QtCore import QMimeData

from pipeline.sources.addresses import SCHEMES, is_address, redacted, scheme_of

WEIGHTS_SUFFIXES = frozenset({".pt", ".pth", ".xml", ".onnx"})


@dataclass(frozen=True)
class Dropped:
    """Result of sorting dropped items.

    source:  source to open, "" for none
    weights: weights to use, "" for none
    refused: reasons for refusing the other items
    """

    source: str = ""
    weights: str = ""
    refused: tuple[str, ...] = ()


def sort_dropped(items: Sequence[str]) -> Dropped:
    """Sort dropped paths and addresses. At most one source and one file of weights are accepted."""
    found: dict[str, list[str]] = {"source": [], "weights": []}
    refused = []
    for item in items:
        kind, reason = _judge(item)
        if reason:
            refused.append(f"{redacted(item)}: {reason}")
        else:
            found[kind].append(item)
    for kind, taken in found.items():
        if len(taken) > 1:
            refused.append(f"{len(taken)} {_PLURALS[kind]} at once: {_ADVICE[kind]}")
            taken.clear()
    if not items:
        refused.append("nothing that was dropped is a file, a folder or an address")
    source, weights = ("".join(found[kind]) for kind in ("source", "weights"))
    return Dropped(source, weights, tuple(refused))


_PLURALS = {"source": "sources", "weights": "files of weights"}
_ADVICE = {
    "source": "drop a single file, or the folder that holds the pictures",
    "weights": "drop a single one",
}


def _judge(item: str) -> tuple[str, str]:
    """Return the kind of an item, and the reason for refusal, "" if it is accepted."""
    if is_address(item):
        expected = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        return "source", "" if scheme_of(item) in SCHEMES else f"cannot be opened; expected {expected}"
    path = Path(item)
    try:
        if path.is_dir():
            return "source", ""
        if not path.exists():
            return "source", "there is no such file"
    except OSError as error:
        return "source", f"cannot be read: {error.strerror or error}"
    return _judge_file(path)


def _judge_file(path: Path) -> tuple[str, str]:
    from pipeline.sources.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    suffix = path.suffix.lower()
    if suffix in WEIGHTS_SUFFIXES:
        return "weights", ""
    if not path.is_file():
        return "source", "not a file"
    if suffix and suffix not in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
        weights = ", ".join(sorted(WEIGHTS_SUFFIXES))
        return "source", f"{suffix} is neither a video nor a picture, and weights are {weights}"
    return "source", ""  # without a suffix the kind is known once it is opened


def dropped_items(data: QMimeData | None) -> list[str]:
    """Return the dragged paths and addresses."""
    if data is None:
        return []
    if data.hasUrls():
        return [url.toLocalFile() if url.isLocalFile() else url.toString() for url in data.urls()]
    return data.text().split() if data.hasText() and "://" in data.text() else []
