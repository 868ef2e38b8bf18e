"""What fails is told, without secrets, and the session goes on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from model.errors import SourceError
from pipeline.frame import Frame
from pipeline.live.events import Closed, Event, Failed, Loaded, Lost, Opened, Opening, Regained, Warned
from pipeline.settings import DisplaySettings
from pipeline.sources import SourceOptions
from pipeline.sources.base import Source
from tests.clips import write_clip
from tests.pipeline.live.sessions import (
    Listener,
    Loads,
    NeverRuns,
    OpensWhatItIsTold,
    Start,
    newest,
    playing,
    wait_until,
)
from tests.pipeline.small_engines import LinearEngine
from tests.pipeline.standins import Source as CountedSource
from tests.pipeline.standins import fail

SECRET = "rtsp://anna:s3cret pass@camera.lan:554/live?token=abc123"


def camera(at: int = -1, fault=lambda: None) -> CountedSource:
    return CountedSource(None, live=True, at=at, fault=fault, pace=0.005)


def unplugged() -> None:
    raise SourceError("the camera has vanished")


def test_a_camera_that_is_unplugged_is_told_and_goes_on_when_it_is_back(
    start: Start, listener: Listener
) -> None:
    opened = []

    def connect(_: threading.Event) -> Source:
        opened.append(camera(at=5, fault=unplugged) if not opened else camera())
        return opened[-1]

    session = start(open_source=OpensWhatItIsTold(**{"0": connect}))
    session.open("0")
    opening = listener.wait_for(Opened)
    assert (opening.playable, opening.seekable, session.playback) == (False, False, None)
    assert listener.wait_for(Lost) == Lost("Camera 0", "the camera has vanished")
    at = newest(session).frame.index
    assert listener.wait_for(Regained) == Regained("Camera 0")
    newest(session, lambda result: result.frame.index > at + 3)
    assert listener.all(Closed) == listener.all(Failed) == []
    session.close_source()
    listener.wait_for(Closed)
    assert [source.closed for source in opened] == [1, 1]


class Creaks(CountedSource):
    """Warns of more and more from its third frame on, and of a password."""

    def read(self) -> Frame | None:
        much = (f"{self.given} packets are damaged", f"{SECRET} creaks")
        self.warnings = much if self.given > 2 else ()
        return super().read()


def test_what_is_wrong_with_a_source_that_goes_on_is_told_once_and_without_secrets(
    start: Start, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.live.run._TICK", 0.01)
    creaks = OpensWhatItIsTold(**{SECRET: lambda _: Creaks(None, live=True, pace=0.005)})
    session = start(open_source=creaks)
    session.open(SECRET)
    listener.wait_for(Warned, 2)
    at = newest(session).frame.index
    newest(session, lambda result: result.frame.index > at + 10)
    session.close_source()
    listener.wait_for(Closed)
    told = [event.message for event in listener.all(Warned) if "it creaks" not in event.message]
    assert len(told) == 2
    assert told[0].endswith("packets are damaged")
    assert told[1].endswith("creaks")
    assert all(not tells_a_secret(event) for event in listener.events)


def test_a_damaged_file_is_told_of_while_it_waits_at_its_end(
    start: Start, tmp_path: Path, listener: Listener
) -> None:
    path = tmp_path / "clip.mkv"
    write_clip(path, frames=50)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    session = start()
    session.open(str(path))
    assert listener.wait_for(Warned).name == str(path)
    assert listener.all(Closed) == listener.all(Failed) == []


def test_a_source_that_raises_is_closed_with_a_word_and_another_one_can_be_shown(
    start: Start, listener: Listener
) -> None:
    session = start(
        open_source=OpensWhatItIsTold(bad=lambda _: camera(at=3, fault=fail), good=lambda _: camera())
    )
    session.open("bad")
    failed = listener.wait_for(Failed)
    assert failed.task == "source"
    assert failed.message == "an unexpected error, which is a fault of the program: OSError: the cable is out"
    assert "standins.py" in failed.details
    listener.wait_for(Closed)
    session.open("good")
    wait_until(lambda: session.latest.info)
    newest(session, lambda result: result.frame.index > 3)


def test_a_network_that_breaks_while_it_runs_ends_the_source_and_not_the_session(
    start: Start, clip: str, listener: Listener, loads: Loads
) -> None:
    broken = threading.Event()

    class Breaks(LinearEngine):
        def start(self, images):
            if broken.is_set():
                raise RuntimeError("out of memory")
            return super().start(images)

    loads.engine = Breaks
    session = start()
    session.open(clip)
    newest(session, lambda result: len(result.detections))
    playing(session)
    broken.set()
    assert "out of memory" in listener.wait_for(Failed).message
    listener.wait_for(Closed)
    broken.clear()
    session.open(clip)
    listener.wait_for(Opened, 2)
    newest(session, lambda result: len(result.detections))


def test_a_network_that_cannot_run_is_never_put_to_use(
    start: Start, clip: str, listener: Listener, loads: Loads
) -> None:
    loads.engine = NeverRuns
    session = start()
    session.open(clip)
    assert listener.wait_for(Failed).task == "network"
    at = newest(session).frame.index
    newest(session, lambda result: result.frame.index > at + 3)
    assert listener.all(Loaded) == listener.all(Closed) == []
    loads.engine = LinearEngine
    session.open(clip)  # a network is still missing
    listener.wait_for(Loaded)


def refuses(text: str) -> Source:
    raise SourceError(f"{text}: refused")


def breaks(text: str) -> Source:
    raise ValueError(f"cannot parse {text!r}")


def breaks_after_another_error(text: str) -> Source:
    try:
        raise OSError(f"{text} has moved to http://bob:s3cret@elsewhere/?key=abc123")
    except OSError as error:
        raise SourceError("camera.lan: gone") from error


@pytest.mark.parametrize("opens", [refuses, breaks, breaks_after_another_error])
def test_no_event_tells_a_password(start: Start, listener: Listener, opens) -> None:
    def open_source(text: str, *, options: SourceOptions | None, interrupted: threading.Event | None):
        return opens(text)

    session = start(open_source=open_source)
    session.open(SECRET)
    listener.wait_for(Closed)
    assert listener.all(Opening)[0].name == "rtsp://***@camera.lan:554/live?token=***"
    assert "camera.lan" in listener.all(Failed)[0].details
    assert all(not tells_a_secret(event) for event in listener.events)


def test_the_reason_of_a_loss_tells_no_password(start: Start, listener: Listener) -> None:
    def lost() -> None:
        raise SourceError(f"{SECRET}: gone")

    opens = OpensWhatItIsTold(**{SECRET: lambda _: camera(at=2, fault=lost)})
    session = start(open_source=opens)
    session.open(SECRET)
    assert "camera.lan" in listener.wait_for(Lost).reason
    assert all(not tells_a_secret(event) for event in listener.events)


def tells_a_secret(event: Event) -> bool:
    return any(secret in repr(event) for secret in ("s3cret", "pass@", "abc123", "anna"))


def test_annotating_what_is_not_there_is_told_without_its_password(
    start: Start, tmp_path: Path, listener: Listener
) -> None:
    def open_source(text: str, *, options: SourceOptions | None, interrupted: threading.Event | None):
        return breaks(text)

    session = start(open_source=open_source)
    session.annotate(SECRET, tmp_path / "a.mp4")
    assert listener.wait_for(Failed).task == "annotation"
    assert all(not tells_a_secret(event) for event in listener.events)


def test_a_background_picture_that_is_gone_is_told_when_a_source_is_opened(
    start: Start, clip: str, tmp_path: Path, listener: Listener
) -> None:
    session = start(DisplaySettings(background="picture", background_picture=tmp_path / "sea.png"))
    session.open(clip)
    failed = listener.wait_for(Failed)
    assert failed.task == "display"
    assert "sea.png" in failed.message
    newest(session)
