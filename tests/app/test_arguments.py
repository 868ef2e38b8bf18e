"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import inspect

from app.arguments import add_predictor_arguments, predictor_options
from model.predictor import load_predictor


def parsed(*arguments: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    add_predictor_arguments(parser)
    return predictor_options(parser.parse_args(arguments))


def test_every_argument_reaches_the_predictor_under_its_own_name() -> None:
    options = parsed(
        *("--weights", "w.pt", "--device", "cuda:1", "--score-threshold", "0.5", "--top-k", "7"),
        *("--engine", "torch", "--precision", "bf16"),
        *("--nms", "exact", "--classes", "person, traffic light", "--image-size", "320"),
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
        "image_size": 320,
    }


def test_without_arguments_the_predictor_gets_its_own_defaults() -> None:
    signature = inspect.signature(load_predictor)
    for name, value in parsed().items():
        assert signature.parameters[name].default == value, name
