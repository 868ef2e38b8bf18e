"""Sources that were opened one after another leave neither threads nor pictures behind."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.live.events import Closed, Opened
from pipeline.live.run import LiveRun
from pipeline.sources.video import open_video
from tests.clips import write_clip
from tests.pipeline.live.sessions import Listener, OpensWhatItIsTold, Start, newest, wait_until
from tests.pipeline.standins import Source

TASKS = Path("/proc/self/task")
needs_proc = pytest.mark.skipif(not TASKS.is_dir(), reason="counts threads as Linux lists them")


def native_threads() -> int:
    """Also those that Python knows nothing of."""
    return len(list(TASKS.iterdir()))


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Circles stay, so that whatever goes has gone by itself."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    write_clip(tmp_path / "clip.mp4", size=(256, 128), frames=30)
    return tmp_path / "clip.mp4"


@needs_proc
@pytest.mark.usefixtures("no_collection")
def test_a_closed_video_has_no_decoder_whoever_holds_it(clip: Path) -> None:
    before = native_threads()
    held = [open_video(clip, threads=3) for _ in range(4)]
    for source in held:
        source.read()
    assert native_threads() > before
    for source in held:
        source.seek(source.info.duration or 0)
        source.close()
        source.close()
    wait_until(lambda: native_threads() <= before)


@pytest.mark.usefixtures("no_collection")
def test_a_run_that_was_replaced_is_freed_by_itself(
    start: Start, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[weakref.ref[LiveRun]] = []
    begin = LiveRun.start

    def noted(run: LiveRun) -> None:
        runs.append(weakref.ref(run))
        begin(run)

    def camera(_: object) -> Source:
        return Source(None, live=True, pace=0.005)

    monkeypatch.setattr(LiveRun, "start", noted)
    session = start(open_source=OpensWhatItIsTold(a=camera, b=camera))
    for number in range(6):
        session.open("ab"[number % 2])
        listener.wait_for(Opened, number + 1)
        listener.wait_for(Closed, number) if number else None
        newest(session)
    session.close_source()
    listener.wait_for(Closed, 6)
    wait_until(lambda: [run for run in runs if run() is not None] == [])
    assert len(runs) == 6


@needs_proc
@pytest.mark.slow
def test_many_openings_cost_little_memory_and_no_thread(
    start: Start, listener: Listener, clip: Path, tmp_path: Path
) -> None:
    write_clip(tmp_path / "other.mp4", size=(256, 128), frames=30)
    session = start()

    def open_many(count: int) -> None:
        for _ in range(count):
            number = len(listener.all(Opened)) + 1
            session.open(str((clip, tmp_path / "other.mp4")[number % 2]))
            listener.wait_for(Opened, number)
            listener.wait_for(Closed, number - 1) if number > 1 else None
            newest(session)
        session.close_source()
        listener.wait_for(Closed, len(listener.all(Opened)))

    open_many(20)
    threads, memory = native_threads(), resident()
    open_many(100)
    wait_until(lambda: native_threads() <= threads)
    assert resident() - memory < 30 << 20


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
