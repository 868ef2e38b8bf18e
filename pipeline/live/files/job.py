"""A job that annotates every frame of a file to disk, beside the live run."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import monotonic

from model.errors import SinkError, SourceError
from pipeline.frame import Result
from pipeline.live.events import Event, Failed, Progress, Saved
from pipeline.live.files.outputs import VIDEO, OutputNames, make_folder, saved, sink_for, stem_of
from pipeline.live.network.fitting import (
    LoadNetwork,
    configured,
    own_thresholds,
    tracking_options,
    wanted_rows,
    with_known_classes,
    with_proposal_settings,
)
from pipeline.live.playing.opening import OpenSource
from pipeline.live.warnings import failed
from pipeline.metrics.run import Metrics
from pipeline.runner import Runner, RunReport, RunState
from pipeline.settings import DetectionSettings, DisplaySettings, ProposalSettings
from pipeline.sinks.base import Sink, SinkReport
from pipeline.sources.base import Source, SourceInfo
from pipeline.stages import Paint

TASK = "annotation"
_TICK = 0.2  # seconds between two looks at the run
_PATIENCE = 2.0  # seconds that its threads have to end once they were told to


@dataclasses.dataclass(frozen=True, repr=False)
class AnnotationRequest:
    """The input, the output and the settings of an annotation job.

    source: a file, or images; not a camera or live stream, which are recorded
    output: a file that is not there yet, a video or JSON lines by its suffix; or a folder to put one in
    """

    source: str
    output: Path
    detection: DetectionSettings
    display: DisplaySettings
    proposals: ProposalSettings = dataclasses.field(default_factory=ProposalSettings)


class AnnotationJob:
    """Annotates a file, without loss of frames, as the view does but for the selection and the frame rate.

    Runs once, in a thread of its own, with a network of its own, so that what is watched can change. It
    tells of itself by `Progress` events, and at the end by `Saved` or `Failed`. Who cancels it wants no half
    of a file, which is removed; where an error ends it, what was written stays and is told of.
    """

    def __init__(
        self,
        request: AnnotationRequest,
        load: LoadNetwork,
        open_source: OpenSource,
        emit: Callable[[Event], None],
    ) -> None:
        self._request = request
        self._load = load
        self._open_source = open_source
        self._emit = emit
        self._metrics = Metrics()
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._runner: Runner | None = None
        self._thread = threading.Thread(target=self._work, name="livemask-annotation", daemon=True)

    def start(self) -> None:
        """Start the thread and return."""
        self._thread.start()

    def end(self) -> None:
        """End it early, and leave nothing of it behind. Returns at once."""
        with self._lock:
            self._cancelled.set()
            if self._runner is not None:
                self._runner.stop()

    def join(self, timeout: float) -> bool:
        """Wait for the end, at most `timeout` seconds; whether it has come."""
        if self._thread.ident is not None:
            self._thread.join(max(timeout, 0.0))
        return not self.alive

    @property
    def alive(self) -> tuple[str, ...]:
        """The names of the threads that have not ended."""
        own = (self._thread.name,) if self._thread.is_alive() else ()
        return (*own, *(self._runner.alive if self._runner is not None else ()))

    def _work(self) -> None:
        try:
            self._annotate()
        except Exception as error:
            self._emit(failed(TASK, error, self._request.source))

    def _annotate(self) -> None:
        output = self._output()
        sink = sink_for(output)
        make_folder(output.parent)
        self._emit(Progress(TASK, None, "loading the network"))
        runner = self._runner_to(sink)
        with self._lock:
            self._runner = runner
            runner.start()
            if self._cancelled.is_set():
                runner.stop()
        self._tell_end(self._watch(runner))

    def _output(self) -> Path:
        request = self._request
        if request.output.is_file():
            raise SinkError(f"{request.output}: exists already; choose another name")
        if not request.output.is_dir():
            return request.output
        stem = stem_of(SourceInfo(request.source, live=False, width=0, height=0))
        return OutputNames().new(request.output, stem, [VIDEO])[0]

    def _runner_to(self, sink: Sink) -> Runner:
        from pipeline.detectors.build import build_detector
        from pipeline.live.painting import LivePainter

        detection = self._request.detection
        # the rate at which a file is processed means nothing when it is played later
        display = dataclasses.replace(self._request.display, show_fps=False)
        network = with_proposal_settings(self._load(detection), self._request.proposals)
        network = configured(network, detection, display.privacy)
        detection = with_known_classes(detection, network.class_names)
        follow = tracking_options(detection, display.privacy)
        own = own_thresholds(network)
        shown = partial(wanted_rows, detection, private=display.privacy, own=own)
        painter = LivePainter(display, shown)
        if painter.picture_problem:
            self._emit(Failed("display", painter.picture_problem))
        detector = build_detector(network, self._metrics, follow=follow)
        return Runner(self._open, detector, in_media_time(painter), [sink], self._metrics)

    def _open(self, interrupted: threading.Event) -> Source:
        source = self._open_source(self._request.source, options=None, interrupted=interrupted)
        if source.info.live:
            source.close()
            raise SourceError(
                f"{source.info.name}: has no end, and loses frames that come too fast; only files are "
                "annotated, this can be recorded"
            )
        return source

    def _watch(self, runner: Runner) -> RunReport | None:
        """Emit progress until the run ends; return its report, None if it goes on after a cancellation."""
        deadline = math.inf
        while (report := runner.join(_TICK)) is None:
            if self._cancelled.is_set():
                deadline = min(deadline, monotonic() + _PATIENCE)
            if monotonic() > deadline:
                break
            self._emit(_progress(runner.info, self._metrics))
        return report

    def _tell_end(self, report: RunReport | None) -> None:
        if report is None:
            raise SinkError(f"{self._request.output}: cancelled, but its threads do not end: {self.alive}")
        if report.error is not None:
            self._emit(failed(TASK, report.error, self._request.source))
        if report.state is RunState.STOPPED:
            _remove_parts(report.sinks)
            self._emit(Saved(TASK, (), "cancelled; nothing was kept"))
        elif report.sinks or report.error is None:
            made = saved(TASK, report.sinks)
            self._emit(dataclasses.replace(made, problems=(*made.problems, *report.warnings)))


def in_media_time(paint: Paint) -> Paint:
    """Paint as if frames were captured when they are shown: what is held for some seconds is held for as
    many of the video's, however fast a file is worked off."""

    def painted(result: Result, fps: float) -> Result:
        frame = result.frame
        shown = dataclasses.replace(frame, captured_at=float(frame.time))
        drawn = paint(dataclasses.replace(result, frame=shown), fps)
        back = dataclasses.replace(drawn.frame, captured_at=frame.captured_at)
        return dataclasses.replace(drawn, frame=back)

    return painted


def _remove_parts(reports: Sequence[SinkReport]) -> None:
    for report in reports:
        if report.path is not None and not report.whole:
            with contextlib.suppress(OSError):  # it may be in use; a part says by its name that it is one
                report.path.unlink()


def _progress(info: SourceInfo | None, metrics: Metrics) -> Progress:
    snapshot = metrics.snapshot()
    count = None if info is None else info.frame_count
    of_all = f" of {count}" if count else ""
    detail = f"{snapshot.frames}{of_all} frames, {snapshot.recent_fps:.1f} a second"
    return Progress(TASK, min(snapshot.frames / count, 1.0) if count else None, detail)
