"""What was labelled in an image, so that nothing is learned as background from what nobody labelled."""

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
    """What an image's key says, in the names of its file; `names` is None where it says all of them."""

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
    """The coverage that an image's key states; none, "coco80" and "all" stand for all names.

    "a,b" means all objects of these names; "main a" the most prominent one of them only; a suffix
    " boxes" leaves masks out. Raises ValueError with the reason when the key is no text.
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
    """The coverage of an image of which masks, where there are any, are to be trusted from now on."""
    return text.removesuffix(_BOXES) if isinstance(text, str) else text


def parse_coverage(text: object, source_names: Sequence[str], classes: ClassMap) -> Coverage:
    """The coverage that an image's key states, in terms of the classes learned.

    See `stated_coverage`. Raises ValueError with the reason when the text
    names no known category, or none that is learned: such an image teaches nothing.
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
    """The classes that are labelled when the categories `names` are.

    Where several categories were mapped to one class, all of them must be named.
    """
    labelled = set(names)
    there = {classes.index_of[name] for name in source_names if name in classes.index_of and name in labelled}
    lacking = {
        classes.index_of[name] for name in source_names if name in classes.index_of and name not in labelled
    }
    return frozenset(there - lacking)
