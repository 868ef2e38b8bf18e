"""The state of a batch as others see it: finished, failed, running, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.batch.claims import claims_in, holder_of, is_abandoned, silence_of
from app.batch.manifest import MOST_FAILURES, Manifest
from app.batch.records import Finished, PlannedVideo

RECENT = 50  # finished videos that tell how fast it goes


@dataclass(frozen=True)
class Running:
    """A video that is being worked on.

    age: seconds since it was begun; silence: since its last sign of life
    """

    name: str
    host: str
    pid: int
    age: float
    silence: float


@dataclass(frozen=True)
class Status:
    """The state of a batch.

    failed:    name and last reason of each video that is given up
    waiting:   videos on which nobody works and that are not given up
    abandoned: names of those among them whose worker is no more
    stale:     finished videos whose outputs are gone or have another size
    eta:       seconds until all are finished at the present pace; None where nobody works, or nobody knows
    """

    total: int
    finished: int
    failed: list[tuple[str, str]]
    running: list[Running]
    waiting: int
    abandoned: list[str]
    stale: list[str]
    frames: int
    eta: float | None

    def as_json(self) -> dict[str, Any]:
        """Return it as a json object."""
        failed = [{"name": name, "reason": reason} for name, reason in self.failed]
        return asdict(self) | {"failed": failed}


def status_of(manifest: Manifest) -> Status:
    """Return the state of a batch. Raises SourceError where there is none."""
    videos = manifest.planned()
    finished: dict[str, Finished] = {}
    stale: list[str] = []
    failed: list[tuple[str, str]] = []
    open_videos: list[PlannedVideo] = []
    for video in videos:
        record = manifest.finished(video.key)
        if record is not None:
            finished[video.key] = record
            stale += [video.name] * bool(manifest.lacking(record))
            continue
        failures = manifest.failures(video.key)
        if len(failures) >= MOST_FAILURES:
            failed.append((video.name, failures[-1].reason))
        else:
            open_videos.append(video)
    running, abandoned = _running(manifest, open_videos)
    return Status(
        *(len(videos), len(finished), failed, running),
        waiting=len(open_videos) - len(running),
        abandoned=abandoned,
        stale=stale,
        frames=sum(record.frames for record in finished.values()),
        eta=_eta(open_videos, list(finished.values()), running),
    )


def told(status: Status) -> list[str]:
    """Return a status as lines of text."""
    counts = {
        "finished": status.finished,
        "running": len(status.running),
        "waiting": status.waiting,
        "failed": len(status.failed),
    }
    lines = [f"{status.total} videos: " + ", ".join(f"{count} {what}" for what, count in counts.items())]
    lines += [
        f"running: {one.name} for {_span(one.age)} on {one.host}, process {one.pid}"
        + (f", no sign of life for {_span(one.silence)}" if one.silence > 10 else "")
        for one in status.running
    ]
    lines += [f"failed: {name}: {reason}" for name, reason in status.failed]
    lines += [
        f"abandoned: {name}: its worker is no more; the next start makes it" for name in status.abandoned
    ]
    lines += [
        f"stale: {name}: its outputs are gone or changed; the next start makes it" for name in status.stale
    ]
    if status.eta is not None and status.running:
        lines.append(f"about {_span(status.eta)} to go")
    return lines


def _running(manifest: Manifest, videos: Sequence[PlannedVideo]) -> tuple[list[Running], list[str]]:
    """Return the videos that are worked on, and the names of those whose worker is gone."""
    folder = manifest.folder.claims
    claims = claims_in(folder)
    running, abandoned = [], []
    for video in videos:
        claim = claims.get(video.key)
        holder = None if claim is None else holder_of(folder, claim)
        if claim is None or holder is None:
            continue
        if is_abandoned(folder, claim):
            abandoned.append(video.name)
        else:
            age = max(time.time() - holder.since, 0.0)
            running.append(Running(video.name, holder.host, holder.pid, age, silence_of(claim)))
    return running, abandoned


def _eta(
    videos: Sequence[PlannedVideo], finished: Sequence[Finished], running: Sequence[Running]
) -> float | None:
    """Return the seconds that are left: as fast a worker and byte as the last finished ones were."""
    if not videos:
        return 0.0
    recent = sorted(finished, key=lambda record: record.at)[-RECENT:]
    read, took = sum(one.fingerprint.size for one in recent), sum(one.seconds for one in recent)
    if not running or not took or not read:
        return None
    left = sum(video.fingerprint.size for video in videos) * took / read
    done = sum(one.age for one in running)
    return max(left - done, 0.0) / len(running)


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
