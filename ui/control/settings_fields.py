"""Tables of the settings by name, each with a function that reads its value from JSON.

Such a function raises ValueError with a description of the expected value.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from model.config_limits import LARGEST_INPUT, SMALLEST_INPUT
from model.engines import ENGINES, PRECISIONS
from model.options import MOST_DETECTIONS, NMS_KINDS
from pipeline.settings import BACKGROUNDS
from pipeline.tracking.options import MOST_KEYFRAMES, STABILISE_KINDS

Reader = Callable[[object], Any]
Fields = dict[str, Reader]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("a list of texts")
    return tuple(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _optional(reader: Reader) -> Reader:
    return lambda value: None if value is None else reader(value)


def _one_of(*choices: str) -> Reader:
    def read(value: object) -> str:
        if value not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return str(value)

    return read


def _number(low: float, high: float) -> Reader:
    def read(value: object) -> float:
        # compared as it is: a whole number in JSON may be too large for a float
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return float(value)

    return read


def _whole(low: int, high: int) -> Reader:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return value

    return read


def _colour(value: object) -> tuple[int, int, int]:
    channel = _whole(0, 255)
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError("three numbers from 0 to 255")
    blue, green, red = map(channel, value)
    return blue, green, red


def _path(value: object) -> Path:
    return Path(_text(value))


DETECTION_FIELDS: Fields = {
    "weights": _optional(_text),
    "engine": _one_of("auto", *ENGINES),
    "device": _text,
    "precision": _one_of("auto", *PRECISIONS),
    "image_size": _optional(_whole(SMALLEST_INPUT, LARGEST_INPUT)),
    "score_threshold": _optional(_number(0, 1)),
    "max_detections": _whole(1, MOST_DETECTIONS),
    "nms": _one_of(*NMS_KINDS),
    "classes": _optional(_texts),
    "min_mask_region": _number(0, 1),
    "sharpen": _optional(_text),
    "stabilise": _one_of(*STABILISE_KINDS),
    "keyframes": _whole(1, MOST_KEYFRAMES),
    "reuse_still": _flag,
}

DISPLAY_FIELDS: Fields = {
    "masks": _flag,
    "outlines": _flag,
    "boxes": _flag,
    "labels": _flag,
    "show_fps": _flag,
    "opacity": _number(0, 1),
    "colour_by": _one_of("instance", "class"),
    "background": _one_of(*BACKGROUNDS),
    "background_colour": _colour,
    "background_picture": _optional(_path),
    "privacy": _flag,
}

WINDOW_FIELDS: Fields = {
    "recent": _texts,
    "output": _text,
    "record_json": _flag,
    "camera_mode": _text,
    "colours": _one_of("system", "light", "dark"),
    "panels": _optional(_texts),
    "layout": _text,
}
