"""Contract of detection settings: every field has an effect, on a loaded network and on one in use."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from model.config import preset
from pipeline.live.network.fitting import _options, tracking_options
from pipeline.settings import DetectionSettings
from pipeline.tracking.options import FollowOptions

CHANGED: dict[str, Any] = {
    "engine": "torch",
    "device": "cpu",
    "precision": "fp32",
    "image_size": 320,
    "score_threshold": 0.7,
    "max_detections": 7,
    "nms": "exact",
    "classes": ("person",),
    "min_mask_region": 0.5,
    "sharpen": "sharpmask_lite_objects",
}
OF_THE_NETWORK = {"engine", "device", "precision", "image_size", "sharpen"}
FOLLOWING: dict[str, Any] = {"stabilise": "light", "keyframes": 3, "reuse_still": True}


def test_every_field_is_looked_at():
    fields = {field.name for field in dataclasses.fields(DetectionSettings)}
    assert fields == {*CHANGED, *FOLLOWING, "weights"}


@pytest.mark.parametrize("name", CHANGED)
def test_a_field_reaches_the_network_that_is_loaded(name: str):
    settings = DetectionSettings(**{name: CHANGED[name]})
    assert settings.load_options()[name] == CHANGED[name]  # type: ignore[literal-required]


@pytest.mark.parametrize("name", [name for name in CHANGED if name not in OF_THE_NETWORK])
def test_a_field_changes_a_network_in_use(name: str):
    config = preset("livemask_s")
    before, after = (
        _options(s, config) for s in (DetectionSettings(), DetectionSettings(**{name: CHANGED[name]}))
    )
    assert before[name] != after[name]


@pytest.mark.parametrize("name", sorted(OF_THE_NETWORK))
def test_a_field_of_the_network_asks_for_another_one(name: str):
    assert DetectionSettings(**{name: CHANGED[name]}).needs_reload(DetectionSettings())


@pytest.mark.parametrize("name", FOLLOWING)
def test_a_field_of_following_reaches_what_follows_but_not_while_people_are_hidden(name: str):
    settings = DetectionSettings(**{name: FOLLOWING[name]})
    assert getattr(tracking_options(settings, private=False), name) == FOLLOWING[name]
    assert tracking_options(settings, private=True) == FollowOptions()
    assert not settings.needs_reload(DetectionSettings())
    assert settings.as_followed(DetectionSettings()) == DetectionSettings()
