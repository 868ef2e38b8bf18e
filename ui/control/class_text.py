"""Texts about classes and about the weights' own score thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from model.config import DEFAULT_THRESHOLD
from pipeline.live.events import Loaded

MOST_NAMED = 3
OWN = "own"


def own_thresholds(loaded: Loaded | None, classes: Sequence[str] | None = None) -> dict[str, float]:
    """Return the weights' own threshold, 0..1, of each class by its name; empty if unknown.

    classes: names to include, None for all; all too if the weights know none of them
    """
    if loaded is None or not loaded.class_thresholds:
        return {}
    own = dict(zip(loaded.class_names, loaded.class_thresholds, strict=True))
    return {name: own[name] for name in classes or () if name in own} or own


def common_threshold(own: Mapping[str, float]) -> float:
    """Return the median of the thresholds, rounded to two places; the default without any."""
    return round(median(own.values()), 2) if own else DEFAULT_THRESHOLD


def threshold_text(score_threshold: float | None, own: Mapping[str, float]) -> str:
    """Return a text that names the thresholds in use."""
    if score_threshold is not None:
        return f"In force: {score_threshold:.2f} for every class."
    if not own:
        return "In force: the weights' own threshold for each class."
    least, most = (choose(own, key=lambda name: own[name]) for choose in (min, max))
    if f"{own[least]:.2f}" == f"{own[most]:.2f}":
        each = "" if len(own) == 1 else ", the same for each class"
        return f"In force: the weights' own, {own[least]:.2f}{each}."
    return f"In force: the weights' own, from {own[least]:.2f} ({least}) to {own[most]:.2f} ({most})."


def abbreviated(names: Sequence[str]) -> str:
    """Return the first names as a list, and the number of the others."""
    rest = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def unknown_classes(chosen: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """Return the chosen classes that are not among the known ones."""
    return tuple(name for name in chosen or () if name not in known)
