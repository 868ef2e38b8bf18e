"""Files written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import SinkError

# how each kind of image that can be written is encoded; full chroma keeps coloured lines crisp
_JPEG = (
    cv2.IMWRITE_JPEG_QUALITY, 95,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)  # fmt: skip
ENCODINGS: dict[str, tuple[int, ...]] = {".jpg": _JPEG, ".jpeg": _JPEG, ".png": ()}


def write_image(path: Path, frame: NDArray[np.uint8]) -> None:
    """Write `frame`, [H, W, 3] uint8 BGR, in the format that the suffix names: a key of `ENCODINGS`.

    JPEG gets quality 95. Raises SinkError when the frame cannot be encoded or the file not be written.
    """
    suffix = path.suffix.lower()
    try:
        encoded, data = cv2.imencode(suffix, frame, ENCODINGS[suffix])
    except cv2.error as error:
        raise SinkError(f"{path}: cannot be encoded: {error.err}") from error
    if not encoded:
        raise SinkError(f"{path}: {frame.shape[1]} x {frame.shape[0]} pixels cannot be encoded; try .png")
    write_bytes(path, data.tobytes())


def write_json(path: Path, record: Any) -> None:
    """Write `record` as json. Raises SinkError when the file cannot be written."""
    text = json.dumps(record, indent=1, allow_nan=False)
    write_bytes(path, text.encode() + b"\n")


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file by way of a temporary one beside it, so that nobody ever sees half of it.

    Folders are made as needed. Raises SinkError when the file cannot be written.
    """
    temporary = path.with_name(f".{path.name[:200]}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise SinkError(f"{path}: cannot be written: {error.strerror or error}") from error
