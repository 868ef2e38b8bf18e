"""Label coverage of images: classes that were not labelled are not learned as background."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from model.training.data.class_map import ClassMap

_EVERYTHING = frozenset({"coco80", "all"})
_MAIN = "main "
_BOXES = " boxes"


@dataclass(frozen=True)
class StatedCoverage:
    """Coverage as an image's key states it, by category names; `names` is None for all categories."""

    names: frozenset[str] | None = None
    exhaustive: bool = True
    masks: bool = True


@dataclass(frozen=True)
class Coverage:
    """`labelled`: indices of the labelled classes, None for all; `exhaustive`: whether all their objects
    are; `masks`: whether the segmentation is to be trusted, or the boxes alone."""

    labelled: frozenset[int] | None
    exhaustive: bool = True
    masks: bool = True


def stated_coverage(text: object) -> StatedCoverage:
    """Parse the coverage of an image; None, "coco80" and "all" stand for all names.

    "a,b" means all objects of these names; "main a" only the most prominent ones; a suffix " boxes" that
    masks are not reliable. Raises ValueError with the reason when the key is not text.
    """
    if text is None:
        return StatedCoverage()
    if not isinstance(text, str):
        raise ValueError(f"image of a coverage that is not understood: {text!r}")
    if text in _EVERYTHING:
        return StatedCoverage()
    names = text.removeprefix(_MAIN).removesuffix(_BOXES).split(",")
    return StatedCoverage(
        frozenset(name.strip() for name in names), not text.startswith(_MAIN), not text.endswith(_BOXES)
    )


def with_masks(text: Any) -> Any:
    """Return a coverage without its suffix " boxes": masks are reliable from now on."""
    return text.removesuffix(_BOXES) if isinstance(text, str) else text


def parse_coverage(text: object, source_names: Sequence[str], classes: ClassMap) -> Coverage:
    """Parse the coverage of an image, in terms of the classes learned; see `stated_coverage`.

    Raises ValueError with the reason when the text names an unknown category, or none that is learned.
    """
    stated = stated_coverage(text)
    if stated.names is None:
        return Coverage(classes.labelled)
    if not stated.names <= set(source_names):
        raise ValueError(f"image of a coverage that is not understood: {text!r}")
    labelled = named_classes(stated.names, source_names, classes)
    if not labelled:
        raise ValueError("image in which none of the classes was labelled")
    return Coverage(
        None if len(labelled) == len(classes.class_names) else labelled, stated.exhaustive, stated.masks
    )


def named_classes(names: Iterable[str], source_names: Iterable[str], classes: ClassMap) -> frozenset[int]:
    """Return the classes that are labelled when the categories `names` are.

    Where several categories were mapped to one class, all of them must be named.
    """
    labelled = set(names)
    there = {classes.index_of[name] for name in source_names if name in classes.index_of and name in labelled}
    lacking = {
        classes.index_of[name] for name in source_names if name in classes.index_of and name not in labelled
    }
    return frozenset(there - lacking)
