"""How a comparison stands, and what its right side is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from model.errors import CheckpointError
from model.predictor import Predictor
from pipeline.live.events import Event, Failed
from pipeline.live.network.comparison import LiveComparison
from pipeline.settings import ComparisonSettings, DetectionSettings
from tests.pipeline.live.sessions import small_network

LEFT = DetectionSettings(score_threshold=0.4, classes=("dog",))
ON = ComparisonSettings(on=True, stabilise="light")


class Told:
    """What stands for the detector, the loader and the listener; it remembers all it is told."""

    def __init__(self) -> None:
        self.sides: list[tuple[Any, Any]] = []
        self.asked = 0
        self.events: list[Event] = []
        self.loaded: list[DetectionSettings] = []
        self.meanwhile: Callable[[], None] = lambda: None  # what happens while a network is loaded
        self.comparison = LiveComparison(self._load, self.events.append, self._ask)
        self.network = small_network()

    def compare(self, predictor: Predictor | None, follow: object = None) -> None:
        self.sides.append((predictor, follow))

    def has_left(self, settings: DetectionSettings = LEFT, private: bool = False) -> None:
        self.comparison.set_left(self.network, settings, private, self)  # type: ignore[arg-type]

    @property
    def right(self) -> Any:
        return self.sides[-1][0]

    def _ask(self) -> None:
        self.asked += 1

    def _load(self, settings: DetectionSettings) -> Predictor:
        self.loaded.append(settings)
        self.meanwhile()
        if settings.weights == "missing":
            raise CheckpointError("no such weights")
        return small_network()


@pytest.fixture
def told() -> Told:
    return Told()


def test_it_is_off_at_first_and_waits_for_a_network_when_it_is_asked_for(told: Told) -> None:
    assert told.comparison.status.state == "off"
    told.comparison.choose(ON)
    assert told.comparison.status.state == "waiting"
    told.has_left()
    assert told.comparison.status.state == "on"


def test_what_needs_no_other_network_is_found_by_the_left_ones(told: Told) -> None:
    told.has_left()
    told.comparison.choose(replace(ON, stabilise="strong", score_threshold=0.7, nms="exact"))
    status = told.comparison.status
    assert status.state == "on"
    assert status.left == LEFT
    assert status.right == replace(LEFT, stabilise="strong", score_threshold=0.7, nms="exact")
    predictor, follow = told.sides[-1]
    assert predictor.engine is told.network.engine
    assert (predictor.options.score_threshold, predictor.options.nms) == (0.7, "exact")
    assert predictor.options.classes == (1,)
    assert follow.stabilise == "strong"
    assert told.asked == 0


def test_the_right_side_goes_by_the_left_one_where_nothing_is_to_differ(told: Told) -> None:
    told.comparison.choose(replace(ON, stabilise=None))
    told.has_left()
    told.has_left(replace(LEFT, score_threshold=0.6, stabilise="light"))
    assert told.right.options.score_threshold == 0.6
    assert told.comparison.status.right == told.comparison.status.left


def test_another_network_is_asked_for_and_compared_with_once_it_is_there(told: Told) -> None:
    told.has_left()
    told.comparison.choose(replace(ON, weights="other"))
    assert (told.comparison.status.state, told.asked, told.right) == ("loading", 1, None)
    told.comparison.load()
    assert told.comparison.status.state == "on"
    assert told.right.engine is not told.network.engine
    assert told.right.options.classes is None, "other weights may know other classes"
    told.comparison.choose(replace(ON, weights="other", score_threshold=0.9))
    assert told.right.options.score_threshold == 0.9
    assert [settings.weights for settings in told.loaded] == ["other"]


def test_a_network_that_cannot_be_had_is_told_once_and_tried_again_with_the_next_choice(told: Told) -> None:
    told.has_left()
    told.comparison.choose(replace(ON, weights="missing"))
    told.comparison.load()
    told.has_left(replace(LEFT, score_threshold=0.5))
    assert told.comparison.status.state == "failed"
    assert told.comparison.status.problem == "no such weights"
    assert told.right is None
    assert [event.message for event in told.events if isinstance(event, Failed)] == [
        "The comparison does not work: no such weights"
    ]
    assert told.asked == 1
    told.comparison.choose(replace(ON, weights="missing", stabilise="strong"))
    assert told.asked == 2


def test_what_makes_no_sense_is_told_and_nothing_is_compared(told: Told) -> None:
    told.has_left()
    told.comparison.choose(replace(ON, score_threshold=7.0))
    assert told.comparison.status.state == "failed"
    assert "7.0" in told.comparison.status.problem
    assert told.right is None


def test_a_right_side_that_failed_with_a_frame_stays_away_until_something_else_is_chosen(told: Told) -> None:
    told.has_left()
    told.comparison.choose(ON)
    told.comparison.broke(OSError("no memory is left"))
    assert (told.comparison.status.state, told.right) == ("failed", None)
    told.has_left(replace(LEFT, score_threshold=0.5))
    assert (told.comparison.status.state, told.right) == ("failed", None)
    assert len(told.events) == 1
    told.comparison.choose(replace(ON, stabilise="strong"))
    assert told.comparison.status.state == "on"


def test_weights_that_fail_after_others_were_chosen_do_not_stand_in_their_way(told: Told) -> None:
    told.has_left()
    told.meanwhile = lambda: told.comparison.choose(replace(ON, weights="other"))
    told.comparison.choose(replace(ON, weights="missing"))
    told.comparison.load()
    assert (told.comparison.status.state, told.events) == ("loading", [])
    told.meanwhile = lambda: None
    told.comparison.load()
    assert told.comparison.status.state == "on"
    assert [settings.weights for settings in told.loaded] == ["missing", "other"]


def test_a_frame_that_failed_says_nothing_of_a_network_that_is_only_being_loaded(told: Told) -> None:
    told.has_left()
    told.comparison.choose(replace(ON, weights="other"))
    told.comparison.broke(OSError("no memory is left"))
    told.comparison.load()
    assert (told.comparison.status.state, told.events) == ("on", [])


def test_why_there_is_no_right_side_is_still_known_after_privacy(told: Told) -> None:
    told.has_left()
    told.comparison.choose(ON)
    told.comparison.broke(OSError("no memory is left"))
    problem = told.comparison.status.problem
    told.has_left(private=True)
    told.has_left()
    assert (told.comparison.status.state, told.comparison.status.problem) == ("failed", problem)
    assert "no memory is left" in problem


def test_with_privacy_there_is_no_right_side(told: Told) -> None:
    told.comparison.choose(ON)
    told.has_left()
    told.has_left(private=True)
    assert (told.comparison.status.state, told.right) == ("private", None)
    told.has_left()
    assert told.comparison.status.state == "on"
    assert told.right is not None


def test_a_network_that_comes_after_something_else_was_chosen_is_not_used(told: Told) -> None:
    told.has_left()
    told.comparison.choose(replace(ON, weights="other"))
    told.comparison.choose(ON)
    told.comparison.load()
    assert told.loaded == []
    assert told.right.engine is told.network.engine


def test_the_default_weights_by_their_name_are_those_of_the_left() -> None:
    assert ON.right_of(LEFT) == replace(LEFT, stabilise="light")
    assert replace(ON, weights="livemask_s").right_of(LEFT).needs_reload(LEFT) is False
