"""A folder of images that fills up beside the place where it is going to stand, as a `PartFile` does."""

from __future__ import annotations

import contextlib
from pathlib import Path

from model.atomic import replace
from model.errors import SinkError
from pipeline.sinks.files import ENCODINGS
from pipeline.sinks.part_file import cannot_be_written, part_name


class ImageFolder:
    """A new folder, `part`, that takes the place of `path` when it is whole; parents are made as needed.

    With `overwrite` it takes the place of a folder that holds nothing but images of the kinds in `ENCODINGS`;
    these are removed, and only once the new ones have their name. Without, `path` may be an empty folder.
    A link to a folder stays, and what it leads to is replaced.

    Raises SinkError when the folder cannot be made, or when what stands at `path` must not be replaced.
    """

    def __init__(self, path: Path, overwrite: bool = False) -> None:
        self.path = path
        self._overwrite = overwrite
        # a folder without a name of its own, or a link, cannot be renamed
        self._place = path.resolve() if path.is_symlink() or path.name in ("", "..") else path
        with cannot_be_written(path):
            self._refuse_existing()
            self.part = part_name(self._place)
            self.part.mkdir(parents=True)

    def publish(self) -> tuple[str, ...]:
        """Take the place of `path`, and remove what stood there.

        Returns what is left of it and why, if anything is. Raises SinkError; part and old folder stay then.
        """
        try:
            with cannot_be_written(self.path):
                self._refuse_existing()
                old = self._change_places()
        except SinkError as error:
            raise SinkError(f"{error}; the new images are in {self.part}") from error
        return _remove(old) if old else ()

    def discard(self) -> None:
        """Remove the part if it is empty. Never raises."""
        with contextlib.suppress(OSError):
            self.part.rmdir()

    def _refuse_existing(self) -> None:
        if not self._place.exists():
            return
        if not self._place.is_dir():
            raise SinkError(f"{self.path}: is not a folder; choose another name")
        entries = sorted(self._place.iterdir())
        if entries and not self._overwrite:
            raise SinkError(
                f"{self.path}: exists already and is not empty; allow overwriting, or choose another folder"
            )
        if foreign := [entry.name for entry in entries if not _is_image(entry)]:
            more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
            raise SinkError(
                f"{self.path}: only a folder of nothing but {', '.join(ENCODINGS)} files is replaced, "
                f"and this one holds {foreign[0]}{more}; choose another folder"
            )

    def _change_places(self) -> Path | None:
        """Returns where the old folder is now, None where there was none."""
        old = part_name(self._place, "old") if self._place.exists() else None
        if old:
            self._place.rename(old)
        try:
            replace(self.part, self._place)
        except OSError:
            if old:
                old.rename(self._place)
            raise
        return old


def _is_image(entry: Path) -> bool:
    return entry.suffix.lower() in ENCODINGS and entry.is_file() and not entry.is_symlink()


def _remove(folder: Path) -> tuple[str, ...]:
    """Remove a folder of images, but nothing else; what came meanwhile stays in it, and is told of."""
    try:
        for entry in folder.iterdir():
            if _is_image(entry):
                entry.unlink()
        folder.rmdir()
    except OSError as error:
        return (f"what was replaced is still in {folder}: {error.strerror or error}",)
    return ()
