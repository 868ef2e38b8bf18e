"""Plan a batch: inputs become planned videos, and are compared with what is finished."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from app.annotate.inputs import Inputs, gather
from app.annotate.jobs import prepare
from app.annotate.options import AnnotateOptions
from app.annotate.plan import Job, VideoJob
from app.annotate.report import Report
from app.batch.annotating import outputs_of
from app.batch.fingerprint import fingerprint_of
from app.batch.manifest import MOST_FAILURES, Manifest
from app.batch.records import Finished, PlannedVideo, key_of
from app.batch.settings import BatchSettings, differences, read_settings
from model.errors import ConfigError, SourceError

LIST_SIGN = "@"
_MOST_DIFFERENCES = 6


@dataclass(frozen=True)
class BatchJobs:
    """The jobs of a batch's inputs, and the subfolder that each video was found in."""

    photos: list[Job]
    videos: list[VideoJob]
    below: dict[Path, Path]


@dataclass(frozen=True)
class Comparison:
    """Planned videos, compared with what is recorded.

    missing:  those that are to be made, those that have failed before at the end; among them are those of
              the three kinds below
    finished: how many are finished
    failed:   those that have failed too often, with the last reason
    settings: those that were finished with other settings, and what has changed
    inputs:   those whose input has changed since they were finished
    lost:     those that are finished, but whose outputs are not as they were left
    """

    missing: list[PlannedVideo]
    finished: int
    failed: list[tuple[str, str]]
    settings: list[PlannedVideo]
    changes: list[str]
    inputs: list[PlannedVideo]
    lost: list[PlannedVideo]


def words_of(words: Iterable[str], lists: Sequence[Path]) -> list[str]:
    """Return inputs with those that stand in files, one in a line: `@FILE`, and `lists`.

    Empty lines and those that begin with # are passed over. A file of that very name is no list. Raises
    ConfigError.
    """
    found: list[str] = []
    for word in words:
        if word.startswith(LIST_SIGN) and len(word) > 1 and not Path(word).exists():
            found += _lines(Path(word[1:]))
        else:
            found.append(word)
    for path in lists:
        found += _lines(path)
    if not found:
        raise ConfigError("there is nothing to annotate; name videos, folders, patterns or a --list")
    return found


def gathered(options: AnnotateOptions, report: Report) -> BatchJobs:
    """Return a job for each input; what stands for nothing is in the report.

    Raises ConfigError on what is of no use in a batch: what cannot be read twice, and an output that is no
    folder.
    """
    out = options.output.output
    if out is None or (out.suffix and not out.is_dir() and out.suffix.lower() in (".mp4", ".mkv", ".jsonl")):
        raise ConfigError(f"a batch has a folder for its outputs, got {out}; name one with -o")
    inputs = gather(options.inputs, options.recursive)
    _leave_outputs_out(inputs, options.inputs, out)
    report.failures.extend(inputs.failures)
    if live := [video.name for video in inputs.videos if video.is_live]:
        raise ConfigError(f"{live[0]}: a camera or a stream cannot be read again; a batch is of files")
    if not inputs.videos and not inputs.photos:
        return BatchJobs([], [], {})
    everything = replace(options, output=replace(options.output, overwrite=True))
    photos, videos = prepare(inputs, everything, report)
    return BatchJobs(photos, videos, inputs.below)


def _leave_outputs_out(inputs: Inputs, words: Sequence[str], out: Path) -> None:
    """Drop what was found in the output folder, where a folder around it was searched."""
    root = os.path.abspath(out)  # noqa: PTH100  (Path.resolve would follow links)
    if any(_is_within(word, root) for word in words):
        return  # whoever names something in it means it
    inputs.photos = [path for path in inputs.photos if not _is_within(path, root)]
    inputs.videos = [one for one in inputs.videos if one.path is None or not _is_within(one.path, root)]
    inputs.folders = [path for path in inputs.folders if not _is_within(path, root)]


def _is_within(path: str | Path, root: str) -> bool:
    place = os.path.abspath(path)  # noqa: PTH100
    return place == root or place.startswith(os.path.join(root, ""))  # noqa: PTH118


