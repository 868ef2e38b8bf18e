"""The window at work: a real session, the shipped weights and the demo clip; whatever happens, it goes on."""

from __future__ import annotations

import contextlib
import json
import threading
from functools import partial
from time import monotonic

import av
import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from assets.make_demo_video import scene
from model.errors import SourceError
from pipeline.live.privacy.cells import Grid
from pipeline.settings import DisplaySettings
from tests.full_disk import no_file_longer_than
from tests.pipeline.standins import Source, fail
from tests.ui.live_window import DEMO, PATIENCE, camera, found, pause_demo, rests, threads, told, widgets
from ui.control.notices import Level

LIMIT, SLACK = 2.0, 1.0  # seconds that closing may take; those of a busy machine
RATE = 25  # frames of the demo a second
BARE = DisplaySettings(masks=False, outlines=False, boxes=False, labels=False, privacy=True)


def test_a_source_a_model_and_a_sink_that_raise_become_notices_and_the_window_goes_on(begin, until):
    window = begin("bad", bad=partial(camera, at=3, fault=fail))
    controller = window.controller
    until(lambda: told(window, Level.ERROR, "the cable is out"))
    controller.open(DEMO)
    until(lambda: found(window))
    controller.session.playback.loop = True
    controller.set_detection(weights="no_such_weights.pt")
    until(lambda: told(window, Level.ERROR, "no_such_weights.pt"))
    with no_file_longer_than(100):
        controller.toggle_recording()
        until(lambda: told(window, Level.ERROR, "cannot be written"))
    at = controller.result.frame.index
    until(lambda: found(window) and controller.result.frame.index > at + 3)
    assert not controller.session.recording


def test_a_camera_that_vanishes_and_comes_back_is_told_and_goes_on(begin, until):
    back = threading.Event()
    opened = []

    def vanish() -> None:
        raise SourceError("it was unplugged")

    def connect(interrupted: threading.Event) -> Source:
        if opened and not back.is_set():
            raise SourceError("still unplugged")
        opened.append(camera() if opened else camera(at=5, fault=vanish))
        return opened[-1]

    window = begin("0", **{"0": connect})
    until(lambda: told(window, Level.WARNING, "it was unplugged"))
    assert window.view.isVisible()
    until(lambda: window.controller.session.latest.peek() is not None)
    at = window.controller.session.latest.peek().frame.index
    back.set()
    until(lambda: told(window, Level.INFO, "is back"))
    until(lambda: window.controller.result and window.controller.result.frame.index > at + 3)


def test_however_often_somebody_seeks_while_frames_are_worked_on_the_last_place_is_shown(begin, qtbot, until):
    window = begin()
    until(lambda: found(window))
    controller = window.controller
    for number in range(40):
        controller.seek(0.07 * (number * 17 % 40))
        qtbot.wait(10)  # frames are in every stage
    controller.session.playback.pause()
    controller.seek(1.0)
    until(lambda: rests(window) and abs(float(controller.result.frame.time) - 1.0) < 0.05)
    assert window.notices.notices == ()


def frame_of_demo(index: int) -> np.ndarray:
    with av.open(DEMO) as file:
        return next(
            picture.to_ndarray(format="bgr24")
            for number, picture in enumerate(file.decode(video=0))
            if number == index
        )


def people(index: int) -> np.ndarray:
    """[H, W] bool, every pixel of everybody in a frame of the demo, known exactly."""
    return np.any(list(scene(index)[1].values()), axis=0)


def detail(image: np.ndarray, where: np.ndarray) -> float:
    """How much a pixel differs from its right neighbour in the same cell of the grid, on average."""
    side = Grid.of(where.shape).side
    steps = np.abs(np.diff(image.astype(int), axis=1)).mean(2)
    inside = np.arange(steps.shape[1]) % side != side - 1
    return float(steps[where[:, :-1] & inside].mean())


def is_of_whole_cells(mask: np.ndarray) -> bool:
    side = Grid.of(mask.shape).side
    blocks = [mask[y : y + side, x : x + side] for y in range(0, mask.shape[0], side)
              for x in range(0, mask.shape[1], side)]  # fmt: skip
    return all(block.all() or not block.any() for block in blocks)


