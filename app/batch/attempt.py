"""One try to make a video: claim it, make it, publish it, record it. Every backend runs just this."""

from __future__ import annotations

import errno
import os
import platform
import secrets
import shutil
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from app.batch.claims import HeldClaim
from app.batch.fingerprint import fingerprint_of
from app.batch.publishing import publish, remove_folder, sealed
from app.batch.records import BUSY, FAILED, FINISHED, NO_ROOM, Finished, Order, TryOutcome, plain
from app.batch.store import BatchFolder, write_once
from app.batch.tasks import VideoTask
from app.machine import processor
from model.errors import LiveMaskError, SinkError, SourceError
from pipeline.sinks.part_file import cannot_be_written

LEAST_ROOM = 1 << 20  # bytes; a disk with less is full
_EVERYBODYS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def attempt(order: Order, task: VideoTask) -> TryOutcome:
    """Make a video unless another one works on it. Errors that are a video's own become its outcome."""
    folder, key = BatchFolder(Path(order.folder)), order.video.key
    started = time.perf_counter()
    try:
        claim = HeldClaim.take(folder.claims, key, order.over)
        if claim is None:
            return TryOutcome(key, BUSY)
        with claim.kept_up():
            return _made(order, task, folder, claim, started)
    except Exception as error:
        return _failed(key, error, folder.out)


def _made(order: Order, task: VideoTask, folder: BatchFolder, claim: HeldClaim, started: float) -> TryOutcome:
    """Make what is claimed, and give the claim back."""
    video = order.video
    work = folder.work / f"{video.key}.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        if folder.finished(video.key).exists():  # by another one, since the order was given
            return TryOutcome(video.key, FINISHED)
        with cannot_be_written(work):
            work.mkdir(parents=True)
        made = task.make(video, work)
        if fingerprint_of(Path(video.source)) != video.fingerprint:
            raise SourceError(f"{video.source}: was changed since the batch was started; start it again")
        outputs = sealed(video, work)
        if not claim.is_last or folder.finished(video.key).exists():
            return TryOutcome(video.key, BUSY)
        publish(video, work, folder)
        seconds = time.perf_counter() - started
        record = Finished(
            *(video.key, video.name, video.settings, video.fingerprint, outputs, made.frames),
            *(round(seconds, 3), time.time(), platform.node(), _processor(), made.notes),
        )
        write_once(folder.finished(video.key), plain(record))
        for left in folder.work.glob(f"{video.key}.*"):  # of tries that were killed, and this one's
            remove_folder(left)
        return TryOutcome(video.key, FINISHED, "; ".join(made.notes), made.frames, seconds)
    finally:
        remove_folder(work)
        claim.release()


@cache
def _processor() -> str:
    return processor()


def _failed(key: str, error: Exception, out: Path) -> TryOutcome:
    reason = str(error) or type(error).__name__
    if isinstance(error, MemoryError):
        reason = "not enough memory for frames of this size"
    elif isinstance(error, OSError):
        reason = f"{error.filename or out}: {error.strerror or error}"
    elif not isinstance(error, LiveMaskError):
        reason = f"{type(error).__name__}: {reason}"
    state = NO_ROOM if _is_everybodys(error, out) else FAILED
    return TryOutcome(key, state, " ".join(reason.split()))


def _is_everybodys(error: Exception, out: Path) -> bool:
    """Return whether an error is of the drive of the outputs, so that every other video would have it too."""
    if any(isinstance(one, OSError) and one.errno in _EVERYBODYS for one in _chain(error)):
        return True
    try:
        return isinstance(error, SinkError) and shutil.disk_usage(out).free < LEAST_ROOM
    except OSError:
        return False


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
