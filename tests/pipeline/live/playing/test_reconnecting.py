"""Cameras and streams that go on when they are back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import islice, pairwise
from typing import ClassVar

import numpy as np
import pytest

from model.errors import SourceError
from pipeline.frame import Frame
from pipeline.live.playing.reconnecting import BackOff, ReconnectingSource
from pipeline.sources import SourceOptions, open_source
from pipeline.sources.base import Source, SourceInfo
from pipeline.sources.cameras.camera import Patience, start_camera
from pipeline.sources.cameras.capture import CameraSettings
from tests.pipeline.live.watching import Watcher
from tests.pipeline.sources.media_server import live, media
from tests.weights_server import fixed, in_turn, serving

AT_ONCE = BackOff(0.01, 0.02)
NEVER = BackOff(60, 60)


class Webcam:
    """OpenCV's capture, as far as it is used, of a camera that is unplugged after so many pictures."""

    def __init__(self, pictures: int, size: tuple[int, int] = (6, 10)) -> None:
        self.left = pictures
        self.size = size

    def grab(self) -> bool:
        time.sleep(0.005)
        self.left -= 1
        return self.left >= 0

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.full((*self.size, 3), 9, np.uint8)

    def get(self, prop: int) -> float:
        return 30.0

    def release(self) -> None:
        pass


class Desk:
    """Opens cameras one after another, as often as they are plugged in; None is one that is not there."""

    def __init__(self, *webcams: Webcam | None) -> None:
        self.webcams = list(webcams)
        self.told: list[str] = []
        self.events: list[threading.Event] = []

    def open(self, interrupted: threading.Event) -> Source:
        self.events.append(interrupted)
        webcam = self.webcams.pop(0) if self.webcams else None
        if webcam is None:
            raise SourceError("desk: no such camera")
        patience = Patience(failed_grabs=1)
        return start_camera("desk", lambda: webcam, CameraSettings(), patience, interrupted)

    def source(self, back_off: BackOff = AT_ONCE) -> ReconnectingSource:
        first = self.open(threading.Event())
        return ReconnectingSource(
            self.open,
            first,
            lambda reason: self.told.append(reason),
            lambda: self.told.append("back"),
            back_off,
        )


def test_a_camera_that_is_plugged_in_again_goes_on_with_growing_indices_and_stamps() -> None:
    desk = Desk(Webcam(10), None, None, Webcam(10), Webcam(10_000))
    with Watcher(desk.source()) as watcher:
        while desk.told.count("back") < 2:
            watcher.frame()
        watcher.frames(5)
    frames = watcher.seen

    assert all(b.index > a.index for a, b in pairwise(frames))
    assert all(b.time > a.time for a, b in pairwise(frames))
    assert len({frame.time_base for frame in frames}) == 1
    assert [told == "back" for told in desk.told] == [False, True, False, True]
    assert "the camera has vanished after 10 pictures" in desk.told[0]


def test_the_time_of_absence_is_counted_in_the_stamps() -> None:
    desk = Desk(Webcam(3), Webcam(10_000))
    with Watcher(desk.source()) as watcher:
        watcher.frame()
        while "back" not in desk.told:
            watcher.frame()
        frames = watcher.seen
    took = frames[-1].captured_at - frames[0].captured_at
    assert float(frames[-1].time - frames[0].time) == pytest.approx(took, abs=0.02)


def test_a_camera_that_comes_back_with_other_pictures_is_scaled_to_the_first_size() -> None:
    desk = Desk(Webcam(3), Webcam(10_000, size=(12, 20)))
    source = desk.source()
    with Watcher(source) as watcher:
        while "back" not in desk.told:
            assert watcher.frame().image.shape == (6, 10, 3)
        assert watcher.frame().image.shape == (6, 10, 3)
    assert (source.info.height, source.info.width) == (6, 10)


def test_a_loss_is_told_once_until_the_source_is_back_and_is_no_warning_beside_that() -> None:
    desk = Desk(Webcam(2), *[None] * 10, Webcam(10_000))
    source = desk.source()
    with Watcher(source) as watcher:
        while "back" not in desk.told:
            watcher.frame()
    assert len(desk.told) == 2
    assert source.warnings == ()


