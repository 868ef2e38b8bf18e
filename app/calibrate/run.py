"""The work of `calibrate`: fit on labelled images, write the checkpoint, and tell what has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from app.evaluate.images import Watch, detect_all, task_for
from app.labelled_data import labelled_images, tell_reservations
from app.options import DataOptions
from app.terminal import Table, percent, show
from model.checkpoints.catalog import resolve_weights
from model.checkpoints.yolact import Checkpoint, build_from, read_checkpoint, save_checkpoint
from model.config import YolactConfig
from model.errors import ConfigError, DataError, SinkError
from model.evaluation.calibration import (
    IDENTITY,
    Platt,
    Thresholds,
    calibrated_config,
    fit_platt,
    folded_state,
    held_out_scores,
    log_loss,
    pick_thresholds,
)
from model.evaluation.operating_point import operating_point, reliability
from model.evaluation.scored_matches import ScoredMatches, scored_matches
from model.predictor import load_predictor


@dataclass(frozen=True)
class CalibrateOptions:
    """Options of `calibrate`.

    image_size:      side of the network's input in pixels, None for the weights' own
    least_objects:   classes with fewer labelled objects share a threshold
    beta:            of the F measure: recall counts so many times as much as precision
    thresholds_only: leave scores as they are
    """

    data: DataOptions
    output: Path
    weights: str | None
    overwrite: bool
    device: str
    image_size: int | None
    least_objects: int
    beta: float
    thresholds_only: bool


@dataclass(frozen=True)
class Fitted:
    """The result of fitting: `after` holds the matches with their calibrated scores; `platt` is None where
    scores stay as they are."""

    before: ScoredMatches
    after: ScoredMatches
    platt: Platt | None
    thresholds: Thresholds


def calibrate(options: CalibrateOptions) -> None:
    """Fit on the labelled images, write the checkpoint, and print what has changed."""
    source = resolve_weights(options.weights)
    _check_output(options.output, source, options.overwrite)
    checkpoint = read_checkpoint(source)
    fitted = _fit(options, checkpoint.config)
    _write(options, checkpoint, fitted)
    _show(options, checkpoint.config, fitted)


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


def _fit(options: CalibrateOptions, config: YolactConfig) -> Fitted:
    """Return what is found out from the detections in the labelled images."""
    before = _matches(options, config)
    after, platt = before, None
    if config.anchor_free is not None and not options.thresholds_only:
        platt = fit_platt(before.scores, before.hit)
        after = before.with_scores(platt(before.scores))
    return Fitted(before, after, platt, pick_thresholds(after, options.least_objects, options.beta))


def _matches(options: CalibrateOptions, config: YolactConfig) -> ScoredMatches:
    """Return the scored matches of all detections, down to the least score that takes part in NMS."""
    labels = labelled_images(options.data)
    predictor = load_predictor(
        options.weights,
        options.device,
        score_threshold=config.detection.confidence_threshold,
        image_size=options.image_size,
        engine="torch",
        precision="fp32",
    )
    task = task_for(labels, predictor, options.data.skip_broken)
    tell_reservations(task.truth, task.classes)
    watch = Watch()
    results = detect_all(task, "calibrating", predictor, watch)
    for line in watch.skipped:
        print(f"skipped: {line}")
    return scored_matches(task.truth, results, task.classes)


def _write(options: CalibrateOptions, checkpoint: Checkpoint, fitted: Fitted) -> None:
    """Write the checkpoint with new scores and thresholds; of a run's last state the averaged weights."""
    config, state = checkpoint.config, _weights(checkpoint)
    if fitted.platt is not None:
        state = folded_state(state, config, fitted.platt)
    thresholds = fitted.thresholds.of(config.class_names)
    config = calibrated_config(config, fitted.platt or IDENTITY, thresholds)
    notes = "\n".join(filter(None, (checkpoint.notes, _note(options, fitted))))
    try:
        save_checkpoint(options.output, config, state, checkpoint.licence, notes)
    except (OSError, RuntimeError) as error:  # PyTorch says RuntimeError when the disk is full
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise SinkError(f"{options.output} cannot be written: {reason}") from error


