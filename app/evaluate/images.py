"""One run of a predictor over a labelled data set: accuracy and speed."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pycocotools.coco import COCO

from app.labelled_data import read_labelled
from app.terminal import progress_bar
from model.detections import Detections
from model.errors import DataError, SourceError
from model.evaluation.coco_eval import (
    ClassMatch,
    CocoMetrics,
    CocoResults,
    coco_results,
    match_classes,
    measure,
)
from model.evaluation.ground_truth import GroundTruth
from model.evaluation.matched_masks import MatchedMasks, matched_masks
from model.evaluation.operating_point import OperatingPoint, Reliability, operating_point, reliability
from model.evaluation.scored_matches import scored_matches
from model.predictor import Predictor
from model.training.data.coco.values import Id


@dataclass(frozen=True)
class Task:
    """A data set to measure on.

    labels:      of the images, and where these are
    skip_broken: whether an image that cannot be read counts as one where nothing was found
    resamples:   for the bootstrap intervals of AP50, 0 for none
    """

    labels: GroundTruth
    classes: ClassMatch
    skip_broken: bool = False
    resamples: int = 0

    @property
    def truth(self) -> COCO:
        """The labels alone."""
        return self.labels.truth


def task_for(labels: GroundTruth, predictor: Predictor, skip_broken: bool, resamples: int = 0) -> Task:
    """Return the labels with the classes that are both looked for and labelled.

    Raises ConfigError where there is none.
    """
    names, chosen = predictor.config.class_names, predictor.options.classes
    classes = match_classes(labels.truth, names if chosen is None else [names[i] for i in chosen])
    return Task(labels, classes, skip_broken, resamples)


@dataclass(frozen=True)
class Measurement:
    """The figures of one run.

    label:             what sets this run apart, such as "nms=exact"; empty for a run on its own
    settings:          the settings of detection, as plain values
    metrics:           average precision of all that was detected
    operating_point:   what those detections are worth that are shown
    reliability:       how far their scores are probabilities
    matched_masks:     how well the masks of matched boxes fit, None without masks
    images_per_second: reading, detecting and encoding together, by wall clock
    milliseconds:      median time of one call of the predictor, from a frame to its detections
    skipped:           images that could not be read, and why
    """

    label: str
    settings: Mapping[str, Any]
    metrics: CocoMetrics
    operating_point: OperatingPoint
    reliability: Reliability
    matched_masks: MatchedMasks | None
    images_per_second: float
    milliseconds: float
    skipped: tuple[str, ...]


@dataclass
class Watch:
    """Times and skipped images of a pass over a data set."""

    seconds: list[float] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def measure_run(
    task: Task, label: str, predictor: Predictor, at: float | None = None
) -> tuple[Measurement, CocoResults]:
    """Detect in every image, one at a time, and measure what was found.

    at: the score that a detection exceeds to be shown, None for the weights' own for each class

    Raises what `detect_all` raises.
    """
    _warm_up(predictor, task.truth.dataset["images"][0])
    watch = Watch()
    started = time.perf_counter()
    results = detect_all(task, label or "evaluating", predictor, watch)
    elapsed = time.perf_counter() - started
    matches = scored_matches(task.truth, results, task.classes)
    shown_over = dataclasses.replace(predictor.options, score_threshold=at).thresholds(predictor.config)
    own = dict(zip(predictor.config.class_names, shown_over, strict=True))
    measurement = Measurement(
        label=label,
        settings=settings_of(predictor),
        metrics=measure(task.truth, results, task.classes, task.resamples),
        operating_point=operating_point(matches, [own[name] for name in matches.names]),
        reliability=reliability(matches),
        matched_masks=matched_masks(task.truth, results, task.classes),
        images_per_second=len(watch.seconds) / elapsed,
        milliseconds=1000 * statistics.median(watch.seconds),
        skipped=tuple(watch.skipped),
    )
    return measurement, results


def detect_all(task: Task, title: str, predictor: Predictor, watch: Watch) -> CocoResults:
    """Detect in every image and return results in the COCO server's format. title: shown with the progress.

    Raises DataError on an image that cannot be read, unless it is to be skipped; when none can be read;
    and when one has another size than its labels.
    """
    images = task.truth.dataset["images"]
    with progress_bar() as progress:
        shown = progress.track(images, description=title)
        results = coco_results(task.truth, _detected(predictor, shown, task, watch), task.classes)
    if not watch.seconds:
        raise DataError(f"{task.labels.file}: none of the {len(images)} images of the labels can be read")
    return results


def _warm_up(predictor: Predictor, image: Mapping[str, Any]) -> None:
    """One call that is not timed: the first is slow, as libraries load and algorithms are chosen."""
    predictor(np.zeros((image["height"], image["width"], 3), np.uint8))


def _detected(
    predictor: Predictor, images: Iterable[dict[str, Any]], task: Task, watch: Watch
) -> Iterator[tuple[Id, Detections]]:
    """The id and the detections of each image, a record of the COCO json."""
    for image in images:
        try:
            frame = read_labelled(task.labels.place(image))
        except SourceError as error:
            if not task.skip_broken:
                hint = "--skip-broken counts it as an image where nothing was found"
                raise DataError(f"{error}; {hint}") from error
            watch.skipped.append(str(error))
            continue
        started = time.perf_counter()
        detections = predictor(frame)
        watch.seconds.append(time.perf_counter() - started)
        yield image["id"], detections


def settings_of(predictor: Predictor) -> dict[str, Any]:
    """Return the settings of a predictor as plain values."""
    engine = predictor.engine
    return {
        **dataclasses.asdict(predictor.options),
        "image_size": predictor.config.image_size,
        "engine": engine.name,
        "precision": engine.precision,
        "device": str(engine.device),
        "sharpen": predictor.sharpen,
    }
