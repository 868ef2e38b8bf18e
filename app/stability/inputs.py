"""The inputs of `stability`: videos and sequences of frames, with the masks that are known."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.annotate.inputs import VideoInput
from app.evaluate.sequence import find_sequence, is_sequence
from app.stability.truth import Truth, checked, common_size, masks_by_name, masks_in_order
from model.errors import ConfigError, DataError, LiveMaskError
from pipeline.sources import kind_of, open_source
from pipeline.sources.images import find_media


@dataclass(frozen=True)
class Video:
    """One input: frames that belong together.

    name:  what the report calls it
    truth: None where nothing is known of it
    """

    name: str
    source: VideoInput
    truth: Truth | None = None


@dataclass
class Gathered:
    """Inputs in their order; `failures` has those that name nothing, with the reason."""

    videos: list[Video] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def gather(arguments: Sequence[str], masks: Path | None, limit: int | None) -> Gathered:
    """Return the inputs that arguments name; photographs of one folder named one by one are one sequence.

    masks: the ground truth of the one input that there then is; without it a folder with frames/ and masks/
           brings its own
    limit: how many frames are looked at, None for all

    Raises ConfigError on an empty argument, an unknown scheme, a live source without a limit, and masks that
    do not go with one input; DataError on masks that do not fit.
    """
    gathered = Gathered()
    loose: dict[Path, list[Path]] = {}
    for argument in dict.fromkeys(arguments):
        if not argument:
            raise ConfigError("an input has no name (a variable that is not set?)")
        try:
            gathered.videos.extend(_videos(argument, loose, limit))
        except ConfigError:
            raise
        except LiveMaskError as error:
            gathered.failures.append(str(error))
    for folder, images in loose.items():
        gathered.videos.append(_of_images(folder, images))
    if masks is not None:  # where the one input that they go with stands for nothing, nothing is left
        gathered.videos = [] if gathered.failures else [_with_masks(gathered.videos, masks, limit)]
    gathered.videos = _sized(gathered, limit)
    return dataclasses.replace(gathered, videos=_told_apart(gathered.videos))


def _videos(argument: str, loose: dict[Path, list[Path]], limit: int | None) -> list[Video]:
    """The videos of one argument; a photograph is put with the `loose` ones of its folder."""
    kind = kind_of(argument)
    if kind in ("camera", "stream"):
        source = VideoInput(kind, argument)
        if limit is None:
            raise ConfigError(f"{source.name}: is live and has no end; say how many with --max-frames N")
        return [Video(source.name, source)]
    path = Path(argument)
    if is_sequence(path):
        return [_davis(path, limit)]
    found = find_media(path)
    videos = [Video(video.name, VideoInput("video", str(video))) for video in found.videos]
    if found.images and found.videos:
        raise DataError(
            f"{argument}: holds {len(found.images)} images and {len(found.videos)} videos; expected the "
            "frames of one video, or videos alone"
        )
    if found.images == (path,):
        loose.setdefault(path.parent, []).append(path)
    elif found.images:
        videos.append(_of_images(found.images[0].parent, found.images))
    return videos


def _of_images(folder: Path, images: Sequence[Path]) -> Video:
    return Video(folder.resolve().name or "images", VideoInput("images", str(folder), tuple(images)))


def _davis(folder: Path, limit: int | None) -> Video:
    sequence = find_sequence(folder, limit)
    source = VideoInput("images", str(folder), sequence.frames)
    return Video(sequence.name, source, checked(sequence.masks, (sequence.width, sequence.height)))


def _with_masks(videos: Sequence[Video], folder: Path, limit: int | None) -> Video:
    if len(videos) != 1:
        raise ConfigError(f"--masks are those of one input, got {len(videos)}; measure them one by one")
    video = videos[0]
    source = video.source
    if source.is_live:
        raise ConfigError(f"{video.name}: is live, so nobody knows its masks; leave --masks out")
    if source.kind == "images":
        frames = source.images[:limit]
        return dataclasses.replace(video, truth=checked(masks_by_name(folder, frames), common_size(frames)))
    masks = masks_in_order(folder)[:limit]
    return dataclasses.replace(video, truth=checked(masks, _video_size(source), exact=limit is None))


def _video_size(source: VideoInput) -> tuple[int, int]:
    """(width, height) of a video's upright frames. Raises SourceError when it cannot be opened."""
    opened = open_source(source.text, source.kind)
    try:
        return opened.info.width, opened.info.height
    finally:
        opened.close()


def _sized(gathered: Gathered, limit: int | None) -> list[Video]:
    """The videos but those whose photographs differ in size, which are told as failures."""
    good = []
    for video in gathered.videos:
        try:
            if video.source.kind == "images":
                common_size(video.source.images[:limit])
            good.append(video)
        except DataError as error:
            gathered.failures.append(str(error))
    return good


def _told_apart(videos: Sequence[Video]) -> list[Video]:
    """Return the videos with whole paths as names where several have the same name."""
    count = Counter(video.name for video in videos)
    return [v if count[v.name] == 1 else dataclasses.replace(v, name=v.source.name) for v in videos]
