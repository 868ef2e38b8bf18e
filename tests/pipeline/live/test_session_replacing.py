"""One source in the place of another, and what events call them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from model.errors import SourceError
from pipeline.live.events import Closed, Event, Failed, Opened, Opening
from pipeline.settings import DisplaySettings
from tests.clips import write_clip
from tests.pipeline.live.sessions import Listener, OpensWhatItIsTold, Start, newest, playing, wait_until
from tests.pipeline.standins import Source as CountedSource


def turns(listener: Listener) -> list[tuple[str, str]]:
    """Which sources came and went, as kinds of events and names."""
    kinds = (Opening, Opened, Closed, Failed)
    return [(type(one).__name__, called(one)) for one in listener.events if isinstance(one, kinds)]


def called(event: Event) -> str:
    return getattr(event, "name", "")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of pictures of three shapes: white, 40 x 30, 30 x 60 and 80 x 20."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, (width, height) in enumerate([(40, 30), (30, 60), (80, 20)]):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((height, width, 3), 255, np.uint8))
    return folder


def test_pictures_of_any_size_are_shown_as_a_whole_in_the_size_of_the_first(
    start: Start, photos: Path, listener: Listener
) -> None:
    session = start(DisplaySettings(masks=False, outlines=False, boxes=False, labels=False))
    session.open(str(photos))
    playback = playing(session)
    playback.pause()
    white = {}
    for number, name in enumerate(("0.png", "1.png", "2.png")):
        playback.seek(number / 25)
        shown = newest(session, lambda result, name=name: result.frame.name == name)
        assert shown.frame.size == (30, 40)
        white[name] = np.argwhere(shown.frame.image[..., 0] == 255)
    corners = {name: (at.min(0).tolist(), at.max(0).tolist()) for name, at in white.items()}
    assert corners == {
        "0.png": ([0, 0], [29, 39]),
        "1.png": ([0, 12], [29, 26]),
        "2.png": ([10, 0], [19, 39]),
    }
    assert listener.all(Failed) == []


def test_photographs_wait_at_the_first_one_until_they_are_turned_over(start: Start, photos: Path) -> None:
    session = start()
    session.open(str(photos))
    assert newest(session, lambda result: len(result.detections)).frame.name == "0.png"
    assert not playing(session).playing
    playing(session).step(1)
    newest(session, lambda result: result.frame.name == "1.png")
    playing(session).play()
    newest(session, lambda result: result.frame.name == "2.png")


def test_a_folder_is_called_the_same_in_every_event(start: Start, photos: Path, listener: Listener) -> None:
    session = start()
    session.open(str(photos))
    assert listener.wait_for(Opened).info.name == f"{photos} (3 images)"
    newest(session)
    session.close_source()
    listener.wait_for(Closed)
    assert turns(listener) == [(kind, str(photos)) for kind in ("Opening", "Opened", "Closed")]


def test_a_broken_picture_ends_a_folder_with_one_closed(
    start: Start, photos: Path, listener: Listener
) -> None:
    (photos / "1.png").write_bytes(b"broken")
    session = start()
    session.open(str(photos))
    newest(session)
    playing(session).step(1)
    listener.wait_for(Closed)
    assert [kind for kind, _ in turns(listener)] == ["Opening", "Opened", "Failed", "Closed"]
    assert session.close(), session.alive
    assert {name for _, name in turns(listener)} == {str(photos), ""}
    assert len(listener.all(Closed)) == 1


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("0", "Camera 0"),
        ("camera:Logitech", "Camera Logitech"),
        ("rtsp://anna:secret@cam/1", "rtsp://***@cam/1"),
    ],
)
def test_cameras_and_addresses_are_called_by_what_people_may_see(
    start: Start, listener: Listener, text: str, name: str
) -> None:
    session = start(open_source=OpensWhatItIsTold(**{text: lambda _: camera()}))
    session.open(text)
    listener.wait_for(Opened)
    session.close_source()
    listener.wait_for(Closed)
    assert turns(listener) == [(kind, name) for kind in ("Opening", "Opened", "Closed")]


def camera() -> CountedSource:
    return CountedSource(None, live=True, pace=0.005)


def test_what_is_shown_goes_on_when_another_source_cannot_be_opened(
    start: Start, clip: str, listener: Listener
) -> None:
    session = start()
    session.open(clip)
    playing(session)
    session.open("nowhere.mp4")
    assert listener.wait_for(Opened, 2) == listener.all(Opened)[0], "it is told again what is shown"
    assert turns(listener) == [
        *[("Opening", clip), ("Opened", clip), ("Opening", "nowhere.mp4"), ("Failed", "")],
        *[("Closed", "nowhere.mp4"), ("Opened", clip)],
    ]
    at = newest(session).frame.index
    newest(session, lambda result: result.frame.index > at + 3)
    session.close_source()
    assert listener.wait_for(Closed, 2) == Closed(clip)
    wait_until(lambda: not any(name.startswith("livemask capture") for name in session.alive))


def test_what_is_shown_goes_on_until_the_next_source_is_open(
    start: Start, tmp_path: Path, listener: Listener
) -> None:
    first, second = camera(), camera()

    def late(interrupted):
        listener.wait_for(Opening, 2)
        at = newest(session).frame.index
        newest(session, lambda result: result.frame.index > at + 3)
        assert not first.closed
        return second

    session = start(open_source=OpensWhatItIsTold(first=lambda _: first, second=late))
    session.open("first")
    newest(session)
    session.open("second")
    listener.wait_for(Opened, 2)
    assert (first.closed, second.closed) == (1, 0)
    wait_until(lambda: session.latest.peek())
    assert [kind for kind, _ in turns(listener)] == ["Opening", "Opened", "Opening", "Closed", "Opened"]


@pytest.mark.parametrize(("one", "other"), [("0", "0"), ("0", "camera:Logi"), ("a.mp4", "a.mp4")])
def test_what_may_be_the_same_camera_or_source_is_closed_first(
    start: Start, listener: Listener, one: str, other: str
) -> None:
    opened: list[CountedSource] = []

    def connect(_) -> CountedSource:
        if any(not source.closed for source in opened):
            raise SourceError("busy")
        opened.append(camera())
        return opened[-1]

    session = start(open_source=OpensWhatItIsTold(**{one: connect, other: connect}))
    session.open(one)
    newest(session)
    session.open(other)
    listener.wait_for(Opened, 2)
    assert listener.all(Failed) == []


def test_a_source_that_is_still_opened_is_given_up_for_the_next_one_or_when_closed(
    start: Start, clip: str, listener: Listener
) -> None:
    def never(interrupted):
        assert interrupted.wait(20)
        raise SourceError("given up")

    session = start(open_source=OpensWhatItIsTold(good=lambda _: camera(), slow=never, slower=never))
    session.open("good")
    newest(session)
    for count, name in enumerate(("slow", "slower"), start=2):
        session.open(name)
        listener.wait_for(Opening, count)
    assert listener.wait_for(Closed) == Closed("slow")
    session.close_source()
    listener.wait_for(Closed, 3)
    assert {event.name for event in listener.all(Closed)} == {"good", "slow", "slower"}
    assert listener.all(Failed) == []


def test_settings_that_change_while_a_source_is_opened_hold_in_it(
    start: Start, tmp_path: Path, listener: Listener
) -> None:
    write_clip(tmp_path / "a.mp4", frames=3)
    private = DisplaySettings(privacy=True, masks=False, outlines=False, boxes=False, labels=False)

    def late(interrupted):
        session.display(private)
        session.inspect(True)
        newest(session, lambda result: result.inspection is not None)
        return camera()

    session = start(open_source=OpensWhatItIsTold(first=lambda _: camera(), second=late))
    session.open("first")
    newest(session, lambda result: len(result.detections))
    session.open("second")
    listener.wait_for(Opened, 2)
    assert newest(session).inspection is not None
    assert session._active.run.painter.display == private
