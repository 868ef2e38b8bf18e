"""`annotate --compare`: the same frames under two settings or two models, with a score for each."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.annotate.inputs import Inputs
from app.annotate.plan import LINES, VideoJob, Wanted, plan
from model.errors import ConfigError

if TYPE_CHECKING:
    from app.annotate.report import Report
    from app.annotate.videos import BuildRun, Prepare
    from app.terminal import Table
    from model.instance_predictor import LoadedPredictor
    from pipeline.builder import Side
    from pipeline.metrics.run import Metrics
    from pipeline.overlay.side_by_side import SideBySidePaint
    from pipeline.runner import OpenSource, Runner
    from pipeline.sinks.base import Sink
    from pipeline.stability.records import StabilitySummary
    from pipeline.stages import RunOptions

MARK = "_compare"
_HEADS = ("setting", "jitter", "gaps", "id changes", "coverage")
# what a network that is there already can be asked for; everything else needs another one
_OPTIONS = frozenset({"nms", "score_threshold"})
_NEEDS_NO_OTHER = _OPTIONS | {"stabilise"}


@dataclass(frozen=True)
class CompareJob(VideoJob):
    """`record` is of the left side, `other_record` of the right one."""

    other_record: Path | None = None

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The files and folders to make."""
        other = () if self.other_record is None else (self.other_record,)
        return (*super().outputs, *other)


@dataclass(frozen=True, eq=False)
class _Painted:
    """A video that was begun, and what draws it."""

    name: str
    captions: tuple[str, str]
    paint: SideBySidePaint


def right_side(args: argparse.Namespace) -> argparse.Namespace:
    """The command's arguments as they hold on the right side."""
    return argparse.Namespace(**{**vars(args), **args.compare})


def plan_comparison(inputs: Inputs, args: argparse.Namespace) -> list[VideoJob]:
    """A job for each video: `STEM_compare.mp4` and, if wanted, the lines of both sides.

    Raises ConfigError on what cannot be compared, and as `plan` does.
    """
    _check(args)
    photos, videos = plan(inputs, Wanted(args.output, args.as_, args.json, args.trace, mark=MARK))
    if photos:
        raise ConfigError(
            f"--compare is of videos, and {photos[0].name} is a photograph; -o NAME.mp4 makes photographs "
            "the frames of one"
        )
    return [_two_records(job) for job in videos]


def annotate_compared(jobs: Sequence[VideoJob], args: argparse.Namespace, report: Report) -> None:
    """Compare in every video, and print a table for each that was begun, also when the user has ended it."""
    from app.annotate.videos import annotate_videos
    from app.terminal import show

    painted: list[_Painted] = []
    try:
        annotate_videos(jobs, _prepare(args, painted), args, report)
    finally:
        for one in painted:
            if (table := _table(one)) is not None:
                show(table)


def _prepare(args: argparse.Namespace, painted: list[_Painted]) -> Prepare:
    """painted: gets what draws each video, and with it the figures."""
    from app.drawing import overlay_style
    from pipeline.builder import build_side_by_side
    from pipeline.overlay.side_by_side import SideBySidePaint

    networks = _Networks(args)

    def prepare(job: VideoJob) -> BuildRun:
        left, right = networks.get(job.source.is_live)
        captions = _captions(args, left.predictor, right.predictor)

        def build(open_it: OpenSource, options: RunOptions, metrics: Metrics) -> Runner:
            paint = SideBySidePaint(captions, overlay_style(args), args.show_fps)
            painted.append(_Painted(job.name, captions, paint))
            return build_side_by_side(open_it, left, right, paint, _sinks(job, args), options, metrics)

        return build

    return prepare


def _check(args: argparse.Namespace) -> None:
    refused = {
        "--as json": (
            args.as_ == "json",
            "the comparison is a picture; --json writes the lines of both sides",
        ),
        "--no-masks": (args.no_masks, "the score is of masks"),
        "--no-track": (args.no_track, "the score is of tracks"),
        "--tracks-as": (args.tracks_as, "tracks are written of one setting at a time"),
    }
    for option, (given, why) in refused.items():
        if given:
            raise ConfigError(f"{option} does not go with --compare: {why}")
    if all(getattr(args, key) == value for key, value in args.compare.items()):
        told = ", ".join(f"{_words(key)} is {value} already" for key, value in args.compare.items())
        raise ConfigError(f"--compare: both sides would be the same; {told}")


def _two_records(job: VideoJob) -> CompareJob:
    left, right = (
        job.record and job.record.with_name(f"{job.record.stem}_{side}{LINES}") for side in ("left", "right")
    )
    return CompareJob(job.source, job.video, job.frames, left, other_record=right)


def _sinks(job: VideoJob, args: argparse.Namespace) -> list[Sink]:
    """One for each output that is to be made; the right side's lines get what the others do not look at."""
    from app.annotate.videos import sinks_of
    from pipeline.sinks.jsonl import JsonLinesSink
    from pipeline.sinks.other_side import OtherSide

    sinks = sinks_of(job, args)
    other = job.other_record if isinstance(job, CompareJob) else None
    if other is not None and not (args.skip_existing and other.exists()):
        sinks.append(OtherSide(JsonLinesSink(other, overwrite=args.overwrite)))
    return sinks


