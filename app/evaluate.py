"""`eval`: box and mask average precision of weights on a labelled data set, and how fast they are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.arguments import (
    add_predictor_arguments,
    at_least_one,
    fraction,
    input_size,
    predictor_options,
)
from model.engines import ENGINES, PRECISIONS
from model.errors import SinkError
from model.options import NMS_KINDS

if TYPE_CHECKING:
    from pycocotools.coco import COCO

    from app.evaluation import Measurement, Task
    from model.predictor import Predictor
    from model.training.coco_eval import ClassMatch

# full recall is measured, not what looks good on a screen
SCORE_THRESHOLD = 0.0
# figures are comparable only when all are computed alike; others are measured when they are named
ENGINE = "torch"
PRECISION = "fp32"


@dataclass(frozen=True)
class Comparison:
    """Several values of one setting; `key` is a keyword of `load_predictor`."""

    key: str
    values: tuple[Any, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data", required=True, type=Path, metavar="PATH", help="COCO json, or a folder with one"
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
    parser.set_defaults(score_threshold=SCORE_THRESHOLD, engine=ENGINE, precision=PRECISION)
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
        default=1000,
        metavar="N",
        help="resamples for the 95 %% bootstrap interval of AP50, 0 for none (default: %(default)s)",
    )
    report.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help="folder for metrics.json and results for the COCO server",
    )


def run(args: argparse.Namespace) -> int:
    """Measure the weights once, or once for each value that is compared."""
    from app.cli import EXIT_OK
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
    return EXIT_OK


def comparison(text: str) -> Comparison:
    """A setting and two or more values of it, such as `nms=fast,exact`."""
    key, _, listed = text.partition("=")
    key = key.strip().replace("-", "_")
    if key not in COMPARABLE:
        raise argparse.ArgumentTypeError(
            f"expected KEY=A,B,… with KEY one of {', '.join(COMPARABLE)}, got {text!r}"
        )
    values = tuple(COMPARABLE[key](value.strip()) for value in listed.split(","))
    if len(set(values)) != len(values) or len(values) < 2:
        raise argparse.ArgumentTypeError(f"expected two or more different values, got {text!r}")
    return Comparison(key, values)


def _one_of(names: Collection[str], text: str) -> str:
    if text not in names:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(names)}, got {text!r}")
    return text


def _device(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("expected the name of a device, got nothing")
    return text


def _count(text: str) -> int:
    return 0 if text == "0" else at_least_one(text)


# keyword of load_predictor -> how one value of it is read
COMPARABLE: dict[str, Callable[[str], Any]] = {
    "nms": partial(_one_of, NMS_KINDS),
    "image_size": input_size,
    "score_threshold": fraction,
    "device": _device,
    "engine": partial(_one_of, ENGINES),
    "precision": partial(_one_of, PRECISIONS),
}


def _plan(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The keywords of `load_predictor` for each run, by what sets it apart."""
    settings = predictor_options(args)
    if args.compare is None:
        return {"": settings}
    key = args.compare.key
    return {f"{key}={value}": {**settings, key: value} for value in args.compare.values}


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
    from model.catalog import resolve_weights
    from model.weight_pins import sha256_of

    if not args.output:
        return {}
    weights = resolve_weights(args.weights)
    return {
        "weights": {
            "file": weights.name,
            "sha256": sha256_of(weights),
            "configuration": predictor.config.name,
        },
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
