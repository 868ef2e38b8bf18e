"""What was labelled in an image, so that nothing is learned as background from what nobody labelled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model.training.class_map import ClassMap

_EVERYTHING = frozenset({"coco80", "all"})
_MAIN = "main "
_BOXES = " boxes"


@dataclass(frozen=True)
class Coverage:
    """`labelled`: indices of the labelled classes, None for all; `exhaustive`: whether all their objects
    are; `masks`: whether the segmentation is to be trusted, or the boxes alone."""

    labelled: frozenset[int] | None
    exhaustive: bool = True
    masks: bool = True


def parse_coverage(text: object, source_names: Sequence[str], classes: ClassMap) -> Coverage:
    """The coverage that an image's key states, in terms of the classes learned.

    None and "coco80" mean all of the file's categories. Raises ValueError with the reason when the text
    names no known category, or none that is learned: such an image teaches nothing.
    """
    if text is None or text in _EVERYTHING:
        return Coverage(classes.labelled)
    if not isinstance(text, str):
        raise ValueError(f"image of a coverage that is not understood: {text!r}")
    exhaustive, masks = not text.startswith(_MAIN), not text.endswith(_BOXES)
    names = [name.strip() for name in text.removeprefix(_MAIN).removesuffix(_BOXES).split(",")]
    if not set(names) <= set(source_names):
        raise ValueError(f"image of a coverage that is not understood: {text!r}")
    labelled = named_classes(names, source_names, classes)
    if not labelled:
        raise ValueError("image in which none of the classes was labelled")
    return Coverage(None if len(labelled) == len(classes.class_names) else labelled, exhaustive, masks)


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