class _Networks:
    """The networks of both sides, each loaded once."""

    def __init__(self, args: argparse.Namespace) -> None:
        from app.annotate.predictors import Predictors

        self._args = args
        self._right = right_side(args)
        self._of_left = Predictors(args, "left: ")
        self._of_right = Predictors(self._right, "right: ")

    def get(self, live: bool) -> tuple[Side, Side]:
        """Both sides, the right one on the left one's network if that can do it."""
        import torch

        from app.options import follow_options
        from app.threads import streams_for_files
        from pipeline.builder import Side

        batch = 1 if live else self._args.batch
        shared = self._args.compare.keys() <= _NEEDS_NO_OTHER
        # two networks have half of the cores each; one that serves both sides works for one frame at a time
        streams = 1 if live or shared else max(streams_for_files() // 2, 1)
        threads = torch.get_num_threads()
        left = self._of_left.get(streams, batch)
        right = (self._same(left) if shared else None) or self._of_right.get(streams, batch)
        if not all(_on_openvino(predictor) for predictor in (left, right)):
            torch.set_num_threads(threads)  # which a network on OpenVINO has taken for itself
        self._refuse_alike(left, right)
        follow = [follow_options(args) for args in (self._args, self._right)]
        assert follow[0] is not None
        assert follow[1] is not None
        return Side(left, follow[0]), Side(right, follow[1])

    def _same(self, left: LoadedPredictor) -> LoadedPredictor | None:
        """The left network with the right side's options; None where it has to be loaded for them."""
        from model.predictor import Predictor

        options = {key: value for key, value in self._args.compare.items() if key in _OPTIONS}
        if isinstance(left, Predictor):
            return left.with_options(**options)
        return None if options else left

    def _refuse_alike(self, left: LoadedPredictor, right: LoadedPredictor) -> None:
        """`auto` may well have chosen what is to be compared with it."""
        facts = [_facts(*side) for side in ((self._args, left), (self._right, right))]
        if facts[0] == facts[1]:
            told = ", ".join(_described(key, self._right, right, self._args) for key in self._args.compare)
            raise ConfigError(f"--compare: both sides would be the same, which is {told}")


def _on_openvino(predictor: LoadedPredictor) -> bool:
    return predictor.choice is not None and predictor.choice.engine == "openvino"


def _facts(args: argparse.Namespace, predictor: LoadedPredictor) -> tuple[Any, ...]:
    """Return everything that two sides can differ in: equal tuples are equal sides."""
    from model.checkpoints.catalog import resolve_weights

    choice = predictor.choice
    chosen = (choice.engine, choice.precision, choice.device) if choice is not None else None
    return (
        resolve_weights(args.weights).resolve(),
        chosen,
        predictor.config.image_size,
        args.nms,
        _thresholds(predictor),
        args.stabilise,
    )


def _thresholds(predictor: LoadedPredictor) -> tuple[float, ...]:
    """Return the score thresholds, one a class, or one number where the network knows one class."""
    from model.predictor import Predictor

    if isinstance(predictor, Predictor):
        return predictor.options.thresholds(predictor.config)
    return (predictor.score_threshold,)


def _captions(args: argparse.Namespace, left: LoadedPredictor, right: LoadedPredictor) -> tuple[str, str]:
    """Return the caption of each side: the settings that differ, with that side's values."""
    other = right_side(args)
    sides = ((args, left, other), (other, right, args))
    one, two = (", ".join(_described(key, *side) for key in args.compare) for side in sides)
    return one, two


def _described(
    key: str, args: argparse.Namespace, predictor: LoadedPredictor, other: argparse.Namespace
) -> str:
    """A setting and its value in words; what was left open is told as it was chosen."""
    value = getattr(args, key)
    if key == "weights":
        value = _weights_name(args.weights, other.weights)
    elif key == "image_size":
        value = predictor.config.image_size
    elif key in ("engine", "precision") and predictor.choice is not None:
        value = getattr(predictor.choice, key)
    elif key == "score_threshold" and value is None:
        value = "of the weights"
    return f"{_words(key)} {value}"


def _weights_name(weights: str | None, others: str | None) -> str:
    """Return the shortest name that tells these weights from the others."""
    from model.checkpoints.catalog import DEFAULT_WEIGHTS, all_entries, current_name

    name = current_name(weights or DEFAULT_WEIGHTS)
    if weights is None or name in all_entries():
        return name
    path = Path(weights).absolute()
    return path.name if others is None or path.name != Path(others).name else "/".join(path.parts[-2:])


def _words(key: str) -> str:
    return key.replace("_", " ")


def _table(painted: _Painted) -> Table | None:
    """A row for each side; None where no frame was drawn."""
    from app.terminal import Table

    summaries = painted.paint.summaries()
    if not summaries[0].frames:
        return None
    sides = zip(painted.captions, summaries, strict=True)
    rows = tuple(_row(caption, summary) for caption, summary in sides)
    return Table(f"comparison: {painted.name}", _HEADS, rows)


def _row(caption: str, summary: StabilitySummary) -> tuple[str, ...]:
    jitter = "–" if summary.jitter is None else f"{summary.jitter:.4f}"
    return caption, jitter, str(summary.gaps), str(summary.id_changes), f"{100 * summary.coverage:.1f} %"
