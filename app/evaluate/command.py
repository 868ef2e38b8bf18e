"""`eval`: how accurate weights are on labelled images or on a video sequence, and how fast they are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.labelled_data import add_data_arguments, labelled_images, task_for, tell_reservations
from app.options import add_predictor_arguments, at_least_one, fraction, predictor_options
from app.values import COMPARABLE, comparison
from model.errors import ConfigError, SinkError

if TYPE_CHECKING:
    from app.evaluate.images import Measurement, Task
    from model.predictor import Predictor

# figures are comparable only when all are computed alike; others are measured when they are named
ENGINE = "torch"
PRECISION = "fp32"
RESAMPLES = 1000
FEW_CLASSES = 10  # so many are listed one by one without being asked for

# what makes no sense for a video sequence -> what it is when it was not given
_FOR_IMAGES_ONLY: dict[str, Any] = {
    "images": None,
    "coverage": [],
    "source": [],
    "skip_broken": False,
    "compare": None,
    "resamples": RESAMPLES,
    "at": None,
    "by_class": False,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    add_data_arguments(
        parser,
        "COCO json, or a folder with one; a Pascal VOC or SBD folder, or a folder of images/ and masks/, as "
        "`train` takes them; or a video sequence as DAVIS has it: a folder with frames/ and masks/",
    )
    add_predictor_arguments(parser)
    parser.set_defaults(engine=ENGINE, precision=PRECISION)
    report = parser.add_argument_group("report")
    report.add_argument(
        "--compare",
        type=comparison,
        metavar="KEY=A,B,…",
        help=f"measure several values of one setting side by side: {', '.join(COMPARABLE)}",
    )
    report.add_argument(
        "--at",
        type=fraction,
        metavar="S",
        help="count matches and phantoms among detections that score more than S (default: "
        "--score-threshold, and without it the weights' own threshold of each class); average precision "
        "takes all detections, unless --score-threshold is given",
    )
    report.add_argument(
        "--by-class",
        action="store_true",
        help=f"a row for every class (default: for {FEW_CLASSES} classes at most)",
    )
    report.add_argument(
        "--resamples",
        type=_count,
        default=RESAMPLES,
        metavar="N",
        help="resamples for the 95 %% bootstrap intervals of AP50, 0 for none (default: %(default)s)",
    )
    report.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help="folder for metrics.json and results for the COCO server",
    )


def run(args: argparse.Namespace) -> int:
    """Measure the weights on whatever the data are."""
    from app.cli import EXIT_OK
    from app.evaluate.sequence import is_sequence

    if is_sequence(args.data):
        _run_on_sequence(args)
    else:
        _run_on_images(args)
    return EXIT_OK


def _run_on_images(args: argparse.Namespace) -> None:
    """Measure average precision once, or once for each value that is compared."""
    from app.evaluate.report import write_metrics

    labels = labelled_images(args)
    # all of them before the first run, so that a wrong setting does not show up after an hour
    plan = _plan(args)
    predictors = {label: _load(_keeping_all(settings)) for label, settings in plan.items()}
    first = next(iter(predictors.values()))
    task = task_for(args, labels, first, args.resamples)
    _make_folder(args.output)
    tell_reservations(task.truth, task.classes)
    facts = _facts(args, task, first)
    measurements = []
    for label, predictor in predictors.items():
        at = plan[label]["score_threshold"] if args.at is None else args.at
        measurements.append(_measure(task, label, predictor, at, args.output))
    title = f"{first.config.name} on {labels.file.name}, {len(labels.images)} images"
    _show(title, measurements, args.by_class or len(task.classes.category_ids) <= FEW_CLASSES)
    if args.output:
        write_metrics(args.output / "metrics.json", facts, measurements)
        print(f"written to {args.output}")


def _run_on_sequence(args: argparse.Namespace) -> None:
    """Measure how well the object of a video sequence is followed."""
    from app.evaluate.report import speed, write_metrics
    from app.evaluate.sequence import DAVIS, find_sequence, measure_sequence, table
    from app.terminal import show

    _refuse(args, _FOR_IMAGES_ONLY)
    sequence = find_sequence(args.data, args.limit)
    predictor = _load(predictor_options(args))
    _make_folder(args.output)
    measurement = measure_sequence(sequence, predictor)
    title = f"{predictor.config.name} on {sequence.name}, {len(sequence.frames)} frames"
    show(table(title, measurement.figures))
    print(f"{DAVIS}\n\n{speed(measurement)}")
    if args.output:
        data = {"sequence": sequence.name, "frames": len(sequence.frames), "limit": args.limit}
        facts = {"weights": _weights_facts(args, predictor), "data": data}
        write_metrics(args.output / "metrics.json", facts, [measurement])
        print(f"written to {args.output}")


def _refuse(args: argparse.Namespace, options: Mapping[str, Any]) -> None:
    given = [f"--{key.replace('_', '-')}" for key, unset in options.items() if getattr(args, key) != unset]
    if given:
        raise ConfigError(
            f"{args.data} is a video sequence, for which {', '.join(given)} makes no sense; leave it out"
        )


def _count(text: str) -> int:
    return 0 if text == "0" else at_least_one(text)


def _plan(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The keywords of `load_predictor` for each run, by what sets it apart."""
    settings = predictor_options(args)
    if args.compare is None:
        return {"": settings}
    key = args.compare.key
    return {f"{key}={value}": {**settings, key: value} for value in args.compare.values}


