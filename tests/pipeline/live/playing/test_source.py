"""Playing a file: paced by its stamps and controlled from any thread."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import monotonic

import pytest

from model.errors import ConfigError
from pipeline.live.playing.playback import Playback
from pipeline.live.playing.source import PlayedSource
from pipeline.sources.sequence import open_images
from pipeline.sources.video import open_video
from tests.clips import number_of, write_clip
from tests.pipeline.live.watching import COUNT, RATE, Play, Watcher, play_images, write_images
from tests.pipeline.standins import Source


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """A sequence of images that is about to be played."""
    return partial(play_images, tmp_path)


def pts(watcher: Watcher, count: int) -> list[int]:
    return [frame.pts for frame in watcher.frames(count)]


def test_every_frame_comes_in_order_and_never_before_its_time(play: Play) -> None:
    watcher, _ = play(count=6, rate=50)
    begun = monotonic()
    with watcher:
        frames = watcher.frames(6)
    assert [frame.pts for frame in frames] == [0, 1, 2, 3, 4, 5]
    moments = [frame.captured_at for frame in frames]
    assert moments == sorted(moments)
    assert moments[-1] - begun >= 5 / 50


def test_a_played_source_is_live_and_otherwise_what_it_plays(tmp_path: Path) -> None:
    source = PlayedSource(open_images(write_images(tmp_path)), Playback())
    assert source.info.live
    assert (source.info.frame_count, source.info.width, source.info.height) == (COUNT, 10, 6)
    source.close()


def test_at_its_end_it_waits_and_plays_from_the_start_when_told_to(play: Play) -> None:
    watcher, control = play(count=3)
    with watcher:
        assert pts(watcher, 3) == [0, 1, 2]
        assert watcher.has_none()
        assert control.at_end
        assert not control.playing
        control.play()
        assert pts(watcher, 3) == [0, 1, 2]
        assert [frame.index for frame in watcher.seen] == [0, 1, 2, 3, 4, 5]


def test_paused_it_waits_without_work_and_goes_on_where_it_was(play: Play) -> None:
    watcher, control = play(rate=5, paused=True)
    with watcher:
        assert watcher.frame().pts == 0
        assert watcher.has_none(0.3)
        assert not control.playing
        control.play()
        assert watcher.frame().pts == 1
        assert control.playing
        control.pause()
    assert watcher.cpu_seconds < 0.2


def test_toggling_pauses_what_plays_and_plays_what_is_paused() -> None:
    control = Playback()
    control.toggle()
    assert not control.playing
    control.toggle()
    assert control.playing


def test_steps_go_on_and_back_by_one_frame_and_pause(play: Play) -> None:
    watcher, control = play(rate=5)
    with watcher:
        watcher.frame()
        control.seek(0.8)
        watcher.until(4)
        for step, expected in ((1, 5), (-1, 4), (-1, 3), (2, 5), (1, 6)):
            control.step(step)
            assert watcher.frames(abs(step))[-1].pts == expected
        assert not control.playing
        assert watcher.has_none()


def test_a_step_back_in_a_video_gives_the_frame_before_whatever_its_distance(tmp_path: Path) -> None:
    times = [0, 100, 101, 5_000, 5_001, 9_000]
    write_clip(tmp_path / "a.mp4", times=times, time_base=Fraction(1, 90_000), options={"bf": "2"})
    control = Playback()
    control.pause()
    with Watcher(PlayedSource(open_video(tmp_path / "a.mp4"), control)) as watcher:
        watcher.frame()
        control.seek(1)
        found = [watcher.frame()]
        for _ in times:
            control.step(-1)
            found.append(watcher.frame())
    assert [number_of(frame.image) for frame in found] == [5, 4, 3, 2, 1, 0, 0]
    assert [frame.time for frame in found] == [Fraction(t, 90_000) for t in (*times[::-1], 0)]


def test_a_held_key_asks_for_a_few_steps_at_most(play: Play) -> None:
    watcher, control = play(paused=True)
    with watcher:
        watcher.frame()
        control.step(1000)
        assert pts(watcher, 5) == [1, 2, 3, 4, 5]
        assert watcher.has_none()


def test_seeking_gives_the_frame_at_a_position_and_keeps_playing_or_not(play: Play) -> None:
    watcher, control = play(rate=5, paused=True)
    with watcher:
        watcher.frame()
        control.seek(2.5)
        assert watcher.frame().pts == 12
        assert control.position == pytest.approx(2.4)
        assert watcher.has_none()
        control.play()
        assert watcher.frame().pts == 13
        control.seek(0.6)
        watcher.until(3)
        assert pts(watcher, 2) == [4, 5]


def test_of_several_seeks_the_last_one_counts(tmp_path: Path) -> None:
    control = Playback()
    source = PlayedSource(open_images(write_images(tmp_path), Fraction(RATE)), control)
    control.pause()
    assert source.read().pts == 0
    for seconds in (0.05, 1.9, -3.0, 0.15):
        control.seek(seconds)
    assert source.read().pts == 15
    source.close()


def test_seeking_to_the_position_of_a_frame_gives_this_frame(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", frames=40, rate=Fraction(30_000, 1001), time_base=Fraction(1, 30_000))
    control = Playback()
    control.pause()
    source = PlayedSource(open_video(tmp_path / "a.mp4"), control)
    frame = source.read()
    for number in range(40):
        assert number_of(frame.image) == number
        control.seek(control.position)
        assert source.read().pts == frame.pts
        control.step(1 if number < 39 else 0)
        frame = source.read() if number < 39 else None
    source.close()


def test_positions_count_from_the_first_frame_when_its_stamp_is_later(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mkv", times=[512 * (1000 + n) for n in range(10)])  # the first at 40 s
    control = Playback()
    control.pause()
    with Watcher(PlayedSource(open_video(tmp_path / "a.mkv"), control)) as watcher:
        assert watcher.frame().time == 40
        assert control.position == 0
        control.seek(0.2)
        assert number_of(watcher.frame().image) == 5
        assert control.position == pytest.approx(0.2, abs=1e-3)


def test_the_present_frame_comes_again_while_paused_and_at_the_end(play: Play) -> None:
    watcher, control = play(count=2, paused=True)
    with watcher:
        first = watcher.frame()
        control.again()
        again = watcher.frame()
        assert (again.pts, again.index) == (first.pts, first.index + 1)
        assert again.captured_at >= first.captured_at
        assert again.image is first.image
        control.play()
        assert watcher.frame().pts == 1
        assert watcher.has_none()
        control.again()
        assert watcher.frame().pts == 1
        assert control.at_end
        assert watcher.has_none()


def test_steps_beyond_the_end_are_forgotten(play: Play) -> None:
    watcher, control = play(count=3)
    with watcher:
        watcher.until(2)
        assert watcher.has_none()
        control.step(3)
        assert watcher.has_none()
        control.step(-1)
        assert watcher.frame().pts == 1
        assert not control.at_end
        assert watcher.has_none()


def test_a_loop_goes_round_with_one_frame_distance_at_the_seam(play: Play) -> None:
    watcher, control = play(count=3)
    control.loop = True
    begun = monotonic()
    with watcher:
        frames = watcher.frames(8)
        control.loop = False
    assert [frame.pts for frame in frames] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert [frame.index for frame in frames] == list(range(8))
    assert frames[-1].captured_at - begun >= 7 / RATE


def test_a_single_image_comes_once_even_in_a_loop(play: Play) -> None:
    watcher, control = play(count=1)
    control.loop = True
    with watcher:
        assert watcher.frame().pts == 0
        assert watcher.has_none()
        assert control.at_end
        control.again()
        assert watcher.frame().pts == 0
    assert watcher.cpu_seconds < 0.2


def test_the_speed_can_be_changed_and_has_limits(play: Play) -> None:
    watcher, control = play(count=5, rate=50)
    control.speed = 0.5
    begun = monotonic()
    with watcher:
        frames = watcher.frames(5)
    assert all(b.captured_at - a.captured_at > 0 for a, b in pairwise(frames))
    assert frames[-1].captured_at - begun >= 4 / 50 / 0.5
    for speed in (0.05, 9, -1, float("nan")):
        with pytest.raises(ConfigError, match=r"expected a speed from 0\.1 to 8"):
            control.speed = speed
    assert control.speed == 0.5


def test_a_faster_speed_holds_for_the_frame_that_is_waited_for(play: Play) -> None:
    watcher, control = play(count=2, rate=Fraction(1, 4))
    begun = monotonic()
    with watcher:
        watcher.frame()
        control.speed = 8
        second = watcher.frame()
    assert 4 / 8 <= second.captured_at - begun < 4


def test_what_cannot_be_sought_in_plays_pauses_and_steps_on() -> None:
    control = Playback()
    control.pause()
    with Watcher(PlayedSource(Source(4), control)) as watcher:
        assert watcher.frame().pts == 0
        assert not control.seekable
        control.seek(0.2)
        control.step(-1)
        control.step(2)
        assert [frame.pts for frame in watcher.frames(2)] == [1, 2]
        control.loop = True
        control.play()
        assert watcher.frame().pts == 3
        assert watcher.has_none()
        control.play()
        assert control.at_end
        assert watcher.has_none()


def test_the_duration_is_known_at_the_end_at_the_latest(play: Play) -> None:
    assert Playback().duration is None
    told, unknown = play()[1], Playback()
    assert told.duration == COUNT / RATE
    with Watcher(PlayedSource(Source(4), unknown)) as watcher:
        watcher.until(3)
        assert watcher.has_none()
        assert unknown.duration == pytest.approx(0.3)
