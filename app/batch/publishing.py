"""Outputs get their final names: synced, digested, renamed, and only then recorded."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from app.batch.records import MadeOutput, PlannedVideo
from app.batch.store import BatchFolder, sync_folder
from model.atomic import sync
from model.errors import SinkError
from pipeline.sinks.part_file import cannot_be_written


def sealed(video: PlannedVideo, work: Path) -> tuple[MadeOutput, ...]:
    """Bring a video's outputs below `work` to the disk and return their digests. Raises SinkError."""
    return tuple(_sealed(work, path) for _, path in video.outputs)


def publish(video: PlannedVideo, work: Path, folder: BatchFolder) -> None:
    """Give outputs that were sealed their names; what stands there is replaced. Raises SinkError.

    Records of the same video under other keys go first, for it is their outputs that are replaced.
    """
    record = folder.finished(video.key)
    older = [one for one in record.parent.glob(f"{video.key.partition('-')[0]}-*.json") if one != record]
    for one in older:
        one.unlink(missing_ok=True)
    if older:
        sync_folder(record.parent)
    for number, (_, path) in enumerate(video.outputs):
        made, final = work / path, folder.out / path
        with cannot_be_written(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            if made.is_dir() and final.is_dir():  # no system replaces a folder that holds files in one step
                final.rename(work / f"replaced-{number}")
            made.replace(final)
            sync_folder(final.parent)


def seen(out: Path, path: str) -> MadeOutput | None:
    """Return the digest of an output as it is now; None where it is not there. Raises OSError."""
    place = out / path
    return _digested(place, path) if place.exists() else None


def size_of(place: Path) -> int | None:
    """Return the bytes of a file, or of all files of a folder; None where there is none."""
    try:
        if place.is_dir():
            return sum(one.stat().st_size for one in _files(place))
        return place.stat().st_size
    except OSError:
        return None


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, as far as it goes."""
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)


def _sealed(work: Path, path: str) -> MadeOutput:
    place = work / path
    if not place.exists():
        raise SinkError(f"{path}: was to be made, and is not there")
    with cannot_be_written(place):
        for file in _files(place) if place.is_dir() else (place,):
            with file.open("rb+") as opened:
                sync(opened)
        if place.is_dir():
            sync_folder(place)
        return _digested(place, path)


def _digested(place: Path, path: str) -> MadeOutput:
    if not place.is_dir():
        return MadeOutput(path, place.stat().st_size, _sha256(place))
    files = {one.relative_to(place).as_posix(): one for one in _files(place)}
    content = json.dumps({name: _sha256(one) for name, one in files.items()}, sort_keys=True)
    size = sum(one.stat().st_size for one in files.values())
    return MadeOutput(path, size, hashlib.sha256(content.encode(errors="surrogateescape")).hexdigest())


def _files(folder: Path) -> Iterator[Path]:
    return (one for one in sorted(folder.rglob("*")) if one.is_file())


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
