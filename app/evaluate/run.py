"""The work of `eval`: weights measured on labelled images, or on a video sequence."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.evaluate.images import Measurement, Task, measure_run, task_for
from app.evaluate.report import speed, tables, write_metrics, write_results
from app.evaluate.sequence import DAVIS, find_sequence, is_sequence, measure_sequence, table
from app.labelled_data import labelled_images, tell_reservations
from app.options import DataOptions
from app.terminal import show
from app.values import COMPARABLE, Sweep, combined
from model.checkpoints.catalog import resolve_weights
from model.checkpoints.pins import sha256_of
from model.errors import ConfigError, SinkError
from model.predictor import Predictor, load_predictor
from pipeline.settings import DetectionSettings

FEW_CLASSES = 10  # so many are listed one by one without being asked for
RESAMPLES = 1000


@dataclass(frozen=True)
class EvalOptions:
    """Options of `eval`.

    compare:   values of fields of `detection` to measure side by side, in all combinations
    at:        score over which detections count as shown, 0..1; None for the score threshold, and without
               one for the weights' own of each class
    by_class:  list every class, however many there are
    resamples: for the bootstrap intervals of AP50, 0 for none
    output:    folder of metrics.json and of the results
    """

    data: DataOptions
    detection: DetectionSettings
    compare: Sequence[Sweep] = ()
    at: float | None = None
    by_class: bool = False
    resamples: int = RESAMPLES
    output: Path | None = None

    @property
    def runs(self) -> dict[str, DetectionSettings]:
        """The settings of each run, by what sets it apart; "" for a run on its own."""
        _refuse_keys_of_proposals(self.compare)
        return {label: replace(self.detection, **values) for label, values in combined(self.compare).items()}


def evaluate(options: EvalOptions) -> None:
    """Measure the weights on labelled images or on a video sequence, whichever the data are."""
    if is_sequence(options.data.data):
        _refuse_image_options(options)
        _evaluate_sequence(options)
    else:
        _evaluate_images(options)


def _evaluate_images(options: EvalOptions) -> None:
    """Measure average precision once, or once for each value that is compared."""
    labels = labelled_images(options.data)
    # all of them before the first run, so that a wrong setting does not show up after an hour
    predictors = {label: _load(_keeping_all(settings)) for label, settings in options.runs.items()}
    first = next(iter(predictors.values()))
    task = task_for(labels, first, options.data.skip_broken, options.resamples)
    _make_folder(options.output)
    tell_reservations(task.truth, task.classes)
    facts = _facts(options, task, first)
    measurements = []
    for label, predictor in predictors.items():
        at = options.runs[label].score_threshold if options.at is None else options.at
        measurements.append(_measure(task, label, predictor, at, options.output))
    title = f"{first.config.name} on {labels.file.name}, {len(labels.images)} images"
    _show(title, measurements, options.by_class or len(task.classes.category_ids) <= FEW_CLASSES)
    if options.output:
        write_metrics(options.output / "metrics.json", facts, measurements)
        print(f"written to {options.output}")


def _evaluate_sequence(options: EvalOptions) -> None:
    """Measure how well the object of a video sequence is followed."""
    limit = options.data.limit
    sequence = find_sequence(options.data.data, limit)
    predictor = _load(options.detection)
    _make_folder(options.output)
    measurement = measure_sequence(sequence, predictor)
    title = f"{predictor.config.name} on {sequence.name}, {len(sequence.frames)} frames"
    show(table(title, measurement.figures))
    print(f"{DAVIS}\n\n{speed(measurement)}")
    if options.output:
        data = {"sequence": sequence.name, "frames": len(sequence.frames), "limit": limit}
        facts = {"weights": _weights_facts(options, predictor), "data": data}
        write_metrics(options.output / "metrics.json", facts, [measurement])
        print(f"written to {options.output}")


def _refuse_keys_of_proposals(sweeps: Sequence[Sweep]) -> None:
    keys = [sweep.key for sweep in sweeps if sweep.key not in COMPARABLE]
    if keys:
        raise ConfigError(f"--compare {keys[0]} is a setting of proposals; add --proposals to measure them")


def _refuse_image_options(options: EvalOptions) -> None:
    """Raise ConfigError on what makes no sense for a video sequence."""
    data = options.data
    given = {
        "images": data.images is not None,
        "coverage": data.coverage,
        "source": data.source,
        "skip-broken": data.skip_broken,
        "compare": bool(options.compare),
        "resamples": options.resamples != RESAMPLES,
        "at": options.at is not None,
        "by-class": options.by_class,
    }
    if any(given.values()):
        told = ", ".join(f"--{name}" for name, is_given in given.items() if is_given)
        raise ConfigError(f"{data.data} is a video sequence, for which {told} makes no sense; leave it out")


def _keeping_all(settings: DetectionSettings) -> DetectionSettings:
    """Return the settings with the score threshold for full recall, unless one was given."""
    return settings if settings.score_threshold is not None else replace(settings, score_threshold=0.0)


def _load(settings: DetectionSettings) -> Predictor:
    return load_predictor(weights=settings.weights, **settings.load_options())


def _make_folder(output: Path | None) -> None:
    """Make the folder of the report, if there is to be one: that it cannot be made is told at the start."""
    try:
        if output:
            output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{output}: cannot be made a folder: {error.strerror or error}") from error


def _facts(options: EvalOptions, task: Task, predictor: Predictor) -> dict[str, Any]:
    """Return what was measured on what; nothing where nobody will read it."""
    if not options.output:
        return {}
    labels, data = task.labels.file, options.data
    return {
        "weights": _weights_facts(options, predictor),
        "data": {
            "file": labels.name,
            "sha256": sha256_of(labels) if labels.is_file() else None,
            "images": len(task.truth.imgs),
            "coverage": data.coverage,
            "source": data.source,
            "limit": data.limit,
        },
        "classes": {"measured": list(task.classes.category_ids), "not_labelled": list(task.classes.missing)},
    }


def _weights_facts(options: EvalOptions, predictor: Predictor) -> dict[str, str]:
    weights = resolve_weights(options.detection.weights)
    return {
        "file": weights.name,
        "sha256": sha256_of(weights),
        "configuration": predictor.config.name,
    }


def _measure(
    task: Task, label: str, predictor: Predictor, at: float | None, output: Path | None
) -> Measurement:
    """Measure one run; its results are written at once, so that they outlive an interruption of the next."""
    measurement, results = measure_run(task, label, predictor, at)
    for line in measurement.skipped:
        print(f"skipped: {line}", file=sys.stderr)
    if output:
        write_results(output / label.replace(":", "-"), results)
    return measurement


def _show(title: str, measurements: Sequence[Measurement], by_class: bool) -> None:
    for one in tables(title, measurements, by_class):
        show(one)
        print()
    if len(measurements) == 1:
        print(speed(measurements[0]))