def test_each_attempt_waits_twice_as_long_up_to_a_limit_and_the_next_loss_begins_anew() -> None:
    class Clock(threading.Event):
        waits: ClassVar[list[float | None]] = []

        def wait(self, timeout: float | None = None) -> bool:
            self.waits.append(timeout)
            return super().wait(0)

    desk = Desk(Webcam(2), *[None] * 4, Webcam(2), None, Webcam(10_000))
    source = desk.source(BackOff())
    source._interrupted = Clock()
    with Watcher(source) as watcher:
        while desk.told.count("back") < 2:
            watcher.frame()
    assert Clock.waits == [0.5, 1, 2, 4, 5, 0.5, 1]


def test_an_interrupt_ends_the_waiting_for_a_camera_that_is_gone() -> None:
    desk = Desk(Webcam(2))
    source = desk.source(NEVER)
    lost = threading.Event()
    source._on_lost = lambda reason: lost.set()
    with Watcher(source) as watcher:
        assert lost.wait(20)
        source.interrupt()
        assert watcher.ends()


def test_an_interrupt_ends_an_opening_that_takes_its_time() -> None:
    opening = threading.Event()

    def open_again(interrupted: threading.Event) -> Source:
        opening.set()
        assert interrupted.wait(20)
        raise SourceError("desk: interrupted")

    first = Desk(Webcam(2)).open(threading.Event())
    source = ReconnectingSource(open_again, first, lambda reason: None, lambda: None, AT_ONCE)
    with Watcher(source) as watcher:
        assert opening.wait(20)
        source.interrupt()
        assert watcher.ends()


def test_every_opening_gets_an_event_of_its_own() -> None:
    desk = Desk(Webcam(2), Webcam(2), Webcam(10_000))
    with Watcher(desk.source()) as watcher:
        while desk.told.count("back") < 2:
            watcher.frame()
        assert [event.is_set() for event in desk.events] == [True, True, False]
    assert len(set(map(id, desk.events))) == 3


def test_a_fault_that_is_no_loss_is_raised() -> None:
    class Broken:
        info = SourceInfo("desk", True, 10, 6)
        warnings = ()

        def read(self) -> Frame | None:
            raise ZeroDivisionError

        def interrupt(self) -> None:
            pass

        def close(self) -> None:
            pass

    desk = Desk()
    source = ReconnectingSource(desk.open, Broken(), desk.told.append, lambda: None, AT_ONCE)
    with pytest.raises(ZeroDivisionError):
        source.read()
    source.close()
    assert desk.told == []


def _opener(address: str) -> Callable[[threading.Event], Source]:
    options = SourceOptions(reconnect=False)
    return lambda interrupted: open_source(address, options=options, interrupted=interrupted)


def test_a_stream_that_is_lost_is_told_at_once_and_goes_on_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    told: list[str] = []
    with serving(
        in_turn(live(media("a.ts", 30)), fixed(503, b""), live(media("a.ts", 30), stalls=True))
    ) as server:
        open_stream = _opener(server.address)
        first = open_stream(threading.Event())
        source = ReconnectingSource(open_stream, first, told.append, lambda: told.append("back"), AT_ONCE)
        with Watcher(source) as watcher:
            while "back" not in told:
                watcher.frame()
            watcher.frames(5)
    assert len(told) == 2
    assert "the stream is lost: the other side ended it" in told[0]
    assert all(b.time - a.time > 0 and b.index - a.index == 1 for a, b in pairwise(watcher.seen))


def test_a_live_source_that_comes_back_as_a_recording_has_ended() -> None:
    class Recording:
        info = SourceInfo("desk", False, 10, 6)
        warnings = ()
        closed = False

        def read(self) -> Frame | None:
            return Frame(np.zeros((6, 10, 3), np.uint8), 0, 0, Fraction(1, 25), 0.0)

        def interrupt(self) -> None:
            pass

        def close(self) -> None:
            self.closed = True

    recording = Recording()
    first = Desk(Webcam(2)).open(threading.Event())
    source = ReconnectingSource(lambda _: recording, first, lambda reason: None, lambda: None, AT_ONCE)
    assert len(list(islice(iter(source.read, None), 10))) <= 2
    assert source.read() is None
    source.close()
    assert recording.closed
