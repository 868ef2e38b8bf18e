"""`calibrate`: scores of weights made into probabilities, and a threshold for each of their classes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.labelled_data import add_data_arguments, labelled_images, task_for, tell_reservations
from app.options import at_least_one, input_size
from model.errors import ConfigError, SinkError

if TYPE_CHECKING:
    from torch import Tensor

    from model.checkpoints.yolact import Checkpoint
    from model.config import YolactConfig
    from model.evaluation.calibration import Platt, Thresholds
    from model.evaluation.scored_matches import ScoredMatches

LEAST_OBJECTS = 20


@dataclass(frozen=True)
class Fitted:
    """What was found out: `after` holds the matches with their calibrated scores; `platt` is None where
    scores stay as they are."""

    before: ScoredMatches
    after: ScoredMatches
    platt: Platt | None
    thresholds: Thresholds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    add_data_arguments(parser, "a data set as `train` takes it, of images that were not trained on")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="a checkpoint, or a name that `models list` shows (default: the bundled ones)",
    )
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="OUT.pt", help="the checkpoint to write"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a checkpoint that exists")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument(
        "--image-size", type=input_size, metavar="PX", help="side of the input (default: the weights' own)"
    )
    parser.add_argument(
        "--least-objects",
        type=at_least_one,
        default=LEAST_OBJECTS,
        metavar="N",
        help="classes with fewer labelled objects share a threshold (default: %(default)s)",
    )
    parser.add_argument(
        "--beta",
        type=_positive,
        default=1.0,
        metavar="B",
        help="thresholds are those of the best F measure, in which recall counts B times as much as "
        "precision (default: %(default)s)",
    )
    parser.add_argument(
        "--thresholds-only", action="store_true", help="leave scores as they are, and choose thresholds alone"
    )


def run(args: argparse.Namespace) -> int:
    """Fit on the labelled images, write the checkpoint, and print what has changed."""
    from app.cli import EXIT_OK
    from model.checkpoints.catalog import resolve_weights
    from model.checkpoints.yolact import read_checkpoint

    source = resolve_weights(args.weights)
    _check_output(args.output, source, args.overwrite)
    checkpoint = read_checkpoint(source)
    fitted = _fit(args, checkpoint.config)
    _write(args, checkpoint, fitted)
    _show(args, checkpoint.config, fitted)
    return EXIT_OK


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number over 0, got {text!r}")
    return value


def _check_output(output: Path, source: Path, overwrite: bool) -> None:
    if output.suffix != ".pt":
        raise ConfigError(f"{output}: checkpoints are named NAME.pt")
    if output.exists() and output.samefile(source):
        raise ConfigError(f"{output} holds the weights that are read; name another file")
    if output.exists() and not overwrite:
        raise ConfigError(f"{output} exists; use --overwrite, or name another file")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{output.parent}: cannot be made a folder: {error.strerror or error}") from error


def _fit(args: argparse.Namespace, config: YolactConfig) -> Fitted:
    """Return the scored matches of the detections in the labelled images."""
    from model.evaluation.calibration import fit_platt, pick_thresholds

    before = _matches(args, config)
    after, platt = before, None
    if config.anchor_free is not None and not args.thresholds_only:
        platt = fit_platt(before.scores, before.hit)
        after = before.with_scores(platt(before.scores))
    return Fitted(before, after, platt, pick_thresholds(after, args.least_objects, args.beta))


def _matches(args: argparse.Namespace, config: YolactConfig) -> ScoredMatches:
    """Yield the detections in each image, down to the least score that takes part in NMS."""
    from app.evaluate.images import Watch, detect_all
    from model import load_predictor
    from model.evaluation.scored_matches import scored_matches

    labels = labelled_images(args)
    predictor = load_predictor(
        args.weights,
        args.device,
        score_threshold=config.detection.confidence_threshold,
        image_size=args.image_size,
        engine="torch",
        precision="fp32",
    )
    task = task_for(args, labels, predictor)
    tell_reservations(task.truth, task.classes)
    watch = Watch()
    results = detect_all(task, "calibrating", predictor, watch)
    for line in watch.skipped:
        print(f"skipped: {line}")
    return scored_matches(task.truth, results, task.classes)


def _write(args: argparse.Namespace, checkpoint: Checkpoint, fitted: Fitted) -> None:
    """The checkpoint as it was, but for scores and thresholds; of a run's last state the averaged weights."""
    from model.checkpoints.yolact import save_checkpoint
    from model.evaluation.calibration import IDENTITY, calibrated_config, folded_state

    config, state = checkpoint.config, _weights(checkpoint)
    if fitted.platt is not None:
        state = folded_state(state, config, fitted.platt)
    thresholds = fitted.thresholds.of(config.class_names)
    config = calibrated_config(config, fitted.platt or IDENTITY, thresholds)
    notes = "\n".join(filter(None, (checkpoint.notes, _note(args, fitted))))
    try:
        save_checkpoint(args.output, config, state, checkpoint.licence, notes)
    except (OSError, RuntimeError) as error:  # PyTorch says RuntimeError when the disk is full
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise SinkError(f"{args.output} cannot be written: {reason}") from error


def _weights(checkpoint: Checkpoint) -> Mapping[str, Tensor]:
    """The file's weights in their own precision; those of a training run's state as it would end, in half."""
    from model.checkpoints.yolact import build_from

    if checkpoint.training is None:
        return checkpoint.state
    state = build_from(checkpoint).state_dict()
    return {key: value.half() if value.ndim > 1 else value for key, value in state.items()}


def _note(args: argparse.Namespace, fitted: Fitted) -> str:
    scaled = "" if fitted.platt is None else f", scores by {_formula(fitted.platt)}"
    images = int(fitted.after.covered.any(axis=0).sum())
    return f"thresholds of classes fitted on {images} images of {args.data.name}{scaled}"


def _formula(platt: Platt) -> str:
    return f"sigmoid({platt.slope:.4f} · logit {'-' if platt.offset < 0 else '+'} {abs(platt.offset):.4f})"


def _show(args: argparse.Namespace, config: YolactConfig, fitted: Fitted) -> None:
    from app.calibrate.tables import reliability_before_and_after, score_table, threshold_table
    from app.terminal import show

    if fitted.platt is None:
        why = "as was asked" if config.anchor_free is not None else "the network has anchors and a softmax"
        print(f"scores stay as they are: {why}; thresholds alone were chosen")
    else:
        print(f"new score = {_formula(fitted.platt)}")
        show(score_table(fitted.before, fitted.after))
        print()
        show(reliability_before_and_after(fitted.before, fitted.after))
    print()
    show(threshold_table(fitted.after, fitted.thresholds))
    print(f"\nfigures are of the images that were fitted to, where not said otherwise\n-> {args.output}")
