"""Files written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import SinkError
from pipeline.sinks.part_file import PartFile, cannot_be_written

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
    write_bytes(path, json_bytes(record))


def json_bytes(record: Any) -> bytes:
    """`record` as the text of a json file. Raises ValueError on a number that is none."""
    return json.dumps(record, indent=1, allow_nan=False).encode() + b"\n"


def utf8(text: str) -> bytes:
    """`text` in UTF-8; what is none in the names of files becomes `\\udc80` and such."""
    return text.encode(errors="backslashreplace")


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file by way of a `PartFile`, so that it is never seen half written, and bring it to the disk.

    Folders are made as needed, a file that exists is replaced. Raises SinkError when it cannot be
    written.
    """
    with cannot_be_written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    part = PartFile(path, overwrite=True)
    try:
        with cannot_be_written(path):
            part.file.write(data)
        part.publish()
    except BaseException:
        part.discard()
        raise
