"""The scores that detections of own classes are shown from, as the images that were held out say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from app.train.validation import Tell, Validation
from model.checkpoints.yolact import build_from, read_checkpoint
from model.evaluation.calibration import pick_thresholds
from model.training.saved_run import write_weights

LEAST_OBJECTS = 10
"""Classes with fewer labelled objects among the images share a threshold."""


def set_thresholds(weights: Path, validation: Validation, tell: Tell) -> None:
    """Write into a run's weights the threshold of the best F1 of each class.

    Raises TrainingError where the file cannot be written.
    """
    checkpoint = read_checkpoint(weights)
    config = checkpoint.config
    thresholds = pick_thresholds(validation.matches(build_from(checkpoint), tell), LEAST_OBJECTS)
    chosen = thresholds.of(config.class_names)
    detection = dataclasses.replace(config.detection, class_thresholds=chosen)
    config = dataclasses.replace(config, detection=detection)
    write_weights(weights, config, checkpoint.state, checkpoint.licence)
    listed = ", ".join(f"{name} {score:.2f}" for name, score in zip(config.class_names, chosen, strict=True))
    tell(f"shown are detections that score more than: {listed}")
