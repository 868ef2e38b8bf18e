"""What was painted before privacy was asked for, and arrives after it."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

from model.detections import no_detections
from pipeline.frame import Result
from pipeline.live.privacy.gate import PrivacyGate
from pipeline.settings import DisplaySettings
from pipeline.sinks.latest import LatestSink
from tests.pipeline.live.sessions import blotches, detail
from tests.pipeline.tracking.tracker_inputs import frame_at

SHOWN = DisplaySettings()
PRIVATE = dataclasses.replace(SHOWN, privacy=True)


class Asked(SimpleNamespace):
    """Stands for `Networks`: privacy holds for every frame from the moment on that it is asked for."""

    must, seen_to = False, False

    def must_hide(self, frame):
        return self.must

    def overlooked(self, frame):
        return self.seen_to


@pytest.fixture
def result() -> Result:
    image = blotches(0, 160, 120)
    frame = dataclasses.replace(frame_at(0), image=image)
    return Result(frame, no_detections(frame.size, ("person",)), annotated=image.copy())


def to_be_seen(shown: Result | None) -> float:
    """The detail in the frame, or in what was drawn on it where that has more."""
    assert shown is not None
    assert shown.annotated is not None
    return max(detail(shown.frame.image), detail(shown.annotated))


def test_what_may_be_seen_passes_as_it_is(result: Result):
    latest = LatestSink()
    PrivacyGate(latest, Asked(), SHOWN).write(result)
    assert latest.peek() is result


def test_what_was_on_its_way_when_privacy_was_asked_for_is_hidden(result: Result):
    latest, asked = LatestSink(), Asked()
    curtain = PrivacyGate(latest, asked, SHOWN)
    asked.must = True
    curtain.write(result)
    assert to_be_seen(latest.peek()) < 10 < to_be_seen(result)


def test_what_is_shown_already_is_hidden_once_everybody_is_looked_for(result: Result):
    latest, asked = LatestSink(), Asked()
    curtain = PrivacyGate(latest, asked, SHOWN)
    curtain.write(result)
    curtain.draw(SHOWN)
    assert latest.peek() is result
    asked.must = asked.seen_to = True
    curtain.draw(PRIVATE)
    assert to_be_seen(latest.peek()) < 10
    curtain.write(result)
    assert to_be_seen(latest.peek()) < 10
