"""Where each annotated photograph goes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.errors import ConfigError
from pipeline.sinks.files import ENCODINGS
from pipeline.sources.images import IMAGE_SUFFIXES


@dataclass(frozen=True)
class Job:
    """One photograph and the files to make of it; `record` is None where no json is wanted."""

    source: Path
    image: Path
    record: Path | None

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The files to make."""
        return (self.image,) if self.record is None else (self.record, self.image)


def plan_jobs(sources: Sequence[Path], out: Path, with_json: bool) -> list[Job]:
    """A job for each source, in their order, each with output names of its own.

    `out` is a folder, or the output file when it has the suffix of an image and there is one source. In a
    folder an image keeps its name, JPEG stays JPEG and all else becomes PNG; a name that an earlier source
    has taken gets a number (`a.jpg`, `a-2.jpg`). The json file stands beside the image and shares its stem.

    Raises ConfigError when `out` cannot serve, or when a source would be written over.
    """
    if _is_output_file(out):
        images = [_single_output(sources, out)]
    elif out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file, expected a folder (or a name ending in .jpg or .png)")
    else:
        images = _names_in_folder(sources, out)
    jobs = [
        Job(source, image, image.with_suffix(".json") if with_json else None)
        for source, image in zip(sources, images, strict=True)
    ]
    _protect_sources(sources, jobs)
    return jobs


def _is_output_file(out: Path) -> bool:
    return out.suffix.lower() in IMAGE_SUFFIXES and not out.is_dir()


def _single_output(sources: Sequence[Path], out: Path) -> Path:
    if out.suffix.lower() not in ENCODINGS:
        raise ConfigError(f"{out}: images are written as {', '.join(ENCODINGS)}, not {out.suffix}")
    if len(sources) != 1:
        raise ConfigError(f"{out} names one image, but there are {len(sources)} to write; name a folder")
    return out


def _names_in_folder(sources: Sequence[Path], out: Path) -> list[Path]:
    taken: set[str] = set()
    images = []
    for source in sources:
        suffix = source.suffix if source.suffix.lower() in ENCODINGS else ".png"
        stem = _free_stem(source.stem, taken)
        taken.add(stem.casefold())
        images.append(out / f"{stem}{suffix}")
    return images


def _free_stem(stem: str, taken: set[str]) -> str:
    """The stem, numbered when it is taken; case is ignored, as some file systems ignore it."""
    numbered = (f"{stem}-{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([stem], numbered) if name.casefold() not in taken)


def _protect_sources(sources: Sequence[Path], jobs: Sequence[Job]) -> None:
    known = {_identity(source) for source in sources if source.exists()}
    for path in itertools.chain.from_iterable(job.outputs for job in jobs):
        if path.exists() and _identity(path) in known:
            raise ConfigError(f"{path} is one of the inputs and would be written over; choose another OUT")


def _identity(path: Path) -> tuple[int, int]:
    """What tells files apart, by whatever name or link they are reached."""
    status = path.stat()
    return status.st_dev, status.st_ino
