"""Parse single values of a COCO json as different labelling tools write them.

Clear deviations are repaired: numbers as text, a polygon without its list, run lengths as text of bytes.
For all others a ValueError tells why they cannot be used.
"""

from __future__ import annotations

import ast
import json
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.training.data.rle import checked_rle, rle_box

Id = int | str
Box = tuple[float, float, float, float]
Polygon = NDArray[np.float64]

_FLAGS = {"false": False, "true": True}
# as str() writes a whole number, or as a table's column of floats does; "007" may be a name
_WHOLE = re.compile(r"(-?(?:0|[1-9]\d{0,17}))(?:\.0+)?")


@dataclass(frozen=True, eq=False, slots=True)
class Mask:
    """Polygons, each [n, 2] (x, y) in pixels, or compressed run lengths, or neither.

    `strays` counts outlines of one or two points, or without width or height, which are ignored.
    """

    polygons: tuple[Polygon, ...] = ()
    rle: bytes | None = None
    strays: int = 0


def parse_id(value: Any) -> Id | None:
    """Parse an id: an integer, also written as 1.0 or as text, or else text; None for no id."""
    if isinstance(value, str):
        whole = _WHOLE.fullmatch(value.strip())
        return int(whole[1]) if whole else value or None
    return parse_whole(value)


def parse_whole(value: Any) -> int | None:
    """Parse an integer, also written as 1.0 or as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        whole = _WHOLE.fullmatch(value.strip())
        return int(whole[1]) if whole else None
    return int(value) if isinstance(value, float) and value.is_integer() else None


def parse_number(value: Any) -> float | None:
    """Parse a finite number, also written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def parse_crowd(value: Any) -> bool:
    """Parse `iscrowd`; an empty value means False. Raises ValueError with the reason."""
    if isinstance(value, str):
        value = _FLAGS.get(value.strip().lower(), value)
    flag = int(value or 0) if value is None or isinstance(value, bool) else parse_whole(value)
    if flag not in (0, 1):
        raise ValueError("annotation whose iscrowd is neither 0 nor 1")
    return bool(flag)


def parse_box(value: Any) -> Box:
    """Parse x, y, width, height in pixels, with sides over 0. Raises ValueError with the reason."""
    value = _of_text(value)
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError("annotation with neither a mask nor a box")
    x, y, width, height = (parse_number(side) for side in value)
    if x is None or y is None or width is None or height is None:
        raise ValueError("box that is not of finite numbers")
    if min(width, height) <= 0:  # the corner that a negative side starts from is unknown
        raise ValueError("object less than a pixel wide or high, or outside the image")
    return x, y, width, height


def parse_mask(value: Any, width: int, height: int) -> Mask:
    """Parse a segmentation of a width x height image. Raises ValueError with the reason."""
    value = _of_text(value)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0]  # run lengths within a list, like outlines
    if not value:
        return Mask()
    if isinstance(value, dict):
        rle = checked_rle(_plain_run_lengths(value), width, height)
        if not any(rle_box(rle, width, height)):
            raise ValueError("mask without a pixel")
        return Mask(rle=rle)
    outlines = [outline for outline in _outlines(value) if len(outline)]
    # far outside the image the place of a corner does not matter, but long outlines take long to draw
    low, high = (-width, -height), (2 * width, 2 * height)
    polygons = tuple(p.reshape(-1, 2).clip(low, high) for p in outlines if _has_extent(p))
    if outlines and not polygons:
        flat = any(len(outline) >= 6 for outline in outlines)
        raise ValueError(f"polygon {'without width or height' if flat else 'of fewer than three points'}")
    return Mask(polygons, strays=len(outlines) - len(polygons))


def _has_extent(outline: Polygon) -> bool:
    """Return whether an outline of x, y, x, y, … has at least three points, a width and a height."""
    return len(outline) >= 6 and all(outline[axis::2].min() < outline[axis::2].max() for axis in (0, 1))


def _of_text(value: Any) -> Any:
    """Parse text as json, as tables of text hold it; return anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _outlines(value: Any) -> list[Polygon]:
    """Return outlines as x, y, x, y, …, from a list of them or a single one, also of [x, y] points."""
    if not isinstance(value, list):
        raise ValueError("segmentation is malformed")
    try:
        parts = [np.asarray(part, np.float64) for part in value]
    except (TypeError, ValueError, OverflowError):
        raise ValueError("segmentation is malformed") from None
    if all(part.ndim == 0 for part in parts):
        parts = [np.array(parts)]
    elif len(parts) > 2 and all(part.shape == (2,) for part in parts):
        parts = [np.concatenate(parts)]
    parts = [part.reshape(-1) if part.ndim == 2 and part.shape[1] == 2 else part for part in parts]
    if any(part.ndim != 1 or len(part) % 2 or not np.isfinite(part).all() for part in parts):
        raise ValueError("segmentation is malformed")
    return parts


def _plain_run_lengths(value: dict[str, Any]) -> dict[str, Any]:
    """Convert run lengths written as floats or text to integers, and text of bytes (`b'…'`) to bytes."""
    counts, size = value.get("counts"), value.get("size")
    if isinstance(size, list):
        size = [parse_whole(side) for side in size]
    if isinstance(counts, list):
        whole = [parse_whole(count) for count in counts]
        counts = counts if None in whole else whole
    elif isinstance(counts, str) and counts[:2] in ("b'", 'b"'):  # no run length has a quotation mark
        try:
            counts = ast.literal_eval(counts)
        except (ValueError, SyntaxError):
            raise ValueError("run lengths are malformed") from None
    return {"size": size, "counts": counts}