def _weights(checkpoint: Checkpoint) -> Mapping[str, Tensor]:
    """Return the weights in the file's precision, those of a training run's state in half."""
    if checkpoint.training is None:
        return checkpoint.state
    state = build_from(checkpoint).state_dict()
    return {key: value.half() if value.ndim > 1 else value for key, value in state.items()}


def _note(options: CalibrateOptions, fitted: Fitted) -> str:
    scaled = "" if fitted.platt is None else f", scores by {_formula(fitted.platt)}"
    images = int(fitted.after.covered.any(axis=0).sum())
    return f"thresholds of classes fitted on {images} images of {options.data.data.name}{scaled}"


def _formula(platt: Platt) -> str:
    return f"sigmoid({platt.slope:.4f} · logit {'-' if platt.offset < 0 else '+'} {abs(platt.offset):.4f})"


def _show(options: CalibrateOptions, config: YolactConfig, fitted: Fitted) -> None:
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
    print(f"\nfigures are of the images that were fitted to, where not said otherwise\n-> {options.output}")


def score_table(before: ScoredMatches, after: ScoredMatches) -> Table:
    """Return a table of the reliability of scores, over the same detections before and after."""
    rows = [("before", *_quality(before)), ("after", *_quality(after))]
    try:
        held_out = before.with_scores(held_out_scores(before))
    except DataError:  # too few for two halves
        pass
    else:
        rows.append(("after, fitted on the other half of the images", *_quality(held_out)))
    title = f"scores of {len(before.scores)} detections, {percent(float(before.hit.mean()))} % match"
    return Table(title, ("scores", "expected calibration error, %", "log loss"), tuple(rows))


def reliability_before_and_after(before: ScoredMatches, after: ScoredMatches) -> Table:
    """Return a table of the share that matches in each bin of scores."""
    pairs = zip(reliability(before, 0.0).bins, reliability(after, 0.0).bins, strict=True)
    rows = tuple(
        (
            f"{one.low:.1f} to {one.high:.1f}",
            *(cell for b in (one, two) for cell in (str(b.detections), percent(b.score), percent(b.match))),
        )
        for one, two in pairs
    )
    heads = ("detections", "mean score", "match")
    names = (f"{head} {when}" for when in ("before", "after") for head in heads)
    return Table("reliability, percent", ("score", *names), rows)


def threshold_table(matches: ScoredMatches, thresholds: Thresholds) -> Table:
    """Return a table of the thresholds: of each class that has its own, and the common one of the rest."""
    point = operating_point(matches, thresholds.of(matches.names))
    rows: list[tuple[str, ...]] = []
    for name in thresholds.own:
        one = point.per_class[name]
        row = (percent(one.precision), percent(one.recall), percent(one.f1))
        rows.append((name, str(one.objects), f"{thresholds.own[name]:.3f}", *row))
    others = [one for name, one in point.per_class.items() if name not in thresholds.own]
    shown, right, objects = (
        sum(getattr(one, key) for one in others) for key in ("detections", "matches", "objects")
    )
    shares = ((right, shown), (right, objects), (2 * right, shown + objects))
    figures = tuple(percent(part / whole if whole else None) for part, whole in shares)
    rows.append((f"all {len(others)} others", str(objects), f"{thresholds.common:.3f}", *figures))
    heads = ("class", "objects", "threshold", "precision", "recall", "F1")
    return Table(f"thresholds, {matches.kind} IoU 0.5; percent", heads, tuple(rows))


def _quality(matches: ScoredMatches) -> tuple[str, str]:
    error = reliability(matches, 0.0).expected_error
    return percent(error), f"{log_loss(matches.scores, matches.hit):.4f}"
