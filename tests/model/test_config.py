"""Configurations as values, and which of those out of a file are refused."""

import dataclasses
import json
import math
from typing import Any

import pytest

from model.config import PRESETS, AnchorFreeConfig, YolactConfig, preset
from model.config_limits import check_limits
from model.errors import ConfigError
from tests.small_networks import COMPACT, FREE


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_survives_a_file_and_is_within_the_limits(name: str):
    text = json.dumps(PRESETS[name].to_dict())

    back = YolactConfig.from_dict(json.loads(text))

    assert back == PRESETS[name]
    assert hash(back) == hash(PRESETS[name])
    check_limits(back)


def test_a_configuration_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PRESETS["livemask_s"].image_size = 5  # type: ignore[misc]


def test_an_unknown_preset_is_answered_with_the_names_there_are():
    with pytest.raises(ConfigError, match=r"'yolo'.*livemask_n.*livemask_s"):
        preset("yolo")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"surprise": 1}, "config: setting 'surprise' is unknown"),
        (
            {"backbone": {"name": "resnet18", "width": 64}},
            "config.backbone: setting 'deformable_int.*missing",
        ),
        ({"loss": 3}, "config.loss: expected a table of settings, got int"),
        ({"anchor_free": {"bins": 11}}, "config.anchor_free: setting 'fine_layers' is missing"),
        ({"anchor_free": 5}, "config.anchor_free: expected a table of settings, got int"),
    ],
)
def test_settings_of_another_version_are_named(change: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=said):
        YolactConfig.from_dict(COMPACT.to_dict() | change)


BAD_SETTINGS: list[tuple[str, Any]] = [
    ("name", 7),
    ("class_names", ()),
    ("class_names", "person"),
    ("class_names", (1, 2)),
    ("class_names", ("x",) * 10_001),
    ("backbone.name", 3),
    ("backbone.width", 10**6),
    ("backbone.deformable_interval", -1),
    ("fpn_channels", 10**6),
    ("protonet_channels", (64,) * 1000),
    ("protonet_channels", (64, 0)),
    ("protonet_out_channels", -1),
    ("num_prototypes", 10**9),
    ("batch_norm", 1),
    ("mask_iou", None),
    ("pixel_mean", (0.0, math.nan, 0.0)),
    ("pixel_mean", (0.0, 0.0)),
    ("pixel_std", (1.0, 0.0, 1.0)),
    ("pixel_std", (math.inf, 1.0, 1.0)),
    ("anchors.sides", ((8.0,),) * 4),
    ("anchors.sides", ((8.0,), (8.0,), (8.0,), (8.0,), (8.0, 9.0))),
    ("anchors.sides", ((math.nan,),) * 5),
    ("anchors.ratios", ()),
    ("anchors.ratios", (0.0,)),
    ("anchors.reference_size", 0),
    ("anchors.square", "no"),
    ("loss.box_loss", "l2"),
    ("loss.class_weight", math.nan),
    ("loss.negatives_per_positive", -3),
    ("anchors", None),
    ("anchor_free", AnchorFreeConfig()),
    ("detection.class_thresholds", (0.5,)),
    ("detection.class_thresholds", (0.5,) * 79 + (1.5,)),
    ("detection.class_thresholds", (0.5,) * 79 + (math.nan,)),
    ("detection.class_thresholds", 0.5),
    ("detection.confidence_threshold", math.nan),
    ("detection.nms_iou_threshold", 2),
    ("detection.nms_top_k", 10**12),
    ("detection.max_detections", 10**9),
]


@pytest.mark.parametrize(("setting", "value"), BAD_SETTINGS)
def test_a_setting_out_of_range_is_named(setting: str, value: Any):
    # where both or neither are given it is the anchors that are named
    told = "anchors" if setting == "anchor_free" else setting
    with pytest.raises(ConfigError, match=f"config: {told} is out of range"):
        check_limits(changed(COMPACT, setting, value))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("anchor_free.bins", 1),
        ("anchor_free.bins", 10**6),
        ("anchor_free.mask_channels", 0),
        ("anchor_free.fine_layers", -1),
        ("anchor_free.fine_layers", 2.0),
    ],
)
def test_a_setting_of_an_anchor_free_head_out_of_range_is_named(setting: str, value: Any):
    with pytest.raises(ConfigError, match=f"config: {setting} is out of range"):
        check_limits(changed(FREE, setting, value))


def test_a_threshold_for_every_class_is_taken():
    check_limits(changed(COMPACT, "detection.class_thresholds", (0.0,) * 79 + (1.0,)))


def test_a_file_from_before_there_were_anchor_free_heads_and_thresholds_of_classes_is_read():
    values = COMPACT.to_dict()
    del values["anchor_free"]
    del values["detection"]["class_thresholds"]

    assert YolactConfig.from_dict(values) == COMPACT


@pytest.mark.parametrize("size", [31, 10**9, 416.0, True])
def test_an_input_size_out_of_range_is_told_with_the_range(size: Any):
    for config in (COMPACT, FREE):
        with pytest.raises(ConfigError, match=f"must be 32 to 4096 pixels, got {size}"):
            check_limits(dataclasses.replace(config, image_size=size))


@pytest.mark.parametrize(("size", "near"), [(400, 384), (415, 416), (33, 32), (4095, 4096)])
def test_a_side_that_cannot_be_padded_to_is_told_with_the_nearest_that_can(size: int, near: int):
    said = f"must be a multiple of 32 pixels, such as {near}, got {size}"
    with pytest.raises(ConfigError, match=said):
        check_limits(dataclasses.replace(FREE, image_size=size))
    check_limits(dataclasses.replace(COMPACT, image_size=size))  # stretched to a square of any size


def test_settings_that_are_fine_alone_may_be_too_many_anchors_together():
    config = dataclasses.replace(COMPACT, image_size=4096)
    config = changed(config, "anchors.sides", (tuple(range(1, 21)),) * 5)
    with pytest.raises(ConfigError, match="anchors are too many"):
        check_limits(config)


def test_a_network_that_re_scores_needs_a_larger_input():
    config = dataclasses.replace(PRESETS["yolact_plus_resnet50"], image_size=248)
    with pytest.raises(ConfigError, match=r"image_size must be 249 to 4096 pixels .* got 248"):
        check_limits(config)


def changed(config: YolactConfig, setting: str, value: Any) -> YolactConfig:
    if "." not in setting:
        return dataclasses.replace(config, **{setting: value})
    part, name = setting.split(".")
    inner = dataclasses.replace(getattr(config, part), **{name: value})
    return dataclasses.replace(config, **{part: inner})
