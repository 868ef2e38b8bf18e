"""Masks as run lengths in the COCO format, checked before they reach pycocotools.

pycocotools does not check them: run lengths that do not fill the mask leave it partly unset.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as mask_utils


def checked_rle(segmentation: dict[str, Any], width: int, height: int) -> bytes:
    """Return the compressed run lengths of a COCO `segmentation` of a width x height image.

    Takes both forms, compressed text and plain counts. Raises ValueError with the reason when it is
    malformed, of another size or does not fill the mask.
    """
    counts, size = segmentation.get("counts"), segmentation.get("size")
    if size != [height, width] or not all(type(side) is int for side in size):
        raise ValueError("mask has another size than its image")
    if isinstance(counts, list):
        if not all(isinstance(c, int) and c >= 0 for c in counts) or sum(counts) != width * height:
            raise ValueError("run lengths do not fill the mask")
        packed: dict[str, Any] = mask_utils.frPyObjects(segmentation, height, width)
        return bytes(packed["counts"])
    if isinstance(counts, str) and counts.isascii():
        counts = counts.encode("ascii")
    if not isinstance(counts, bytes):
        raise ValueError("run lengths are malformed")
    runs = run_lengths(counts)
    if any(run < 0 for run in runs) or sum(runs) != width * height:
        raise ValueError("run lengths do not fill the mask")
    return counts


def run_lengths(counts: bytes) -> list[int]:
    """Decode COCO's compressed run lengths: 5 bits a character, differences to the last but one.

    Raises ValueError when it ends within a number or holds a character that the format has not.
    """
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        bits = character - 48
        if not 0 <= bits < 64:
            raise ValueError("run lengths are malformed")
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("run lengths are malformed")
    return runs


def encode_mask(mask: NDArray[np.bool_] | NDArray[np.uint8]) -> bytes:
    """Return compressed run lengths of a mask [H, W], non-zero inside."""
    packed: dict[str, Any] = mask_utils.encode(np.asfortranarray(mask, dtype=np.uint8))
    return bytes(packed["counts"])


def decode_mask(rle: bytes, width: int, height: int) -> NDArray[np.uint8]:
    """Return the mask [H, W] uint8, 1 inside, of checked run lengths."""
    return decode_masks([{"size": [height, width], "counts": rle}])[..., 0]


def decode_masks(lengths: list[dict[str, Any]]) -> NDArray[np.uint8]:
    """Decode run lengths of pycocotools to masks [H, W, N] uint8, 1 inside; N slowest in memory."""
    masks: NDArray[np.uint8] = mask_utils.decode(lengths)
    return masks


def rle_box(rle: bytes, width: int, height: int) -> tuple[float, float, float, float]:
    """Return x1 y1 x2 y2 of the mask's extent in pixels; all zero when it is empty."""
    x, y, w, h = (float(v) for v in mask_utils.toBbox({"size": [height, width], "counts": rle}))
    return x, y, x + w, y + h


def mask_area(segmentation: Any, width: int, height: int) -> float:
    """Return the area in pixels of a mask in COCO's format, of a width x height image; 0 without one."""
    if not segmentation:
        return 0.0
    packed = mask_utils.frPyObjects(segmentation, height, width) if isinstance(segmentation, list) else None
    return float(mask_utils.area(mask_utils.merge(packed) if packed else segmentation))
