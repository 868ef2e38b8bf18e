"""The state of a batch: what was planned, what is finished, what has failed. Read from its records alone."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from app.batch.publishing import size_of
from app.batch.records import Failure, Finished, PlannedVideo, digest_of, plain
from app.batch.store import BatchFolder, read_record, write_once
from model.errors import SinkError, SourceError

MOST_FAILURES = 3  # after which a video is left alone until somebody asks for it


class Manifest:
    """The records of a batch folder, for any number of processes and machines at a time."""

    def __init__(self, folder: BatchFolder) -> None:
        self.folder = folder

    def plan(self, videos: Sequence[PlannedVideo]) -> None:
        """Note what is to be made; the plan that was noted last counts. Raises SinkError."""
        record = {"videos": [plain(video) for video in videos]}
        path = self.folder.plans / f"{digest_of([video.key for video in videos])[:20]}.json"
        if not write_once(path, record):
            with contextlib.suppress(OSError):
                os.utime(path)  # it is the newest again

    def planned(self) -> list[PlannedVideo]:
        """Return each video of the batch as it was planned last, in the order of names.

        Raises SourceError where there is no batch, or a plan cannot be read.
        """
        found: dict[str, PlannedVideo] = {}
        for path in sorted(self.folder.plans.glob("*.json"), key=lambda path: path.stat().st_mtime_ns):
            try:
                videos = [PlannedVideo.of(one) for one in (read_record(path) or {})["videos"]]
            except (KeyError, TypeError) as error:
                raise SourceError(f"{path}: is no plan of a batch; remove it, and start it again") from error
            found |= {video.name: video for video in videos}
        if not found:
            raise SourceError(f"{self.folder.out}: holds no batch; `batch start INPUT -o OUT` begins one")
        return [found[name] for name in sorted(found)]

    def finished(self, key: str) -> Finished | None:
        """Return the record of a video; None where it is not finished."""
        return _finished(self.folder.finished(key))

    def all_finished(self) -> Iterator[Finished]:
        """Yield the records of all finished videos, also of those that were planned anew since."""
        for path in sorted((self.folder.root / "done").glob("*/*.json")):
            record = _finished(path)
            if record is not None:
                yield record

    def lacking(self, record: Finished) -> list[str]:
        """Return the outputs of a finished video that are not there, or have another size than recorded."""
        return [one.path for one in record.outputs if size_of(self.folder.out / one.path) != one.size]

    def forget(self, key: str) -> None:
        """Remove the record of a finished video, so that it is made again. Raises SinkError."""
        path = self.folder.finished(key)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise SinkError(f"{path}: cannot be removed: {error.strerror or error}") from error

    def failures(self, key: str) -> list[Failure]:
        """Return the tries of a video that failed, in their order."""
        found: list[Failure] = []
        while (record := read_record(self.folder.failure(key, len(found) + 1))) is not None:
            found.append(Failure(**record))
        return found

    def add_failure(self, key: str, reason: str) -> int:
        """Note a try that failed; return how many there are now. Raises SinkError."""
        record = asdict(Failure(reason, time.time(), platform.node()))
        number = len(self.failures(key)) + 1
        while not write_once(self.folder.failure(key, number), record):  # another one has failed just now
            number += 1
        return number

    def forgive(self, key: str) -> None:
        """Remove the failures of a video, so that it is tried again."""
        for number in range(len(self.failures(key)), 0, -1):
            self.folder.failure(key, number).unlink(missing_ok=True)


def _finished(path: Path) -> Finished | None:
    record = read_record(path)
    try:
        return None if record is None else Finished.of(record)
    except (KeyError, TypeError):
        return None
