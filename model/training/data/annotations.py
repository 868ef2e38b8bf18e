"""Labels of a data set, independent of its format, and a record of the labels left out.

Coordinates are pixels of the image as it is decoded (see `ImageRecord.upright`), continuous, with (0, 0)
at the outer corner of the top left pixel; boxes are x1 y1 x2 y2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import DataError

EXAMPLES_SHOWN = 3


@dataclass(frozen=True, eq=False, slots=True)
class Instance:
    """One labelled object, or with `crowd` a region of many that are not told apart.

    box: x1 y1 x2 y2, inside the image; class_index: into the set's `class_names`; the mask is either
    `polygons`, each [n, 2] float32 (x, y), or `rle`, the compressed run lengths of COCO at the image's
    size, or neither when only the box is known.
    """

    box: tuple[float, float, float, float]
    class_index: int
    polygons: tuple[NDArray[np.float32], ...] = ()
    rle: bytes | None = None
    crowd: bool = False

    @property
    def has_mask(self) -> bool:
        """True if there are polygons or run lengths."""
        return bool(self.polygons) or self.rle is not None


@dataclass(frozen=True, eq=False, slots=True)
class ImageRecord:
    """One image file and its labels.

    `labelled` holds the indices of the classes that were labelled here, None meaning all of them;
    `exhaustive` is False when objects of those classes may be there without a label; `upright` says that
    the labels belong to the image as turned by its EXIF orientation, not as stored.
    """

    path: Path
    width: int
    height: int
    instances: tuple[Instance, ...]
    labelled: frozenset[int] | None = None
    exhaustive: bool = True
    upright: bool = True

    @property
    def name(self) -> str:
        """The file's name, for messages."""
        return self.path.name


@dataclass(frozen=True)
class Skipped:
    """Number of labels or images left out for one reason, with the first names."""

    reason: str
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.examples) else ""
        return f"{self.count} × {self.reason} ({', '.join(self.examples)}{more})"


class SkipLog:
    """Collects what a reader leaves out, to be reported once at the start."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        """Count one item; `name` is a file or annotation that a user can find."""
        self._counts[reason] += 1
        examples = self._examples.setdefault(reason, [])
        if len(examples) < EXAMPLES_SHOWN and name not in examples:
            examples.append(name)

    def report(self) -> tuple[Skipped, ...]:
        """Return what was left out, the most frequent reason first."""
        return tuple(Skipped(r, n, tuple(self._examples[r])) for r, n in self._counts.most_common())


@dataclass(frozen=True, eq=False)
class AnnotationSet:
    """Images of a data set with their labels.

    `weights` holds one sampling weight an image (any positive scale), None where all count the same;
    `renamed` the data set's own names of the classes that were renamed.
    """

    name: str
    class_names: tuple[str, ...]
    images: tuple[ImageRecord, ...]
    skipped: tuple[Skipped, ...] = ()
    weights: tuple[float, ...] | None = None
    renamed: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.images)

    def summary(self) -> tuple[str, ...]:
        """Return lines of text: the contents, then what was left out and why."""
        instances = [instance for image in self.images for instance in image.instances]
        masks = sum(i.has_mask and not i.crowd for i in instances)
        crowds = sum(i.crowd for i in instances)
        empty = sum(not image.instances for image in self.images)
        partly = sum(image.labelled is not None or not image.exhaustive for image in self.images)
        return (
            f"{self.name}: {len(self.images)} images ({empty} without objects, {partly} labelled in part), "
            f"{len(instances) - crowds} objects ({masks} with a mask), {crowds} crowds",
            *(f"{self.name}: left out {skipped}" for skipped in self.skipped),
        )


def finished_set(
    name: str, class_names: tuple[str, ...], images: Sequence[ImageRecord], log: SkipLog
) -> AnnotationSet:
    """Return the set of a reader's images. Raises DataError when it has no image or no object."""
    told = "; ".join(map(str, log.report()))
    why = f"; left out: {told}" if told else ""
    if not images:
        raise DataError(f"{name}: no image of it can be used{why}")
    if not any(image.instances for image in images):
        raise DataError(
            f"{name}: not one object of the classes {_listed(class_names)} is labelled in its "
            f"{len(images)} images{why}"
        )
    return AnnotationSet(name, class_names, tuple(images), log.report())


def join(sets: Sequence[AnnotationSet], weights: Sequence[float] | None = None) -> AnnotationSet:
    """Join several data sets.

    With `weights`, one positive number a set, a set is drawn from in proportion to its weight, whatever
    its size; without, in proportion to its size. Weights within a set keep their proportions. Raises
    DataError when the sets' classes differ, or the weights do not fit.
    """
    if not sets:
        raise DataError("no data set was given to join")
    names = sets[0].class_names
    for other in sets[1:]:
        if other.class_names != names:
            raise DataError(
                f"{sets[0].name} has the classes {_listed(names)}, {other.name} has "
                f"{_listed(other.class_names)}; read both with the same class names to join them"
            )
    if weights is not None and (len(weights) != len(sets) or not all(w > 0 for w in weights)):
        raise DataError(f"expected {len(sets)} positive weights, one a data set, got {list(weights)}")
    joined = AnnotationSet(
        " + ".join(s.name for s in sets),
        names,
        tuple(image for s in sets for image in s.images),
        sets[0].skipped if len(sets) == 1 else tuple(_skipped_by_name(sets)),
    )
    if weights is None and all(s.weights is None for s in sets):
        return joined
    totals = [float(len(s)) for s in sets] if weights is None else weights
    shares = (_scaled_weights(s, total) for s, total in zip(sets, totals, strict=True))
    return replace(joined, weights=tuple(weight for share in shares for weight in share))


def _skipped_by_name(sets: Sequence[AnnotationSet]) -> Iterator[Skipped]:
    for one in sets:
        for skip in one.skipped:
            yield replace(skip, reason=f"{one.name}: {skip.reason}")


def _scaled_weights(one: AnnotationSet, total: float) -> list[float]:
    own = one.weights or (1.0,) * len(one)
    factor = total / sum(own)
    return [weight * factor for weight in own]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown}, … ({len(names)} in all)"
