"""Several values of one setting, to be measured side by side: the argument of `eval --compare`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.options import fraction, input_size
from model.engines import ENGINES, PRECISIONS
from model.options import NMS_KINDS


@dataclass(frozen=True)
class Comparison:
    """Several values of one setting; `key` is a keyword of `load_predictor`."""

    key: str
    values: tuple[Any, ...]


def comparison(text: str) -> Comparison:
    """A setting and two or more values of it, such as `nms=fast,exact`."""
    key, _, listed = text.partition("=")
    key = key.strip().replace("-", "_")
    if key not in COMPARABLE:
        raise argparse.ArgumentTypeError(
            f"expected KEY=A,B,… with KEY one of {', '.join(COMPARABLE)}, got {text!r}"
        )
    values = tuple(COMPARABLE[key](value.strip()) for value in listed.split(","))
    if len(set(values)) != len(values) or len(values) < 2:
        raise argparse.ArgumentTypeError(f"expected two or more different values, got {text!r}")
    return Comparison(key, values)


def one_of(names: Collection[str], text: str) -> str:
    """One of these names. Raises ArgumentTypeError on another text."""
    if text not in names:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(names)}, got {text!r}")
    return text


def _device(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("expected the name of a device, got nothing")
    return text


# keyword of load_predictor -> how one value of it is read
COMPARABLE: dict[str, Callable[[str], Any]] = {
    "nms": partial(one_of, NMS_KINDS),
    "image_size": input_size,
    "score_threshold": fraction,
    "device": _device,
    "engine": partial(one_of, ENGINES),
    "precision": partial(one_of, PRECISIONS),
}
