"""Values of command-line arguments: numbers, lists, and KEY=VALUE for settings that are compared."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

from model.checkpoints.catalog import DEFAULT_PROPOSALS
from model.config_limits import LARGEST_INPUT, SMALLEST_INPUT
from model.engines import ENGINES, PRECISIONS
from model.options import NMS_KINDS
from pipeline.sinks.tracks import TRACK_FORMATS
from pipeline.tracking.options import STABILISE_KINDS


def fraction(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return value


def at_least_one(text: str) -> int:
    """A whole number, 1 or more."""
    return _whole_number(text, 1, None)


def zero_or_more(text: str) -> int:
    """A whole number, 0 or more."""
    return _whole_number(text, 0, None)


def input_size(text: str) -> int:
    """A side of the network's input in pixels."""
    return _whole_number(text, SMALLEST_INPUT, LARGEST_INPUT)


def name_list(text: str) -> tuple[str, ...]:
    """Class names with commas between them; a name may hold spaces."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"expected class names with commas between them, got {text!r}")
    return names


def track_formats(text: str) -> tuple[str, ...]:
    """Keys of `TRACK_FORMATS` with commas between them, each once."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if unknown := [name for name in names if name not in TRACK_FORMATS]:
        known = ", ".join(TRACK_FORMATS)
        raise argparse.ArgumentTypeError(
            f"expected any of {known} with commas between them, got {unknown[0]!r}"
        )
    return names


def sharpening(text: str) -> str | None:
    """Weights that sharpen masks: a name or a file; `on` for the usual ones, `off` for none."""
    if text == "off":
        return None
    return DEFAULT_PROPOSALS if text == "on" else _something("on, off, or weights of SharpMask", text)


def frame_rate(text: str) -> str:
    """A frame rate, as a number or a fraction such as 30000/1001; kept as text."""
    try:
        good = 0 < Fraction(text) <= 1000
    except (ValueError, ZeroDivisionError):
        good = False
    if not good:
        raise argparse.ArgumentTypeError(f"expected frames a second, such as 25 or 30000/1001, got {text!r}")
    return text


def positive(text: str) -> float:
    """A finite number over 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number over 0, got {text!r}")
    return value


def tolerance(text: str) -> tuple[str, float]:
    """A name and its limit, such as `ap-loss=0.02`."""
    name, _, value = text.partition("=")
    try:
        return _field(name), float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r}") from None


def _whole_number(text: str, low: int, high: int | None) -> int:
    value = int(text) if text.isascii() and text.isdecimal() else low - 1
    if value < low or (high is not None and value > high):
        wanted = f"of {low} or more" if high is None else f"from {low} to {high}"
        raise argparse.ArgumentTypeError(f"expected a whole number {wanted}, got {text!r}")
    return value


@dataclass(frozen=True)
class Sweep:
    """Several values of one setting, to be measured side by side.

    `key` is a field of `DetectionSettings`, or of `ProposalMeasuring`.
    """

    key: str
    values: tuple[Any, ...]


def sweep(text: str) -> Sweep:
    """A setting and two or more values of it, such as `nms=fast,exact`: the argument of `eval --compare`."""
    key, _, listed = text.partition("=")
    key = _field(key)
    readers = COMPARABLE | PROPOSAL_COMPARABLE
    if key not in readers:
        raise argparse.ArgumentTypeError(
            f"expected KEY=A,B,… with KEY one of {', '.join(readers)}, got {text!r}"
        )
    values = tuple(readers[key](value.strip()) for value in listed.split(","))
    if len(set(values)) != len(values) or len(values) < 2:
        raise argparse.ArgumentTypeError(f"expected two or more different values, got {text!r}")
    return Sweep(key, values)


def combined(sweeps: Sequence[Sweep]) -> dict[str, dict[str, Any]]:
    """Return every combination of the values, by what sets it apart, such as `nms=fast`; "" for no sweep."""
    choices = [[(sweep.key, value) for value in sweep.values] for sweep in sweeps]
    combinations = [dict(one) for one in product(*choices)]
    return {" ".join(f"{key}={_shown(value)}" for key, value in one.items()): one for one in combinations}


def _shown(value: Any) -> str:
    if value is None or value is False:
        return "off"
    return "on" if value is True else str(value)


def changes(text: str) -> dict[str, Any]:
    """Settings of the right side, such as `stabilise=light,image_size=320`: the argument of
    `annotate --compare`. Keys are fields of `DetectionSettings`, those in `CHANGEABLE`.
    """
    found: dict[str, Any] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        key = _field(name)
        if key not in CHANGEABLE or "=" not in part:
            raise argparse.ArgumentTypeError(
                f"expected KEY=VALUE[,KEY=VALUE…] with KEY any of {', '.join(CHANGEABLE)}, got {part!r}"
            )
        if key in found:
            raise argparse.ArgumentTypeError(f"{key} is there twice; one value of it can be compared")
        try:
            found[key] = CHANGEABLE[key](value.strip())
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentTypeError(f"{key}: {error}") from error
    return found


def _field(key: str) -> str:
    return key.strip().replace("-", "_")


def _one_of(names: Collection[str], text: str) -> str:
    if text not in names:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(names)}, got {text!r}")
    return text


def _something(what: str, text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError(f"expected {what}, got nothing")
    return text


# field of DetectionSettings -> how one value of it is read
COMPARABLE: dict[str, Callable[[str], Any]] = {
    "nms": partial(_one_of, NMS_KINDS),
    "image_size": input_size,
    "score_threshold": fraction,
    "device": partial(_something, "the name of a device"),
    "engine": partial(_one_of, ENGINES),
    "precision": partial(_one_of, PRECISIONS),
    "sharpen": sharpening,
}
# field of ProposalMeasuring -> how one value of it is read
PROPOSAL_COMPARABLE: dict[str, Callable[[str], Any]] = {
    "refine": lambda text: _one_of(("on", "off"), text) == "on",
    "zoom": lambda text: _whole_number(text, 0, 2),
    "topn": at_least_one,
    **{key: COMPARABLE[key] for key in ("device", "engine", "precision")},
}
CHANGEABLE: dict[str, Callable[[str], Any]] = {
    "weights": partial(_something, "a file or a name that `models list` shows"),
    "stabilise": partial(_one_of, STABILISE_KINDS),
    "keyframes": at_least_one,
    **{
        key: COMPARABLE[key]
        for key in ("nms", "score_threshold", "image_size", "precision", "engine", "sharpen")
    },
}
