"""Tracks and comparisons in the window: a real session, the shipped weights and the demo clip."""

from __future__ import annotations

import shutil
from time import monotonic

from pipeline.settings import DisplaySettings
from tests.ui.live_window import DEMO, found, pause_demo, rests, told
from ui.control.notices import Level

LIMIT, SLACK = 2.0, 1.0  # seconds that closing may take; those of a busy machine


def ids(window):
    return window.controller.result.detections.track_ids.tolist()


def compares_with(controller, **changes):
    """Whether the right side is like that, and shown."""
    status = controller.session.comparison
    return status.state == "on" and all(
        getattr(status.right, name) == value for name, value in changes.items()
    )


def goes_on(window, until):
    """Both sides are shown, and go on."""
    until(lambda: window.controller.shows_two_sides)
    at = window.controller.result.frame.index
    until(lambda: window.controller.shows_two_sides and window.controller.result.frame.index > at + 2)


def test_tracks_stay_through_a_pause_a_change_of_settings_and_a_step(begin, until):
    window = begin()
    controller = window.controller
    pause_demo(window, until)
    before = ids(window)
    assert min(before) >= 0
    index = controller.result.frame.index
    controller.set_detection(stabilise="strong")
    until(lambda: rests(window) and controller.result.frame.index > index)
    # a stronger stabiliser also shows tracks that score less
    assert set(before) <= set(ids(window))
    time = controller.result.frame.time
    controller.step(1)
    until(lambda: rests(window) and controller.result.frame.time > time)
    assert set(ids(window)) & set(before)


def test_a_comparison_goes_on_while_sources_and_networks_change(begin, until, tmp_path):
    window = begin()
    controller = window.controller
    until(lambda: found(window))
    controller.session.playback.loop = True
    controller.comparer.change(on=True, stabilise="strong")
    goes_on(window, until)
    until(lambda: controller.session.scores is not None)
    controller.set_detection(engine="torch", image_size=256)
    until(lambda: controller.loaded.image_size == 256)
    goes_on(window, until)
    controller.comparer.change(image_size=192)
    until(lambda: compares_with(controller, image_size=192))
    goes_on(window, until)
    second = shutil.copy(DEMO, tmp_path / "second.mp4")
    controller.open(str(second))
    until(lambda: controller.title == "second.mp4" and controller.session.playback is not None)
    controller.session.playback.loop = True
    goes_on(window, until)
    assert [notice for notice in window.notices.notices if notice.level is Level.ERROR] == []


def test_weights_that_cannot_be_compared_with_are_a_notice_and_the_picture_goes_on(begin, until, tmp_path):
    path = tmp_path / "broken.pt"
    path.write_bytes(b"no weights")
    window = begin()
    until(lambda: found(window))
    window.controller.session.playback.loop = True
    window.controller.comparer.change(on=True, weights=str(path))
    until(lambda: told(window, Level.ERROR, "broken.pt"))
    at = window.controller.result.frame.index
    until(lambda: found(window) and window.controller.result.frame.index > at + 2)
    assert not window.controller.shows_two_sides
    window.controller.comparer.change(weights=None)
    goes_on(window, until)
    assert window.notices.notices == ()


def test_nobody_comes_to_light_by_a_comparison(begin, until):
    window = begin(display=DisplaySettings(privacy=True))
    controller = window.controller
    until(lambda: found(window) and controller.session.hidden_reason == "")
    controller.session.playback.loop = True
    controller.comparer.change(on=True)
    until(lambda: controller.session.comparison.state == "private")
    seen = []
    for _ in range(4):
        at = controller.session.latest.peek().frame.index
        until(lambda at=at: controller.session.latest.peek().frame.index > at)
        seen.append(controller.session.latest.peek().other)
    assert set(seen) == {None}
    controller.set_display(privacy=False)
    goes_on(window, until)


def test_the_window_closes_in_time_while_it_compares(begin, until):
    window = begin()
    until(lambda: found(window))
    window.controller.session.playback.loop = True
    window.controller.comparer.change(on=True, stabilise="strong")
    goes_on(window, until)
    until(lambda: window.controller.session.scores is not None)
    begun = monotonic()
    window.close()
    assert monotonic() - begun < LIMIT + SLACK
    assert window.controller.session.alive == ()
