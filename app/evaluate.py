"""`eval`: how accurate weights are on labelled images or on a video sequence, and how fast they are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.arguments import add_predictor_arguments, at_least_one, predictor_options
from app.comparison import COMPARABLE, comparison
from model.errors import ConfigError, SinkError

if TYPE_CHECKING:
    from pycocotools.coco import COCO

    from app.evaluation import Measurement, Task
    from model.predictor import Predictor
    from model.training.coco_eval import ClassMatch

# figures are comparable only when all are computed alike; others are measured when they are named
ENGINE = "torch"
PRECISION = "fp32"
RESAMPLES = 1000

# what makes no sense for a video sequence -> what it is when it was not given
_FOR_IMAGES_ONLY: dict[str, Any] = {
    "images": None,
    "coverage": [],
    "source": [],
    "skip_broken": False,
    "compare": None,
    "resamples": RESAMPLES,
}


@dataclass(frozen=True)
class ScoreThreshold:
    """The score threshold when none is given: it depends on what is measured."""

    images: float = 0.0  # for full recall, not for what looks good on a screen
    sequence: float = 0.3  # what users see is what is followed

    def __str__(self) -> str:
        return f"{self.images} for images, {self.sequence} for a video sequence"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data",
        required=True,
        type=Path,
        metavar="PATH",
        help="COCO json, or a folder with one; or a video sequence as DAVIS has it: a folder with frames/ "
        "and masks/",
    )
    data.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="folder of the images (default: looked for in the usual places)",
    )
    for key in ("coverage", "source"):
        data.add_argument(
            f"--{key}",
            action="append",
            default=[],
            metavar="VALUE",
            help=f"measure only images whose key {key!r} has this value; may be given several times",
        )
    data.add_argument("--limit", type=at_least_one, metavar="N", help="measure only the first N images")
    data.add_argument(
        "--skip-broken",
        action="store_true",
        help="go on when an image cannot be read; it counts as one where nothing was found",
    )
    add_predictor_arguments(parser)
    parser.set_defaults(score_threshold=ScoreThreshold(), engine=ENGINE, precision=PRECISION)
    report = parser.add_argument_group("report")
    report.add_argument(
        "--compare",
        type=comparison,
        metavar="KEY=A,B,…",
        help=f"measure several values of one setting side by side: {', '.join(COMPARABLE)}",
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
    from app.evaluation_sequence import is_sequence

    if is_sequence(args.data):
        _run_on_sequence(args)
    else:
        _run_on_images(args)
    return EXIT_OK


def _run_on_images(args: argparse.Namespace) -> None:
    """Measure average precision once, or once for each value that is compared."""
    from app.evaluation import Task
    from app.evaluation_report import write_metrics
    from model.training.coco_files import coco_file, image_folder
    from model.training.ground_truth import load_ground_truth, select_images

    labels = coco_file(args.data)
    truth = select_images(load_ground_truth(labels), args.coverage, args.source, args.limit)
    folder = image_folder(labels, truth.dataset["images"], args.images)
    # all of them before the first run, so that a wrong setting does not show up after an hour
    predictors = {label: _load(settings) for label, settings in _plan(args).items()}
    first = next(iter(predictors.values()))
    task = Task(truth, folder, _classes(truth, first), args.skip_broken, args.resamples)
    _make_folder(args.output)
    _tell_reservations(truth, task.classes)
    facts = _facts(args, labels, task, first)
    measurements = [_measure(task, label, predictor, args.output) for label, predictor in predictors.items()]
    _show(f"{first.config.name} on {labels.name}, {len(truth.imgs)} images", measurements)
    if args.output:
        write_metrics(args.output / "metrics.json", facts, measurements)
        print(f"written to {args.output}")


def _run_on_sequence(args: argparse.Namespace) -> None:
    """Measure how well the object of a video sequence is followed."""
    from app.evaluation_report import speed, write_metrics
    from app.evaluation_sequence import find_sequence, measure_sequence, table
    from app.tables import show

    _refuse(args, _FOR_IMAGES_ONLY)
    sequence = find_sequence(args.data, args.limit)
    predictor = _load(_settings(args, ScoreThreshold.sequence))
    _make_folder(args.output)
    measurement = measure_sequence(sequence, predictor)
    title = f"{predictor.config.name} on {sequence.name}, {len(sequence.frames)} frames"
    show(table(title, measurement.figures))
    print(f"\n{speed(measurement)}")
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
    settings = _settings(args, ScoreThreshold.images)
    if args.compare is None:
        return {"": settings}
    key = args.compare.key
    return {f"{key}={value}": {**settings, key: value} for value in args.compare.values}


def _settings(args: argparse.Namespace, score_threshold: float) -> dict[str, Any]:
    """The keywords of `load_predictor`, with this score threshold unless one was given."""
    settings = predictor_options(args)
    if isinstance(args.score_threshold, ScoreThreshold):
        settings["score_threshold"] = score_threshold
    return settings


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


def _classes(truth: COCO, predictor: Predictor) -> ClassMatch:
    """The classes that are both looked for and labelled."""
    from model.training.coco_eval import match_classes

    names, chosen = predictor.config.class_names, predictor.options.classes
    return match_classes(truth, names if chosen is None else [names[i] for i in chosen])


def _tell_reservations(truth: COCO, classes: ClassMatch) -> None:
    """One line for each thing that makes the figures mean less than they seem to."""
    from model.training.coco_eval import measured_objects, objects_without_mask
    from model.training.ground_truth import partly_labelled

    objects, bare = len(measured_objects(truth, classes)), objects_without_mask(truth, classes)
    if not objects:
        print("note: these images hold no labelled object of these classes", file=sys.stderr)
    if bare:
        print(f"note: {bare} of {objects} objects have no mask, so masks are not measured", file=sys.stderr)
    if classes.missing:
        print(f"note: not labelled, so not measured: {', '.join(classes.missing)}", file=sys.stderr)
    partial = partly_labelled(truth, classes.category_ids)
    if partial:
        kinds = ", ".join(sorted({repr(image["coverage"]) for image in partial}))
        print(
            f"note: {len(partial)} of {len(truth.imgs)} images are labelled in part ({kinds}); what is found "
            "there beyond the labels counts as wrong (--coverage chooses images)",
            file=sys.stderr,
        )


def _facts(args: argparse.Namespace, labels: Path, task: Task, predictor: Predictor) -> dict[str, Any]:
    """What was measured on what; empty when nobody will read it."""
    from model.weight_pins import sha256_of

    if not args.output:
        return {}
    return {
        "weights": _weights_facts(args, predictor),
        "data": {
            "file": labels.name,
            "sha256": sha256_of(labels),
            "images": len(task.truth.imgs),
            "coverage": args.coverage,
            "source": args.source,
            "limit": args.limit,
        },
        "classes": {"measured": list(task.classes.category_ids), "not_labelled": list(task.classes.missing)},
    }


def _weights_facts(args: argparse.Namespace, predictor: Predictor) -> dict[str, str]:
    from model.catalog import resolve_weights
    from model.weight_pins import sha256_of

    weights = resolve_weights(args.weights)
    return {
        "file": weights.name,
        "sha256": sha256_of(weights),
        "configuration": predictor.config.name,
    }


def _measure(task: Task, label: str, predictor: Predictor, output: Path | None) -> Measurement:
    """One run; its results are written at once, so that they outlive an interruption of the next."""
    from app.evaluation import measure_run
    from app.evaluation_report import write_results

    measurement, results = measure_run(task, label, predictor)
    for line in measurement.skipped:
        print(f"skipped: {line}", file=sys.stderr)
    if output:
        write_results(output / label.replace(":", "-"), results)
    return measurement


def _show(title: str, measurements: Sequence[Measurement]) -> None:
    from app.evaluation_report import speed, tables
    from app.tables import show

    for table in tables(title, measurements):
        show(table)
        print()
    if len(measurements) == 1:
        print(speed(measurements[0]))
