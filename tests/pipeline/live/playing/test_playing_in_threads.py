"""A played source under many hands: interrupted, broken, steered by several threads, and in a run."""

from __future__ import annotations

import threading
from fractions import Fraction
from functools import partial
from pathlib import Path
from time import monotonic

import pytest

from model.errors import SourceError
from pipeline.live.playing.playback import Playback
from pipeline.live.playing.source import PlayedSource
from pipeline.metrics.run import Metrics
from pipeline.runner import Runner, RunState
from pipeline.sinks.latest import LatestSink
from pipeline.sources.sequence import open_images
from pipeline.sources.video import open_video
from tests.clips import number_of, write_clip
from tests.pipeline.live.watching import PATIENCE, RATE, Play, Watcher, play_images, write_images
from tests.pipeline.standins import Detector, paint


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """A sequence of images that is about to be played."""
    return partial(play_images, tmp_path)


@pytest.mark.parametrize("state", ["playing", "paused", "at the end"])
def test_an_interrupt_ends_the_reading_whatever_is_waited_for(play: Play, state: str) -> None:
    watcher, control = play(count=1 if state == "at the end" else 2, rate=1, paused=state == "paused")
    control.speed = 0.1  # the next frame is due in 10 s
    begun = monotonic()
    with watcher:
        watcher.frame()
        watcher.source.interrupt()
        assert watcher.ends()
    assert monotonic() - begun < 5


def test_a_source_that_breaks_is_told_to_whoever_reads(tmp_path: Path) -> None:
    images = write_images(tmp_path)
    images[1].write_bytes(b"broken")
    with Watcher(PlayedSource(open_images(images, Fraction(RATE)), Playback())) as watcher:
        assert watcher.frame().pts == 0
        assert watcher.ends()
    assert isinstance(watcher.error, SourceError)


def test_any_threads_may_use_all_controls_at_once(play: Play) -> None:
    watcher, control = play()

    def fiddle(number: int) -> None:
        for turn in range(40):
            control.seek((turn * number) % 17 / 100)
            control.toggle()
            control.step(turn % 3 - 1)
            control.again()
            control.speed = 1 + turn % 7
            control.loop = bool(turn % 2)
            assert control.position >= 0

    threads = [threading.Thread(target=fiddle, args=(number,)) for number in range(1, 5)]
    with watcher:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        control.pause()
        control.loop = False
        control.seek(0.11)
        assert watcher.until(11).image[0, 0, 0] == 11
        indices = [frame.index for frame in watcher.seen]
    assert indices == list(range(len(indices)))


def test_a_run_follows_what_is_asked_of_a_played_video_and_stops(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", frames=50)
    control, latest = Playback(), LatestSink()
    control.pause()
    runner = Runner(
        lambda _: PlayedSource(open_video(tmp_path / "a.mp4"), control),
        Detector(),
        paint,
        [latest],
        Metrics(),
    )

    def shown() -> int:
        deadline = monotonic() + PATIENCE
        while (result := latest.take()) is None:
            assert monotonic() < deadline
            threading.Event().wait(0.005)
        return number_of(result.frame.image)

    runner.start()
    assert shown() == 0
    for seek, number in ((1.2, 30), (0.4, 10), (99, 49)):
        control.seek(seek)
        assert shown() == number
    control.step(-1)
    assert shown() == 48
    control.again()
    assert shown() == 48
    runner.stop()
    report = runner.join(PATIENCE)
    assert report is not None
    assert (report.state, report.error) == (RunState.STOPPED, None)
    assert "source" not in report.metrics.drops  # indices have no gaps, whatever was sought
