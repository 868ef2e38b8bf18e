"""What a user may ask of detection, and what is answered when it makes no sense."""

import dataclasses
import math
from typing import Any

import pytest

from model.classes import COCO_CLASSES
from model.config import YolactConfig, preset
from model.errors import ConfigError
from model.options import NMS_KINDS, DetectOptions, class_indices

CONFIG = preset("livemask_n")


def test_the_defaults_are_the_weights_own_threshold_and_at_most_100():
    options = DetectOptions()

    options.check(CONFIG)
    assert (options.score_threshold, options.max_detections, options.nms) == (None, 100, "fast")
    assert options.classes is None
    assert options.crop_masks


def with_thresholds(*thresholds: float) -> YolactConfig:
    detection = dataclasses.replace(CONFIG.detection, class_thresholds=thresholds)
    return dataclasses.replace(CONFIG, class_names=("cat", "dog"), detection=detection)


def test_weights_without_thresholds_of_their_own_have_0_3_for_every_class():
    assert DetectOptions().thresholds(with_thresholds()) == (0.3, 0.3)


def test_the_weights_thresholds_count_unless_one_is_given_for_all_classes():
    config = with_thresholds(0.25, 0.75)

    assert DetectOptions().thresholds(config) == (0.25, 0.75)
    assert DetectOptions(score_threshold=0.5).thresholds(config) == (0.5, 0.5)
    assert DetectOptions(score_threshold=0.0).thresholds(config) == (0.0, 0.0)


def test_the_scale_lowers_whichever_threshold_counts():
    config = with_thresholds(0.25, 0.75)

    assert DetectOptions(threshold_scale=0.5).thresholds(config) == (0.125, 0.375)
    assert DetectOptions(score_threshold=0.5, threshold_scale=0.5).thresholds(config) == (0.25, 0.25)


@pytest.mark.parametrize(
    "good",
    [
        {"score_threshold": 0.0},
        {"score_threshold": 1.0},
        {"max_detections": 1},
        {"classes": (0, 79)},
        *({"nms": kind} for kind in NMS_KINDS),
    ],
)
def test_settings_at_the_edge_of_their_range_are_taken(good: dict[str, Any]):
    DetectOptions(**good).check(CONFIG)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"score_threshold": -0.1}, "score threshold must be 0 to 1, got -0.1"),
        ({"score_threshold": 30}, "score threshold must be 0 to 1, got 30"),
        ({"score_threshold": math.nan}, "score threshold must be 0 to 1, got nan"),
        ({"max_detections": 0}, "at most 1 to 100 detections can be asked for, got 0"),
        ({"max_detections": 101}, "at most 1 to 100 detections can be asked for, got 101"),
        ({"nms": "hard"}, "no NMS is named 'hard'; there are fast, class-agnostic, exact, soft"),
        ({"min_mask_region": 1.5}, "the least region of a mask must be 0 to 1, got 1.5"),
        ({"classes": (0, 80)}, "class indices must be 0 to 79"),
        ({"classes": (-1,)}, "class indices must be 0 to 79"),
        ({"classes": ()}, "at least one"),
    ],
)
def test_settings_out_of_range_are_named_with_what_was_expected(bad: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=said):
        DetectOptions(**bad).check(CONFIG)


def test_class_names_become_sorted_indices_without_repetition():
    assert class_indices(["dog", "person", "dog"], COCO_CLASSES) == (0, 16)
    assert class_indices(None, COCO_CLASSES) is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("persn", "knows? no class 'persn'; did you mean 'person'"),
        ("Dog", "no class 'Dog'; did you mean 'dog'"),
        ("aeroplane", "did you mean 'airplane'"),
        ("quasar", "they know person, bicycle, .* …"),
    ],
)
def test_an_unknown_class_is_answered_with_the_nearest_name(name: str, said: str):
    with pytest.raises(ConfigError, match=said):
        class_indices([name], COCO_CLASSES)


def test_no_class_at_all_is_an_error_and_not_all_classes():
    with pytest.raises(ConfigError, match="leave the option out"):
        class_indices([], COCO_CLASSES)


def test_a_text_where_a_list_of_classes_is_expected_is_refused():
    with pytest.raises(ConfigError, match=r"expected a list of class names, got the text 'person'"):
        class_indices("person", COCO_CLASSES)
