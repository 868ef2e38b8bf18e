"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import inspect

import pytest

from app.annotate.options import AnnotateOptions, TrackingOptions
from app.options import add_detection_arguments, add_drawing_arguments, add_tracking_arguments, record
from app.values import combined, sweep, track_formats
from model.errors import ConfigError
from model.predictor import load_predictor
from pipeline.settings import DetectionSettings, DisplaySettings
from pipeline.sinks.tracks import TRACK_FORMATS
from pipeline.tracking.options import STABILISE_KINDS, FollowOptions


def parsed(*arguments: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    add_detection_arguments(parser)
    settings = record(DetectionSettings, parser.parse_args(arguments))
    return {"weights": settings.weights, **settings.load_options()}


def test_every_argument_reaches_the_predictor_under_its_own_name() -> None:
    options = parsed(
        *("--weights", "w.pt", "--device", "cuda:1", "--score-threshold", "0.5", "--top-k", "7"),
        *("--engine", "torch", "--precision", "bf16"),
        *("--nms", "exact", "--classes", "person, traffic light", "--image-size", "320"),
        *("--min-mask-region", "0.25", "--sharpen", "s.pt"),
    )
    assert options == {
        "weights": "w.pt",
        "device": "cuda:1",
        "engine": "torch",
        "precision": "bf16",
        "score_threshold": 0.5,
        "max_detections": 7,
        "nms": "exact",
        "classes": ("person", "traffic light"),
        "min_mask_region": 0.25,
        "sharpen": "s.pt",
        "image_size": 320,
    }


def test_without_arguments_the_predictor_gets_its_own_defaults() -> None:
    signature = inspect.signature(load_predictor)
    for name, value in parsed().items():
        assert signature.parameters[name].default == value, name


def test_masks_are_sharpened_by_the_usual_weights_where_none_are_named() -> None:
    assert parsed("--sharpen")["sharpen"] == "sharpmask_lite_objects"
    compared = combined([sweep("sharpen=off,on,own.pt")])
    assert {label: change["sharpen"] for label, change in compared.items()} == {
        "sharpen=off": None,
        "sharpen=sharpmask_lite_objects": "sharpmask_lite_objects",
        "sharpen=own.pt": "own.pt",
    }


def test_the_window_and_the_command_line_draw_alike_without_being_asked() -> None:
    parser = argparse.ArgumentParser()
    add_drawing_arguments(parser)
    assert record(DisplaySettings, parser.parse_args([])) == DisplaySettings()


def test_a_value_that_is_given_comes_before_an_argument_of_its_name() -> None:
    args = argparse.Namespace(weights="w.pt", nms="exact", other=1)
    assert record(DetectionSettings, args, weights=None) == DetectionSettings(nms="exact")


def followed(*arguments: str, no_masks: bool = False) -> FollowOptions | None:
    parser = argparse.ArgumentParser()
    add_tracking_arguments(parser)
    args = parser.parse_args(arguments, argparse.Namespace(inputs=["clip.mp4"]))
    parts = {"detection": record(DetectionSettings, args), "tracking": record(TrackingOptions, args)}
    options = record(AnnotateOptions, args, drawing=DisplaySettings(masks=not no_masks), **parts)
    options.check_tracking()
    return options.follow


def test_instances_are_followed_without_being_asked_for_and_not_stabilised() -> None:
    assert followed() == FollowOptions(stabilise="off")
    assert followed("--no-track") is None
    assert followed("--no-track", "--stabilise", "off") is None


@pytest.mark.parametrize("strength", STABILISE_KINDS)
def test_every_strength_can_be_chosen(strength: str) -> None:
    assert followed("--stabilise", strength) == FollowOptions(stabilise=strength)


@pytest.mark.parametrize("name", TRACK_FORMATS)
def test_a_format_is_refused_where_it_would_have_nothing_to_hold(name: str) -> None:
    wanted = TRACK_FORMATS[name]
    assert followed("--tracks-as", name) == FollowOptions()
    for needed, arguments, no_masks in (
        (wanted.needs_tracks, ("--no-track",), False),
        (wanted.needs_masks, (), True),
    ):
        if needed:
            with pytest.raises(ConfigError, match=f"--tracks-as {name} holds"):
                followed("--tracks-as", name, *arguments, no_masks=no_masks)
        else:
            followed("--tracks-as", name, *arguments, no_masks=no_masks)


def test_formats_have_commas_between_them_and_are_taken_once() -> None:
    assert track_formats("coco, csv,coco") == ("coco", "csv")
    for text in ("", "csv,", "CSV", "csv;mots"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected any of csv, coco, mots"):
            track_formats(text)
