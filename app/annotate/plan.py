"""The output of each input; outputs that cannot be made are refused before any work."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from app.annotate.inputs import Inputs, VideoInput
from model.errors import ConfigError
from pipeline.sinks.files import ENCODINGS
from pipeline.sinks.formats import CONTAINERS
from pipeline.sinks.tracks import TRACK_FORMATS
from pipeline.sources.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES

VIDEO_OUTPUTS = tuple(CONTAINERS)
LINES = ".jsonl"
MARK = "_masks"


@dataclass(frozen=True)
class Job:
    """One photograph and the files to make of it; `record` is None where no json is wanted."""

    source: Path
    image: Path
    record: Path | None

    @property
    def name(self) -> str:
        """Name for messages."""
        return str(self.source)

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The files to make."""
        return (self.image,) if self.record is None else (self.record, self.image)


@dataclass(frozen=True)
class VideoJob:
    """One source of frames and what to make of it: a video, a folder of frames, JSON lines, tracks.

    tracks: keys of `TRACK_FORMATS`, each with its file
    """

    source: VideoInput
    video: Path | None
    frames: Path | None
    record: Path | None
    tracks: tuple[tuple[str, Path], ...] = ()

    @property
    def name(self) -> str:
        """Name for messages."""
        return self.source.name

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The files and folders to make."""
        main = (self.record, *(path for _, path in self.tracks), self.video, self.frames)
        return tuple(path for path in main if path is not None)


@dataclass(frozen=True)
class Wanted:
    """The kinds of outputs that are wanted, and their place.

    out:     OUT as it was given; None for the current folder
    as_:     "video", "images" or "json": what becomes of the frames of a video
    records: json beside every output
    trace:   a file that is written beside all others, or None
    tracks:  formats of tracks, keys of `TRACK_FORMATS`, to be written beside what becomes of a video
    mark:    what the name of a video's output has behind that of the video
    """

    out: Path | None
    as_: str
    records: bool
    trace: Path | None = None
    tracks: tuple[str, ...] = ()
    mark: str = MARK


AnyJob = TypeVar("AnyJob", Job, VideoJob)


def plan(inputs: Inputs, wanted: Wanted) -> tuple[list[Job], list[VideoJob]]:
    """Return a job for each photograph and for each video, in their order, no two with one output.

    In a folder a photograph keeps its name (JPEG stays JPEG, all else becomes PNG, a name that is taken gets
    a number: `a.jpg`, `a-2.jpg`, and a note in `inputs` tells it); a video becomes `STEM_masks.mp4`. What was
    found in subfolders goes into subfolders of the same names. Where OUT is a video file, the inputs are
    one video, or photographs that become its frames. Json and tracks have the name of what they go with.

    Raises ConfigError when OUT cannot serve, when two videos would have one output, when an input would be
    written over (also by way of a link), or when an output would lie in a folder that is searched.
    """
    out = wanted.out
    if out is not None and not out.is_dir():
        _refuse_odd_names(out, wanted)
    if out is not None and out.suffix.lower() in (*VIDEO_OUTPUTS, LINES) and not out.is_dir():
        photos, videos = [], [_single_video(inputs, out, wanted)]
    else:
        photos = _plan_photos(inputs, wanted)
        videos = _plan_videos(inputs, wanted)
    _check(inputs, photos, videos, wanted.trace)
    return photos, videos


def _refuse_odd_names(out: Path, wanted: Wanted) -> None:
    """Refuse what would become a folder though it reads like a file of a kind that is not written."""
    suffix = out.suffix.lower()
    if str(out) == "-":
        raise ConfigError("outputs are files; the standard output cannot be one")
    if suffix in VIDEO_SUFFIXES and suffix not in VIDEO_OUTPUTS:
        raise ConfigError(f"{out}: videos are written as {', '.join(VIDEO_OUTPUTS)}, not {suffix}")
    if suffix in (".csv", ".txt"):
        raise ConfigError(
            f"{out}: tracks are written beside the output by --tracks-as; name a folder or a video"
        )
    if suffix == ".json" or (suffix == LINES and wanted.as_ != "json"):
        raise ConfigError(
            f"{out}: detections are written beside the output by --json, or alone by --as json -o NAME{LINES}"
        )


def _single_video(inputs: Inputs, out: Path, wanted: Wanted) -> VideoJob:
    kinds = {"video": VIDEO_OUTPUTS, "json": (LINES,)}
    if out.suffix.lower() not in kinds.get(wanted.as_, ()):
        raise ConfigError(f"{out} does not go with --as {wanted.as_}; name a folder")
    if inputs.photos and not inputs.videos:
        source = VideoInput("images", str(inputs.photos[0].parent), tuple(inputs.photos))
    elif len(inputs.videos) == 1 and not inputs.photos:
        source = inputs.videos[0]
    else:
        count = len(inputs.videos) + len(inputs.photos)
        raise ConfigError(f"{out} names one output, but there are {count} inputs; name a folder")
    tracks = _tracks(out.with_suffix(""), wanted)
    if wanted.as_ == "json":
        return VideoJob(source, None, None, out, tracks)
    return VideoJob(source, out, None, out.with_suffix(LINES) if wanted.records else None, tracks)


def _plan_photos(inputs: Inputs, wanted: Wanted) -> list[Job]:
    out = wanted.out
    if not inputs.photos:
        return []
    if out is None:
        images = _names_in_folder(inputs, Path(), MARK)
    elif _is_image_file(out):
        images = [_single_image(inputs, out)]
    else:
        _check_folder(out)
        images = _names_in_folder(inputs, out)
    return [
        Job(source, image, image.with_suffix(".json") if wanted.records else None)
        for source, image in zip(inputs.photos, images, strict=True)
    ]


def _plan_videos(inputs: Inputs, wanted: Wanted) -> list[VideoJob]:
    videos = inputs.videos
    if not videos:
        return []
    out = wanted.out or Path()
    if _is_image_file(out):
        raise ConfigError(f"{out} is an image, but {videos[0].name} is no photograph; name a folder")
    _check_folder(out)
    folders = [out / inputs.below.get(video.path or Path(), Path()) for video in videos]
    return [_video_job(video, folder, wanted) for video, folder in zip(videos, folders, strict=True)]


def _video_job(source: VideoInput, folder: Path, wanted: Wanted) -> VideoJob:
    stem = folder / f"{source.stem}{wanted.mark}"
    records = wanted.records or wanted.as_ == "json"
    return VideoJob(
        source,
        video=_with(stem, ".mp4") if wanted.as_ == "video" else None,
        frames=stem if wanted.as_ == "images" else None,
        record=_with(stem, LINES) if records else None,
        tracks=_tracks(stem, wanted),
    )


def _tracks(stem: Path, wanted: Wanted) -> tuple[tuple[str, Path], ...]:
    """Return the files of the requested track formats, by format."""
    return tuple((name, _with(stem, TRACK_FORMATS[name].suffix)) for name in wanted.tracks)


def _with(stem: Path, suffix: str) -> Path:
    """The suffix appended: `with_suffix` would cut `clip.v2_masks` short."""
    return stem.with_name(stem.name + suffix)


def _is_image_file(out: Path) -> bool:
    return out.suffix.lower() in IMAGE_SUFFIXES and not out.is_dir()


def _check_folder(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file, expected a folder (or a name ending in .jpg, .png or .mp4)")


def _single_image(inputs: Inputs, out: Path) -> Path:
    if out.suffix.lower() not in ENCODINGS:
        raise ConfigError(f"{out}: images are written as {', '.join(ENCODINGS)}, not {out.suffix}")
    count = len(inputs.photos) + len(inputs.videos)
    if count != 1:
        raise ConfigError(f"{out} names one image, but there are {count} to write; name a folder")
    return out


def _names_in_folder(inputs: Inputs, out: Path, mark: str = "") -> list[Path]:
    taken: dict[Path, set[str]] = {}
    images = []
    for source in inputs.photos:
        folder = out / inputs.below.get(source, Path())
        suffix = source.suffix if source.suffix.lower() in ENCODINGS else ".png"
        stem = _free_stem(f"{source.stem}{mark}", taken.setdefault(folder, set()))
        taken[folder].add(stem.casefold())
        images.append(folder / f"{stem}{suffix}")
        if stem != f"{source.stem}{mark}":  # which of them is which can be told by nothing else
            inputs.notes.append(f"{source}: becomes {images[-1]}, for its name is taken")
    return images


def _free_stem(stem: str, taken: set[str]) -> str:
    """The stem, numbered when it is taken; case is ignored, as some file systems ignore it."""
    numbered = (f"{stem}-{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([stem], numbered) if name.casefold() not in taken)


def _check(inputs: Inputs, photos: Sequence[Job], videos: Sequence[VideoJob], trace: Path | None) -> None:
    jobs: list[Job | VideoJob] = [*photos, *videos]
    made = [(job.name, path) for job in jobs for path in job.outputs]
    if trace is not None:
        made.append(("--trace", trace))
    outputs = [path for _, path in made]
    _refuse_odd_places(outputs)
    _protect_inputs(inputs, outputs)
    _refuse_shared_outputs(made)
    searched = {folder.resolve(): folder for folder in inputs.folders}
    for path in outputs:
        folder = searched.get(path.parent.resolve())
        if folder is not None:
            raise ConfigError(
                f"{path} would lie in {folder}, which is searched for inputs; choose another OUT with -o"
            )


def _refuse_odd_places(outputs: Iterable[Path]) -> None:
    """Refuse what no file can be put in the place of, before any work is done for it."""
    for path in outputs:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise ConfigError(f"{path}: is a device, a pipe or a socket; name a file")


def _protect_inputs(inputs: Inputs, outputs: Iterable[Path]) -> None:
    files = [*inputs.photos, *(video.path for video in inputs.videos if video.path)]
    known = {_identity(path) for path in files if path.exists()}
    for path in outputs:
        if path.exists() and _identity(path) in known:
            raise ConfigError(f"{path} is one of the inputs and would be written over; choose another OUT")


def _refuse_shared_outputs(made: Iterable[tuple[str, Path]]) -> None:
    """made: what each output is made of, and the output."""
    makers: dict[str, str] = {}
    for name, path in made:
        key = str(path.resolve()).casefold()
        if key in makers:
            raise ConfigError(f"{makers[key]} and {name} would both become {path}; annotate them one by one")
        makers[key] = name


def _identity(path: Path) -> tuple[int, int]:
    """Return device and inode, the same for every name and link of a file."""
    status = path.stat()
    return status.st_dev, status.st_ino
