"""Texts about the two sides of a comparison and their stability scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from model.checkpoints.catalog import DEFAULT_WEIGHTS
from pipeline.live.network.comparison import ComparisonStatus
from pipeline.settings import DetectionSettings
from pipeline.stability.pair_score import RunningScore

SIDES = ("A", "B")
SAME = "as A"
PRIVATE = "Nothing is compared while people are hidden: one side could show whom the other one hides."
_DASH = "–"


def _weights(settings: DetectionSettings) -> str:
    name = settings.weights or DEFAULT_WEIGHTS
    return Path(name).name


def _size(settings: DetectionSettings) -> str:
    return "own input size" if settings.image_size is None else f"input {settings.image_size} px"


def _score(settings: DetectionSettings) -> str:
    if settings.score_threshold is None:
        return "own score for each class"
    return f"score over {settings.score_threshold:.2f}"


# the settings in which sides can differ, each as text
PARTS: tuple[Callable[[DetectionSettings], str], ...] = (
    lambda settings: f"stabiliser {settings.stabilise}",
    _score,
    lambda settings: f"{settings.nms} NMS",
    _weights,
    _size,
)


def side_text(settings: DetectionSettings) -> str:
    """Return all settings of one side as text."""
    return ", ".join(part(settings) for part in PARTS)


def differing(left: DetectionSettings, right: DetectionSettings) -> tuple[str, str]:
    """Return the settings in which both sides differ, a text for each; "as A" on the right if none do."""
    parts = [part for part in PARTS if part(left) != part(right)]
    if not parts:
        return side_text(left), SAME
    return ", ".join(part(left) for part in parts), ", ".join(part(right) for part in parts)


# the scores of a side: label, explanation, and a function that returns the text
FIGURES: tuple[tuple[str, str, Callable[[RunningScore], str]], ...] = (
    ("Jitter", "Difference of masks from the previous frame, corrected for motion; 0 is perfectly still",
     lambda score: _figure(score.jitter)),
    ("At the boundary", "The same in a band along the masks' edges",
     lambda score: _figure(score.boundary_jitter)),
    ("Gaps", "Number of times that an instance came back after a gap", lambda score: str(score.gaps)),
    ("Id changes", "Number of times that an instance got another id", lambda score: str(score.id_changes)),
    ("Coverage", "Share of frames with a detection: without any, a side would seem perfectly still",
     lambda score: f"{score.coverage:.0%}"),
)  # fmt: skip


def score_text(score: RunningScore | None) -> str:
    """Return the score of one side as a line."""
    if score is None:
        return "being measured …"
    parts = (f"jitter {_figure(score.jitter)}", f"boundary {_figure(score.boundary_jitter)}",
             _count(score.gaps, "gap"), _count(score.id_changes, "id change"))  # fmt: skip
    return f"{' · '.join(parts)} · coverage {score.coverage:.0%}"


def status_text(status: ComparisonStatus, wanted: bool) -> str:
    """Return the state of a comparison as text; "" while it runs normally or is switched off."""
    if not wanted:
        return ""
    if status.state == "failed":
        return f"The comparison failed: {status.problem}"
    if status.state == "on" and status.left == status.right:
        return "Both sides are the same: choose a setting that differs."
    return _STATES.get(status.state, "")


_STATES = {
    "off": "It begins with the next picture.",
    "waiting": "It begins once a source is open and a network is loaded.",
    "private": PRIVATE,
    "loading": "The other network is being loaded …",
}


def _figure(value: float | None) -> str:
    return _DASH if value is None else f"{value:.3f}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
