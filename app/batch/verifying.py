"""`batch verify`: finished outputs against their records, their inputs, and a second computation."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from threading import Event

from app.annotate.inputs import VideoInput
from app.annotate.options import VideoOptions
from app.batch.annotating import recomputed
from app.batch.apart import apart
from app.batch.fingerprint import fingerprint_of
from app.batch.manifest import Manifest
from app.batch.publishing import seen
from app.batch.records import Finished, PlannedVideo, digest_of
from app.batch.settings import read_settings
from app.batch.versions import versions_here
from app.machine import processor
from app.runs import opener
from model.errors import LiveMaskError
from pipeline.sinks.origin import origin_of
from pipeline.sinks.video_check import read_facts

RECORD = "record"  # the kind of an output of JSON lines
VIDEO = "video"


@dataclass(frozen=True)
class Checks:
    """Options of verifying.

    sample: how many videos are computed again
    frames: how many of the first frames of each
    """

    sample: int = 3
    frames: int = 50


@dataclass(frozen=True)
class Verified:
    """The outcome of verifying.

    faults: name and fault of whatever differs; untold: name and reason of what could not be compared
    """

    videos: int
    faults: list[tuple[str, str]]
    recomputed: int
    untold: list[tuple[str, str]]


def verify(manifest: Manifest, checks: Checks) -> Iterator[tuple[str, str] | Verified]:
    """Yield the name and fault of each difference as it is found, and last the summary.

    Raises SourceError where there is no batch.
    """
    finished = [(v, r) for v in manifest.planned() if (r := manifest.finished(v.key)) is not None]
    faults: list[tuple[str, str]] = []
    whole: list[tuple[PlannedVideo, Finished]] = []
    for video, record in finished:
        found = [(video.name, fault) for fault in _faults(manifest, video, record)]
        yield from found
        faults += found
        if not found and any(kind == RECORD for kind, _ in video.outputs):
            whole.append((video, record))
    untold: list[tuple[str, str]] = []
    chosen = sorted(whole, key=lambda one: digest_of(one[0].key))[: checks.sample]
    for video, record in chosen:
        fault, why_not = _recomputed(manifest, video, record, checks.frames)
        if fault:
            yield video.name, fault
            faults.append((video.name, fault))
        untold += [(video.name, why_not)] * bool(why_not)
    if checks.sample and len(whole) < min(checks.sample, len(finished)):
        untold.append(("", "only whole videos with JSON lines (--json) can be computed again and compared"))
    yield Verified(len(finished), faults, len(chosen) - sum(bool(name) for name, _ in untold), untold)


def _faults(manifest: Manifest, video: PlannedVideo, record: Finished) -> Iterator[str]:
    """Yield what differs between a video's outputs, their record and the input."""
    changed = False
    for output in record.outputs:
        try:
            there = seen(manifest.folder.out, output.path)
        except OSError as error:
            yield f"{output.path}: cannot be read: {error.strerror or error}"
            changed = True
            continue
        if there is None:
            yield f"{output.path}: is not there"
        elif there != output:
            yield f"{output.path}: is not what was written: {there.size} bytes, {output.size} were; " + (
                "another size" if there.size != output.size else "another content"
            )
        changed = changed or there != output
    source = Path(video.source)
    try:
        if fingerprint_of(source) != record.fingerprint:
            yield f"the input {source} has changed since"
            return
        if not changed:
            yield from _stamp_faults(manifest, video, record)
    except LiveMaskError as error:
        yield str(error)


def _stamp_faults(manifest: Manifest, video: PlannedVideo, record: Finished) -> Iterator[str]:
    """Yield differences of the frames and their times from those of the input."""
    options = read_settings(manifest.folder, video.settings).options.video
    times = _times_of(video, options)
    if len(times) != record.frames:
        yield f"the input has {len(times)} frames, {record.frames} were annotated"
        return
    for kind, path in video.outputs:
        place = manifest.folder.out / path
        if kind == RECORD:
            yield from _differing(path, times, _times_of_lines(place), Fraction(0))
        elif kind == VIDEO:
            facts = read_facts(place)
            if facts.error:
                yield f"{path}: cannot be read: {facts.error}"
            else:
                yield from _differing(path, times, [tick * facts.unit for tick in facts.ticks], facts.unit)


def _times_of(video: PlannedVideo, options: VideoOptions) -> list[Fraction]:
    """Return when each frame that is annotated is shown, counted as outputs count."""
    source = opener(VideoInput("video", video.source), options.frame_rate)(Event())
    times: list[Fraction] = []
    origin: Fraction | None = None
    try:
        number = 0
        while (frame := source.read()) is not None and len(times) != options.max_frames:
            if number % options.stride == 0:
                origin = origin_of(source.info, frame) if origin is None else origin
                times.append(frame.time - origin)
            number += 1
    finally:
        source.close()
    return times


def _times_of_lines(path: Path) -> list[Fraction]:
    with path.open("rb") as file:
        records = [json.loads(line) for line in file]
    return [record["pts"] * Fraction(record["time_base"]) for record in records]


def _differing(
    path: str, expected: Sequence[Fraction], there: Sequence[Fraction], unit: Fraction
) -> Iterator[str]:
    """Yield a line where frames are missing or moved by more than a unit of their file."""
    if len(there) != len(expected):
        yield f"{path}: has {len(there)} frames, the input has {len(expected)}"
        return
    moved = [abs(a - b) for a, b in zip(expected, there, strict=True) if abs(a - b) > unit]
    if moved:
        yield (
            f"{path}: {len(moved)} of {len(there)} frames have another time than in the input, by "
            f"{float(max(moved)) * 1000:.1f} ms at most"
        )


def _recomputed(manifest: Manifest, video: PlannedVideo, record: Finished, frames: int) -> tuple[str, str]:
    """Return how the JSON lines of a second computation differ, and why they cannot be compared."""
    settings = read_settings(manifest.folder, video.settings)
    if versions_here() != settings.asked["versions"]:
        return "", "was made by another version of LiveMask or of its libraries, not computed again"
    path = next(path for kind, path in video.outputs if kind == RECORD)
    with tempfile.TemporaryDirectory(prefix="livemask-verify-") as folder:
        try:
            again = apart(recomputed, settings, video, Path(folder), frames).splitlines()
        except LiveMaskError as error:
            return f"cannot be computed again: {error}", ""
    with (manifest.folder.out / path).open("rb") as file:
        before = [line.rstrip(b"\n") for line, _ in zip(file, again, strict=False)]
    different = [number for number, (a, b) in enumerate(zip(before, again, strict=False)) if a != b]
    if len(before) == len(again) and not different:
        return "", ""
    here = processor()
    elsewhere = f" (made on {record.processor}, computed again on {here})" * (here != record.processor)
    first = f", the first is frame {different[0]}" if different else ""
    return f"{path}: {len(different)} of {len(again)} lines differ when computed again{first}{elsewhere}", ""