def planned(found: BatchJobs, out: Path, settings: BatchSettings, report: Report) -> list[PlannedVideo]:
    """Return the videos with their keys; what cannot be read is in the report."""
    videos = []
    for job in found.videos:
        path = job.source.path
        assert path is not None
        try:
            identity = fingerprint_of(path)
        except SourceError as error:
            report.failures.append(str(error))
            continue
        name = (found.below.get(path, Path()) / path.name).as_posix()
        outputs = tuple((kind, one.relative_to(out).as_posix()) for kind, one in outputs_of(job).items())
        key = key_of(name, identity, settings.digest)
        videos.append(PlannedVideo(key, name, str(path.absolute()), settings.name, identity, outputs))
    return videos


def without_foreign(
    videos: Sequence[PlannedVideo], manifest: Manifest, overwrite: bool, report: Report
) -> list[PlannedVideo]:
    """Return the videos but for those whose outputs exist and are none of the batch's, which have failed."""
    if overwrite:
        return list(videos)
    try:
        own = {path for video in manifest.planned() for _, path in video.outputs}
    except SourceError:  # there is no batch yet
        own = set()
    kept = []
    for video in videos:
        paths = (manifest.folder.out / path for _, path in video.outputs if path not in own)
        foreign = next((path for path in paths if path.exists()), None)
        if foreign is None:
            kept.append(video)
        else:
            report.failures.append(
                f"{video.source}: the output {foreign} exists, and no batch has made it; use --overwrite"
            )
    return kept


def compared(
    videos: Sequence[PlannedVideo], manifest: Manifest, settings: BatchSettings | None = None
) -> Comparison:
    """Compare planned videos with the records. Raises SourceError on settings that cannot be read.

    settings: those of all the videos; None where the changes since they were finished are of no interest
    """
    older: dict[str, Finished] = {record.name: record for record in manifest.all_finished()}
    result = Comparison([], 0, [], [], [], [], [])
    finished, tries = 0, {}
    for video in videos:
        record = manifest.finished(video.key)
        failures = manifest.failures(video.key)
        if record is not None and not manifest.lacking(record):
            finished += 1
            continue
        if record is not None:
            result.lost.append(video)
        elif len(failures) >= MOST_FAILURES:
            result.failed.append((video.name, failures[-1].reason))
            continue
        elif video.name in older:
            _note_change(video, older[video.name], manifest, settings, result)
        tries[video.key] = len(failures)
        result.missing.append(video)
    result.missing.sort(key=lambda video: tries[video.key])
    return replace(result, finished=finished)


def told(comparison: Comparison) -> list[str]:
    """Return what is to be known before work begins, a line each."""
    lines = []
    if comparison.settings:
        many = _videos(comparison.settings)
        shown = "; ".join(comparison.changes[:_MOST_DIFFERENCES])
        lines.append(f"{many} finished with other settings, to be made again and replaced: {shown}")
    if comparison.inputs:
        lines.append(
            f"{_videos(comparison.inputs)} finished, but the input has changed since: made again and replaced"
        )
    if comparison.lost:
        lines.append(f"{_videos(comparison.lost)} finished, but the outputs are gone or changed: made again")
    if comparison.failed:
        lines.append(
            f"{len(comparison.failed)} failed {MOST_FAILURES} times before and are left out; `batch retry` "
            "tries them again"
        )
    return lines


def _note_change(
    video: PlannedVideo,
    before: Finished,
    manifest: Manifest,
    settings: BatchSettings | None,
    result: Comparison,
) -> None:
    """Note why a video that was finished under another key is made again."""
    if before.fingerprint != video.fingerprint:
        result.inputs.append(video)
    if settings is None:
        return
    old = read_settings(manifest.folder, before.settings)
    changes = differences(old.asked, settings.asked)
    changes += differences(asdict(old.resolved), asdict(settings.resolved))
    if changes:
        result.settings.append(video)
        result.changes.extend(change for change in changes if change not in result.changes)


def _videos(videos: Sequence[PlannedVideo]) -> str:
    names = ", ".join(video.name for video in videos[:3]) + (", …" if len(videos) > 3 else "")
    return f"{len(videos)} video{'s' * (len(videos) > 1)} ({names})"


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError as error:
        raise ConfigError(f"{path}: the list cannot be read: {error.strerror or error}") from error
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