def _keeping_all(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the score threshold for full recall, unless one was given."""
    given = settings["score_threshold"]
    return {**settings, "score_threshold": 0.0 if given is None else given}


def _load(settings: Mapping[str, Any]) -> Predictor:
    from model import load_predictor

    return load_predictor(**settings)


def _make_folder(output: Path | None) -> None:
    """Make the folder of the report, if there is to be one: that it cannot be made is told at the start."""
    try:
        if output:
            output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{output}: cannot be made a folder: {error.strerror or error}") from error


def _facts(args: argparse.Namespace, task: Task, predictor: Predictor) -> dict[str, Any]:
    """What was measured on what; empty when nobody will read it."""
    from model.checkpoints.pins import sha256_of

    if not args.output:
        return {}
    labels = task.labels.file
    return {
        "weights": _weights_facts(args, predictor),
        "data": {
            "file": labels.name,
            "sha256": sha256_of(labels) if labels.is_file() else None,
            "images": len(task.truth.imgs),
            "coverage": args.coverage,
            "source": args.source,
            "limit": args.limit,
        },
        "classes": {"measured": list(task.classes.category_ids), "not_labelled": list(task.classes.missing)},
    }


def _weights_facts(args: argparse.Namespace, predictor: Predictor) -> dict[str, str]:
    from model.checkpoints.catalog import resolve_weights
    from model.checkpoints.pins import sha256_of

    weights = resolve_weights(args.weights)
    return {
        "file": weights.name,
        "sha256": sha256_of(weights),
        "configuration": predictor.config.name,
    }


def _measure(
    task: Task, label: str, predictor: Predictor, at: float | None, output: Path | None
) -> Measurement:
    """One run; its results are written at once, so that they outlive an interruption of the next."""
    from app.evaluate.images import measure_run
    from app.evaluate.report import write_results

    measurement, results = measure_run(task, label, predictor, at)
    for line in measurement.skipped:
        print(f"skipped: {line}", file=sys.stderr)
    if output:
        write_results(output / label.replace(":", "-"), results)
    return measurement


def _show(title: str, measurements: Sequence[Measurement], by_class: bool) -> None:
    from app.evaluate.report import speed, tables
    from app.terminal import show

    for table in tables(title, measurements, by_class):
        show(table)
        print()
    if len(measurements) == 1:
        print(speed(measurements[0]))
