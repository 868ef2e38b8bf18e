"""The inputs of `annotate`: photographs, and everything that becomes a video."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model.errors import ConfigError, LiveMaskError
from pipeline.sources import kind_of
from pipeline.sources.addresses import redacted
from pipeline.sources.images import find_media
from pipeline.sources.searching import counted_by_kind


@dataclass(frozen=True)
class VideoInput:
    """One source of frames that belong together.

    kind:   a key of `pipeline.sources.SOURCES`
    text:   what opens it: a path, an address (maybe with a password: never show it), a camera
    images: the pictures, in their order, where kind is "images"
    """

    kind: str
    text: str = field(repr=False)
    images: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """Name for messages, without secrets."""
        return redacted(self.text)

    @property
    def is_live(self) -> bool:
        """True for a camera or a stream, whose frames come by themselves."""
        return self.kind in ("camera", "stream")

    @property
    def path(self) -> Path | None:
        """The file, where it is one."""
        return Path(self.text) if self.kind == "video" else None

    @property
    def stem(self) -> str:
        """The stem of the names of its outputs."""
        if self.kind in ("video", "images"):
            return Path(self.text).stem or "images"
        plain = "".join(c if c.isalnum() else "-" for c in self.name.partition("://")[2] or self.name)
        return (f"camera-{plain}" if plain.isdecimal() else plain.strip("-")) or "stream"


@dataclass
class Inputs:
    """Inputs of a command, each once, in their order.

    folders:  those that were searched; an output there would be taken for an input the next time
    failures: what stands for nothing, and why
    notes:    what was found and is not taken, in a line for each folder
    below:    the subfolder that a file was found in, relative to the folder that was searched
    """

    photos: list[Path] = field(default_factory=list)
    videos: list[VideoInput] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    below: dict[Path, Path] = field(default_factory=dict)


def gather(arguments: Sequence[str], recursive: bool = False) -> Inputs:
    """Return the inputs that arguments name; `recursive`: search the subfolders of folders too.

    Raises ConfigError on an empty one, and on an unknown scheme."""
    inputs = Inputs()
    known: set[str] = set()
    for argument in arguments:
        if not argument:
            raise ConfigError("an input has no name (a variable that is not set?)")
        kind = kind_of(argument)
        if kind in ("camera", "stream"):
            if argument not in known:
                inputs.videos.append(VideoInput(kind, argument))
            known.add(argument)
        else:
            _gather_files(argument, inputs, known, recursive)
    return inputs


def _gather_files(argument: str, inputs: Inputs, known: set[str], recursive: bool) -> None:
    try:
        found = find_media(argument, recursive)
    except LiveMaskError as error:
        inputs.failures.append(str(error))
        return
    if Path(argument).is_dir():
        folder = Path(argument)
        inputs.folders.append(folder)
        if recursive:
            inputs.below |= {p: p.parent.relative_to(folder) for p in (*found.images, *found.videos)}
            inputs.folders.extend(dict.fromkeys(path.parent for path in inputs.below))
    elif not Path(argument).exists():  # a pattern: it may match in each folder that it matched in
        inputs.folders.extend({path.parent: None for path in (*found.images, *found.videos)})
    if found.left:
        many = f"{len(found.left)} file" + "s" * (len(found.left) > 1)
        inputs.notes.append(
            f"{argument}: {many} left out, no picture and no video by name: {counted_by_kind(found.left)}"
        )
    inputs.photos.extend(_new(found.images, known))
    inputs.videos.extend(VideoInput("video", str(path)) for path in _new(found.videos, known))


def _new(paths: Iterable[Path], known: set[str]) -> Iterator[Path]:
    """Yield the paths that are not known yet, and note them. Links are files of their own."""
    for path in paths:
        identity = os.path.abspath(path)  # noqa: PTH100  (Path.resolve would follow links)
        if identity not in known:
            known.add(identity)
            yield path