def test_with_privacy_snapshot_recording_and_json_hold_blocks_where_people_are(begin, until, tmp_path):
    window = begin(display=BARE)
    controller, session = window.controller, window.controller.session
    until(lambda: found(window) and session.hidden_reason == "")
    pause_demo(window, until)
    index = round(controller.result.frame.time * RATE)
    controller.snapshot()
    until(lambda: told(window, Level.INFO, "Snapshot saved"))
    controller.toggle_recording()
    until(lambda: session.recording)
    for _ in range(3):
        at = controller.result.frame.index
        session.playback.again()
        until(lambda at=at: controller.result.frame.index > at)
    controller.toggle_recording()
    until(lambda: told(window, Level.INFO, "Recording saved"))
    (picture,), (video,), (lines,) = (
        (tmp_path / "out").glob(f"*{kind}") for kind in (".png", ".mp4", ".jsonl")
    )

    original, where = frame_of_demo(index), people(index)
    before = detail(original, where)
    assert detail(cv2.imread(str(picture)), where) < 0.05 * before
    with av.open(str(video)) as file:
        recorded = [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0)]
    assert recorded
    assert max(detail(frame, where) for frame in recorded) < 0.3 * before
    told_of = [one for line in lines.read_text().splitlines() for one in json.loads(line)["detections"]]
    masks = [coco_mask.decode(one["segmentation"]) for one in told_of if one["class"] == "person"]
    assert masks
    assert all(map(is_of_whole_cells, masks))


@contextlib.contextmanager
def closed_in_time(window):
    """Closes it, within the limit; what hangs is let go within the context."""
    begun = monotonic()
    window.close()
    assert monotonic() - begun < LIMIT + SLACK
    assert window.isHidden()
    yield
    assert not [thread for thread in threading.enumerate() if "livemask" in thread.name and not thread.daemon]


def test_the_window_closes_in_time_while_a_network_loads(begin, until):
    begun, go_on = threading.Event(), threading.Event()

    def load(settings):
        begun.set()
        assert go_on.wait(PATIENCE / 1000)
        raise OSError("too late")

    window = begin(load=load)
    until(begun.is_set)
    with closed_in_time(window):
        go_on.set()
    until(lambda: not window.controller.session.alive)


def test_the_window_closes_in_time_while_a_source_opens_that_hangs(begin, until):
    begun, go_on = threading.Event(), threading.Event()

    def hang(interrupted):
        begun.set()
        assert go_on.wait(PATIENCE / 1000)
        raise SourceError("too late")

    window = begin("stuck", stuck=hang)
    until(begun.is_set)
    with closed_in_time(window):
        go_on.set()
    until(lambda: not window.controller.session.alive)


def test_the_window_closes_in_time_while_it_records_and_the_recording_is_whole(begin, until, tmp_path):
    window = begin()
    until(lambda: found(window))
    window.controller.session.playback.loop = True
    window.controller.toggle_recording()
    until(lambda: window.controller.session.recording)
    for _ in range(5):  # frames between those that are shown may have been dropped
        at = window.controller.result.frame.index
        until(lambda at=at: window.controller.result.frame.index > at)
    with closed_in_time(window):
        pass
    (video,) = (tmp_path / "out").glob("*.mp4")
    with av.open(str(video)) as file:
        assert sum(1 for _ in file.decode(video=0)) > 1


@pytest.mark.slow
def test_sources_replaced_fifty_times_in_a_row_leave_nothing_behind(begin, until):
    cameras = []

    def connect(interrupted):
        cameras.append(camera())
        return cameras[-1]

    window = begin(**{"0": connect})
    until(lambda: found(window))
    most = 0, 0  # widgets and threads with the first few
    for number in range(50):
        live = number % 2 == 0
        window.controller.open("0" if live else DEMO)
        until(
            lambda live=live: (
                window.controller.result is not None
                and window.controller.opened.info.live is live
                and (live or found(window))
            )
        )
        if number < 4:
            most = max(most[0], widgets()), max(most[1], threads())
    until(lambda: widgets() <= most[0] and threads() <= most[1])
    assert [one.closed for one in cameras] == [1] * 25
    assert window.notices.notices == ()


def test_a_folder_of_images_is_closed_in_the_window_too(begin, until, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(3):
        assert cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 64, 3), 40 * number, np.uint8))
    window = begin(str(folder))
    until(lambda: window.view.has_picture)
    assert window.controller.settings.recent == (str(folder),)
    window.controller.close_source()
    until(lambda: window.welcome.isVisible())

    assert window.controller.opened is None


def test_a_file_that_cannot_be_opened_leaves_the_source_that_is_shown_alone(begin, until, tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    window = begin()
    until(lambda: found(window))
    window.controller.open(str(bad))
    until(lambda: told(window, Level.ERROR, "bad.mp4"))
    until(lambda: not window.view.opening)

    assert window.controller.opened is not None
    assert window.windowTitle().startswith("demo.mp4")
    assert str(bad) not in window.controller.settings.recent
