"""The runs of `stability`: every input under every setting, each through a pipeline of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.predictors import Predictors
from app.runs import named, opener, watch
from app.stability.inputs import Video
from app.stability.options import StabilityOptions
from app.stability.sink import Curves, MeterSink
from app.stability.synthetic import JITTER, ShakenTruth
from app.stability.worst import WorstFrame
from app.threads import streams_for_files
from model.checkpoints.catalog import DEFAULT_WEIGHTS, resolve_weights
from model.checkpoints.pins import sha256_of
from model.config import DEFAULT_THRESHOLD
from model.errors import LiveMaskError, SourceError
from pipeline.builder import build_runner
from pipeline.metrics.run import Metrics
from pipeline.stability.records import StabilitySummary
from pipeline.stages import RunOptions

if TYPE_CHECKING:
    from model.instance_predictor import InstancePredictor, LoadedPredictor


@dataclass(frozen=True)
class Setting:
    """One of the settings that are compared.

    weights:   as they were named, None for the bundled ones
    stabilise: a strength
    jitter:    seed of the shaken ground truth that is measured instead of a network; None for a network
    label:     what sets it apart from the others
    """

    weights: str | None
    stabilise: str
    jitter: int | None
    label: str

    @property
    def source(self) -> str:
        """The origin of the masks: the weights' name, or the ground truth."""
        if self.jitter is not None:
            return f"ground truth, jittered by seed {self.jitter}"
        return Path(self.weights or DEFAULT_WEIGHTS).name


@dataclass(frozen=True)
class Run:
    """The figures of one input under one setting.

    facts:   what detected, as plain values
    size:    (height, width) of the frames in pixels
    rate:    frames a second, nominal; None where unknown
    """

    video: Video
    setting: Setting
    facts: Mapping[str, Any]
    size: tuple[int, int]
    rate: Fraction | None
    summary: StabilitySummary
    curves: Curves
    worst: tuple[WorstFrame, ...]
    warnings: tuple[str, ...]


@dataclass
class Measured:
    """Measurements so far, in the order of the inputs; `interrupted` if the user ended the run."""

    runs: list[Run] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    interrupted: bool = False


def settings(weights: Sequence[str | None], strengths: Sequence[str], jitter: int | None) -> list[Setting]:
    """Return every combination of weights and strength."""
    names = [Path(name or DEFAULT_WEIGHTS).name for name in weights]
    shown = names if len(set(names)) == len(names) else [str(name or DEFAULT_WEIGHTS) for name in weights]
    return [
        Setting(given, strength, jitter, strength if len(weights) == 1 else f"{name}, {strength}")
        for given, name in zip(weights, shown, strict=True)
        for strength in strengths
    ]


def measure_all(videos: Sequence[Video], options: StabilityOptions) -> Measured:
    """Measure every input under every setting; one that fails is told, and the others are done.

    Networks are loaded one after another. Ctrl-C ends it, and leaves what is whole.
    """
    measured = Measured()
    chosen = settings(options.all_weights, options.all_strengths, options.jitter)
    try:
        for weights, group in _by_weights(chosen):
            network = _Network(weights, options)
            for video in videos:
                for setting in group:
                    try:
                        measured.runs.append(_measure(video, setting, network, options))
                    except (LiveMaskError, OSError) as error:
                        measured.failures.append(f"{named(video.name, error)} ({setting.label})")
    except KeyboardInterrupt:
        measured.interrupted = True
    places = {video.name: place for place, video in enumerate(videos)}
    measured.runs.sort(key=lambda run: places[run.video.name])
    return measured


class _Network:
    """A network, or the shaken ground truth; loaded when the first run asks for it."""

    def __init__(self, weights: str | None, options: StabilityOptions) -> None:
        self._settings = replace(options.detection, weights=weights)
        self._predictors = Predictors(self._settings, options.quiet)

    def get(self, video: Video, setting: Setting) -> tuple[InstancePredictor, dict[str, Any]]:
        """Return the predictor for this input, and the facts about it."""
        if setting.jitter is not None:
            assert video.truth is not None
            given = self._settings.score_threshold
            threshold = DEFAULT_THRESHOLD if given is None else given
            shaken = ShakenTruth(video.truth, setting.jitter, threshold)
            return shaken, {"jitter": JITTER | {"seed": setting.jitter}, "score_threshold": threshold}
        predictor = self._predictors.get(1 if video.source.is_live else streams_for_files())
        path = resolve_weights(self._settings.weights)
        weights = {"file": path.name, "sha256": sha256_of(path), "configuration": predictor.config.name}
        return predictor, {
            "weights": weights,
            "detection": {**self._settings.load_options(), **_run_by(predictor)},
            "keyframes": self._settings.keyframes,
            "reuse_still": self._settings.reuse_still,
        }


def _run_by(predictor: LoadedPredictor) -> dict[str, Any]:
    """Return what runs the network, and at which size, as plain values."""
    choice = predictor.choice
    used = (
        {}
        if choice is None
        else {name: str(getattr(choice, name)) for name in ("engine", "device", "precision")}
    )
    return {**used, "image_size": predictor.config.image_size}


def _by_weights(chosen: Sequence[Setting]) -> Iterator[tuple[str | None, list[Setting]]]:
    for weights in dict.fromkeys(setting.weights for setting in chosen):
        yield weights, [setting for setting in chosen if setting.weights == weights]


def _measure(video: Video, setting: Setting, network: _Network, options: StabilityOptions) -> Run:
    """Raises what ended the run early; KeyboardInterrupt when the user did."""
    predictor, facts = network.get(video, setting)
    sink = MeterSink(video.truth, options.worst)
    metrics = Metrics()
    runner = build_runner(
        opener(video.source),
        predictor,
        [sink],
        options=RunOptions(max_frames=options.max_frames),
        metrics=metrics,
        follow=replace(options.detection, stabilise=setting.stabilise).follow_options,
    )
    title = f"{video.name}, {setting.label}"
    done, interrupted = watch(runner, metrics, title, options.quiet, most=options.max_frames)
    if done is None or interrupted:
        raise KeyboardInterrupt
    if done.error is not None:
        raise done.error
    if not sink.frames:
        raise SourceError(f"{video.name}: holds no frame, so there is nothing to measure")
    for warning in done.warnings:
        print(f"note: {video.name}: {warning}", file=sys.stderr)
    rate = None if done.info is None else done.info.frame_rate
    summary, worst = sink.meter.summary(), tuple(sink.worst)
    return Run(video, setting, facts, sink.size, rate, summary, sink.curves, worst, done.warnings)
