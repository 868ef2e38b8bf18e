"""What is different on the right side of a comparison: the argument of `annotate --compare`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from app.values import COMPARABLE, one_of
from pipeline.tracking.options import STABILISE_KINDS


def changes(text: str) -> dict[str, Any]:
    """Settings and the value that each has on the right side, such as `stabilise=light,image_size=320`.

    The keys are those of `CHANGEABLE`, which are names of the command's own arguments.
    """
    found: dict[str, Any] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        key = name.strip().replace("-", "_")
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


def _weights(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("expected a file or a name that `models list` shows, got nothing")
    return text


# argument of the command -> how its value is read
CHANGEABLE: dict[str, Callable[[str], Any]] = {
    "weights": _weights,
    "stabilise": partial(one_of, STABILISE_KINDS),
    **{key: COMPARABLE[key] for key in ("nms", "score_threshold", "image_size", "precision", "engine")},
}
