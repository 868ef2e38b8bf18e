"""`annotate --compare`: the same frames under two settings or two models, with a score for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.annotate.jobs import CompareJob
from app.annotate.options import AnnotateOptions
from app.annotate.plan import VideoJob
from app.annotate.report import Report
from app.annotate.videos import BuildRun, Prepare, annotate_videos, sinks_of
from app.predictors import Predictors, set_torch_threads, torch_threads
from app.terminal import Table, show
from app.threads import streams_for_files
from model.checkpoints.catalog import DEFAULT_WEIGHTS, all_entries, current_name, resolve_weights
from model.errors import ConfigError
from model.options import LoadOptions
from model.predictor import Predictor
from pipeline.builder import Side, build_side_by_side
from pipeline.metrics.run import Metrics
from pipeline.overlay.draw import style_of
from pipeline.overlay.side_by_side import SideBySidePaint
from pipeline.runner import OpenSource, Runner
from pipeline.settings import DetectionSettings
from pipeline.sinks.base import Sink
from pipeline.sinks.jsonl import JsonLinesSink
from pipeline.sinks.other_side import OtherSide
from pipeline.stability.records import StabilitySummary
from pipeline.stages import RunOptions

if TYPE_CHECKING:
    from model.instance_predictor import LoadedPredictor

_HEADS = ("setting", "jitter", "gaps", "id changes", "coverage")


@dataclass(frozen=True, eq=False)
class _Painted:
    """A video that was begun, and what draws it."""

    name: str
    captions: tuple[str, str]
    paint: SideBySidePaint


def annotate_compared(
    jobs: Sequence[VideoJob], options: AnnotateOptions, more: LoadOptions, report: Report
) -> None:
    """Compare in every video, and print a table for each that was begun, also when the user has ended it."""
    painted: list[_Painted] = []
    try:
        annotate_videos(jobs, _prepare(options, more, painted), options, report)
    finally:
        for one in painted:
            if (table := _table(one)) is not None:
                show(table)


def _prepare(options: AnnotateOptions, more: LoadOptions, painted: list[_Painted]) -> Prepare:
    """painted: gets what draws each video, and with it the figures."""
    networks = _Networks(options, more)

    def prepare(job: VideoJob) -> BuildRun:
        left, right = networks.get(job.source.is_live)
        captions = networks.captions(left.predictor, right.predictor)

        def build(open_it: OpenSource, run: RunOptions, metrics: Metrics) -> Runner:
            paint = SideBySidePaint(captions, style_of(options.drawing), options.drawing.show_fps)
            painted.append(_Painted(job.name, captions, paint))
            return build_side_by_side(open_it, left, right, paint, _sinks(job, options), run, metrics)

        return build

    return prepare


def _sinks(job: VideoJob, options: AnnotateOptions) -> list[Sink]:
    """Return one for each output that is to be made; the right side's lines get that side's detections."""
    sinks, out = sinks_of(job, options), options.output
    other = job.other_record if isinstance(job, CompareJob) else None
    if other is not None and not (out.skip_existing and other.exists()):
        sinks.append(OtherSide(JsonLinesSink(other, overwrite=out.overwrite)))
    return sinks


class _Networks:
    """The networks of both sides, each loaded once."""

    def __init__(self, options: AnnotateOptions, more: LoadOptions) -> None:
        assert options.compare is not None
        quiet = options.output.quiet
        self._options = options
        self._changed = tuple(options.compare)
        self._left, self._right = options.detection, options.right.detection
        self._of_left = Predictors(self._left, quiet, "left: ", more)
        self._of_right = Predictors(self._right, quiet, "right: ", more)

    def get(self, live: bool) -> tuple[Side, Side]:
        """Return both sides, the right one on the left one's network if that can do it."""
        batch = 1 if live else self._options.video.batch
        one_network = not self._right.needs_reload(self._left)
        # two networks have half of the cores each; one that serves both sides works for one frame at a time
        streams = 1 if live or one_network else max(streams_for_files() // 2, 1)
        threads = torch_threads()
        left = self._of_left.get(streams, batch)
        right = (self._same(left) if one_network else None) or self._of_right.get(streams, batch)
        if not all(_on_openvino(predictor) for predictor in (left, right)):
            set_torch_threads(threads)  # which a network on OpenVINO has taken for itself
        self._refuse_alike(left, right)
        follow, other = self._options.follow, self._options.right.follow
        assert follow is not None
        assert other is not None
        return Side(left, follow), Side(right, other)

    def captions(self, left: LoadedPredictor, right: LoadedPredictor) -> tuple[str, str]:
        """Return the caption of each side: the settings that were changed, with that side's values."""
        sides = ((self._left, left, self._right), (self._right, right, self._left))
        one, two = (", ".join(_described(key, *side) for key in self._changed) for side in sides)
        return one, two

    def _same(self, left: LoadedPredictor) -> LoadedPredictor | None:
        """Return the left network with the right side's options; None where it has to be loaded for them."""
        if isinstance(left, Predictor):
            right = self._right
            return left.with_options(score_threshold=right.score_threshold, nms=right.nms)
        return left if self._right.as_followed(self._left) == self._left else None

    def _refuse_alike(self, left: LoadedPredictor, right: LoadedPredictor) -> None:
        """Raise ConfigError where both sides are alike: `auto` may have chosen what it is compared with."""
        if _facts(self._left, left) == _facts(self._right, right):
            _, told = self.captions(left, right)
            raise ConfigError(f"--compare: both sides would be the same, which is {told}")


def _on_openvino(predictor: LoadedPredictor) -> bool:
    return predictor.choice is not None and predictor.choice.engine == "openvino"


def _facts(settings: DetectionSettings, predictor: LoadedPredictor) -> tuple[Any, ...]:
    """Return everything that two sides can differ in: equal tuples are equal sides."""
    choice = predictor.choice
    chosen = (choice.engine, choice.precision, choice.device) if choice is not None else None
    return (
        resolve_weights(settings.weights).resolve(),
        chosen,
        predictor.config.image_size,
        settings.nms,
        settings.sharpen,
        _thresholds(predictor),
        settings.follow_options,
    )


def _thresholds(predictor: LoadedPredictor) -> tuple[float, ...]:
    """Return the score thresholds, one a class, or one number where the network knows one for all."""
    if isinstance(predictor, Predictor):
        return predictor.options.thresholds(predictor.config)
    return (predictor.score_threshold,)


def _described(
    key: str, settings: DetectionSettings, predictor: LoadedPredictor, other: DetectionSettings
) -> str:
    """Return a setting and its value in words; what was left open is told as it was chosen."""
    value = getattr(settings, key)
    if key == "weights":
        value = _weights_name(settings.weights, other.weights)
    elif key == "image_size":
        value = predictor.config.image_size
    elif key in ("engine", "precision") and predictor.choice is not None:
        value = getattr(predictor.choice, key)
    elif key == "score_threshold" and value is None:
        value = "of the weights"
    elif key == "sharpen" and value is None:
        value = "off"
    return f"{key.replace('_', ' ')} {value}"


def _weights_name(weights: str | None, others: str | None) -> str:
    """Return the shortest name that tells these weights from the others."""
    name = current_name(weights or DEFAULT_WEIGHTS)
    if weights is None or name in all_entries():
        return name
    path = Path(weights).absolute()
    return path.name if others is None or path.name != Path(others).name else "/".join(path.parts[-2:])


def _table(painted: _Painted) -> Table | None:
    """Return a row for each side; None where no frame was drawn."""
    summaries = painted.paint.summaries()
    if not summaries[0].frames:
        return None
    sides = zip(painted.captions, summaries, strict=True)
    rows = tuple(_row(caption, summary) for caption, summary in sides)
    return Table(f"comparison: {painted.name}", _HEADS, rows)


def _row(caption: str, summary: StabilitySummary) -> tuple[str, ...]:
    jitter = "–" if summary.jitter is None else f"{summary.jitter:.4f}"
    return caption, jitter, str(summary.gaps), str(summary.id_changes), f"{100 * summary.coverage:.1f} %"
