"""What a user may choose about following."""

from __future__ import annotations

import pytest

from model.errors import ConfigError
from pipeline.tracking import TRACKERS
from pipeline.tracking.options import STABILISE_KINDS, FollowOptions
from pipeline.tracking.stabiliser import STRENGTHS


def test_every_choice_that_is_offered_can_be_made():
    assert tuple(STRENGTHS) == STABILISE_KINDS
    for tracker in TRACKERS:
        for stabilise in STABILISE_KINDS:
            FollowOptions(tracker, stabilise).check()
    FollowOptions().check()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (FollowOptions(tracker="bitetrack"), "no tracker is named 'bitetrack'; did you mean 'bytetrack'?"),
        (FollowOptions(stabilise="very"), "named 'very'; there are off, light, strong"),
    ],
)
def test_a_choice_that_there_is_not_is_refused_with_those_that_there_are(options: FollowOptions, said: str):
    with pytest.raises(ConfigError, match=said):
        options.check()
