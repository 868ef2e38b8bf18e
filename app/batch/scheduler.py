"""Hands out the videos of a batch until all are finished or have failed, also beside other machines."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.batch.backend import Backend
from app.batch.claims import LEASE, Claim, ClaimWatch
from app.batch.manifest import MOST_FAILURES, Manifest
from app.batch.records import BUSY, FINISHED, LOST, NO_ROOM, Order, PlannedVideo, TryOutcome
from model.errors import SinkError

TICK = 0.5  # seconds between two looks at what others do

Tell = Callable[[PlannedVideo, TryOutcome], None]
"""Gets each outcome but those where another one works on a video."""


@dataclass
class Tally:
    """The outcome of a batch so far.

    finished: videos, by whomever
    failed:   name and reason of each video that is given up
    no_room:  why nothing can be written any more; "" where it can
    left:     videos that are neither finished nor given up
    """

    finished: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    no_room: str = ""
    left: int = 0


class Scheduler:
    """Works off videos by a backend. tell: see `Tell`; lease: as `app.batch.claims.LEASE`."""

    def __init__(self, manifest: Manifest, backend: Backend, tell: Tell, lease: float = LEASE) -> None:
        self._manifest = manifest
        self._backend = backend
        self._tell = tell
        self._watch = ClaimWatch(manifest.folder.claims, lease)
        self._claims: dict[str, Claim] = {}
        self._next_look = 0.0
        self._queue: deque[PlannedVideo] = deque()
        self._running: dict[str, PlannedVideo] = {}
        self._held: dict[str, PlannedVideo] = {}  # by others
        self._tally = Tally()

    def run(self, videos: Sequence[PlannedVideo]) -> Tally:
        """Return once every video is finished or given up, or nothing can be written any more.

        Videos on which others work are waited for, and taken over where nobody keeps up their claims. Raises
        LiveMaskError where there are no workers.
        """
        self._queue.extend(videos)
        while True:
            self._look()
            self._submit()
            if not self._running and (self._tally.no_room or not (self._queue or self._held)):
                break
            for outcome in self._backend.wait(TICK):
                self._handle(outcome)
        self._tally.left = len(self._queue) + len(self._held)
        return self._tally

    def _look(self) -> None:
        """Look, once in `TICK` seconds, what others have done with the videos that they hold."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + TICK
        self._claims = self._watch.look()
        for key, video in list(self._held.items()):
            failures = self._manifest.failures(key)
            if self._manifest.folder.finished(key).exists():
                del self._held[key]
                self._finish(video, TryOutcome(key, FINISHED))
            elif len(failures) >= MOST_FAILURES:
                del self._held[key]
                self._tally.failed.append((video.name, failures[-1].reason))
            elif key not in self._claims or self._watch.is_dead(self._claims[key]):
                self._queue.append(self._held.pop(key))

    def _submit(self) -> None:
        while self._queue and len(self._running) < self._backend.slots and not self._tally.no_room:
            video = self._queue.popleft()
            claim = self._claims.get(video.key)
            if claim is not None and not self._watch.is_dead(claim):
                self._held[video.key] = video
                continue
            self._running[video.key] = video
            over = 0 if claim is None else claim.number
            self._backend.submit(Order(str(self._manifest.folder.out), video, over))

    def _handle(self, outcome: TryOutcome) -> None:
        video = self._running.pop(outcome.key)
        if outcome.state == BUSY:
            self._held[outcome.key] = video
        elif outcome.state == FINISHED or self._is_finished_though(outcome):
            self._finish(video, outcome)
        elif outcome.state == NO_ROOM:
            self._stop(video, outcome.reason)
        else:
            self._fail(video, outcome)

    def _is_finished_though(self, outcome: TryOutcome) -> bool:
        """Return whether a worker that is no more had recorded the video before it ended."""
        return outcome.state == LOST and self._manifest.folder.finished(outcome.key).exists()

    def _finish(self, video: PlannedVideo, outcome: TryOutcome) -> None:
        self._tally.finished += 1
        self._tell(video, outcome)

    def _fail(self, video: PlannedVideo, outcome: TryOutcome) -> None:
        try:
            failures = self._manifest.add_failure(video.key, outcome.reason)
        except SinkError as error:
            self._stop(video, str(error))
            return
        self._tell(video, outcome)
        self._next_look = 0.0  # whoever worked may be gone, and his claim with him
        if failures >= MOST_FAILURES:
            self._tally.failed.append((video.name, outcome.reason))
        else:
            self._queue.append(video)

    def _stop(self, video: PlannedVideo, reason: str) -> None:
        self._tally.no_room = reason
        self._queue.append(video)
