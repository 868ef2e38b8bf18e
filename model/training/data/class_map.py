"""Mapping from the category names of a data set to the classes that a network learns."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.errors import ConfigError


class UnknownRenameError(ConfigError):
    """Error for renaming categories that the data set does not have: `names`."""

    def __init__(self, names: Sequence[str], source_names: Sequence[str]) -> None:
        near = _nearest(names[0], source_names)
        super().__init__(f"renaming: the data set has no class {names[0]!r}{near}")
        self.names = frozenset(names)


@dataclass(frozen=True)
class ClassMap:
    """`index_of` maps a data set's category name to a class index; a name that is absent is not learned.

    `class_names` are the network's classes; `labelled` those of them that the data set labels at all,
    None meaning every one.
    """

    class_names: tuple[str, ...]
    index_of: Mapping[str, int]
    labelled: frozenset[int] | None = None


def map_classes(
    source_names: Sequence[str],
    class_names: Sequence[str] | None = None,
    remap: Mapping[str, str] | None = None,
    allow_missing: bool = False,
) -> ClassMap:
    """Map the categories `source_names` of a data set to classes.

    `remap` renames categories, several may become one; `class_names` then selects and orders them, None takes
    all. `allow_missing` accepts classes that this data set does not label (another one will); they count as
    unlabelled in its images, not as absent. Raises ConfigError, with the nearest names, for a name that the
    data set does not have; UnknownRenameError where it is one of `remap`.
    """
    remap = remap or {}
    unknown = [name for name in remap if name not in source_names]
    if unknown:
        raise UnknownRenameError(unknown, source_names)
    renamed = {name: remap.get(name, name) for name in source_names}
    wanted = tuple(dict.fromkeys(renamed.values())) if class_names is None else tuple(class_names)
    if len(set(wanted)) != len(wanted):
        twice = next(name for name in wanted if wanted.count(name) > 1)
        raise ConfigError(f"the class {twice!r} is named twice; name each class once")
    there = set(renamed.values())
    missing = [name for name in wanted if name not in there]
    if missing and (not allow_missing or len(missing) == len(wanted)):
        raise ConfigError(f"the data set has no class {missing[0]!r}{_nearest(missing[0], sorted(there))}")
    number = {name: i for i, name in enumerate(wanted)}
    return ClassMap(
        wanted,
        {source: number[name] for source, name in renamed.items() if name in number},
        frozenset(number[name] for name in wanted if name in there) if missing else None,
    )


def _nearest(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(map(repr, close))}?"
    some = ", ".join(map(repr, names[:8]))
    return f"; it has {some}{', …' if len(names) > 8 else ''}"
