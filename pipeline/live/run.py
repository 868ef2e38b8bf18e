"""The live run of one source, from its opening to its end."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from model.errors import SinkError
from pipeline.frame import Result
from pipeline.live.events import (
    Closed,
    Event,
    Failed,
    Lost,
    Opened,
    Opening,
    RecordingStarted,
    Regained,
    Warned,
)
from pipeline.live.files.outputs import (
    LINES,
    PICTURE,
    VIDEO,
    OutputNames,
    make_folder,
    saved,
    saved_picture,
    sink_for,
    stem_of,
)
from pipeline.live.network.networks import Networks
from pipeline.live.playing.opening import Opener
from pipeline.live.privacy.gate import PrivacyGate
from pipeline.live.warnings import failed, without_secrets
from pipeline.metrics.run import Metrics
from pipeline.metrics.trace import RecentSpans
from pipeline.runner import Runner
from pipeline.settings import DisplaySettings
from pipeline.sinks.latest import LatestSink
from pipeline.sources.base import Source, SourceInfo
from pipeline.stability.pair_score import PairScorer
from pipeline.stages import RunOptions

if TYPE_CHECKING:
    from pipeline.detectors.switchable import Adopt
    from pipeline.live.playing.playback import Playback
    from pipeline.sinks.base import SinkReport

Emit = Callable[[Event], None]

_PATIENCE = 2.0  # seconds to wait for a picture that may be kept
_POLL = 0.01
_TICK = 0.5  # seconds between two looks at a source's warnings
_COUNT = re.compile(r"\d+")  # grows in a warning with everything that goes wrong


class LiveRun:
    """Reads, detects, paints and shows until it is stopped or the source ends. Runs once.

    An opened source waits for `admit` before a frame of it is read, so that what was shown before goes on
    until then. However it ends, `Closed` is told once, after a `Failed` where an error ended it. Only a run
    that does not end in time when it is told to may have something to tell after that.
    """

    def __init__(
        self,
        opener: Opener,
        networks: Networks,
        display: DisplaySettings,
        names: OutputNames,
        emit: Emit,
        on_turn: Callable[[], None],
        adopt: Adopt | None = None,
    ) -> None:
        """names: of the files that are made; on_turn: called by the run's threads once the source is `ready`,
        and once the run is `over`; adopt: see `SwitchableDetector`."""
        # heavy ones, loaded with the first source
        from pipeline.detectors.switchable import SwitchableDetector
        from pipeline.live.files.recorder import Recorder
        from pipeline.live.painting import LivePainter

        self._opener = opener
        self._networks = networks
        self._names = names
        self._emit = emit
        self._on_turn = on_turn
        self.latest = LatestSink()
        self.spans = RecentSpans()
        self.metrics = Metrics(self.spans)
        self.detector = SwitchableDetector(self.metrics, adopt, networks.compared_broke)
        self.painter = LivePainter(display, shown=networks.wanted_rows)
        self.scorer = PairScorer()
        self.playback: Playback | None = None
        self.info: SourceInfo | None = None
        self._source: Source | None = None
        self._opened: Opened | None = None
        self._admitted = threading.Event()
        self._warned: set[str] = set()
        self._recorder = Recorder()
        self._recording_lock = threading.Lock()
        self._lock = threading.Lock()
        self._closed_told = False
        self._gate = PrivacyGate(self.latest, networks, display)
        sinks = (self._recorder, self._gate)
        self._runner = Runner(self._open, self.detector, self._paint, sinks, self.metrics, RunOptions(room=1))
        self._watcher = threading.Thread(target=self._watch, name="livemask-watcher", daemon=True)

    def start(self) -> None:
        """Start the threads and return."""
        self._emit(Opening(self._opener.name))
        self._tell_picture_problem()
        self._runner.start()
        self._watcher.start()

    def end(self) -> None:
        """End it early; returns at once."""
        self._runner.stop()
        self.scorer.end()
        self._admitted.set()

    @property
    def ready(self) -> bool:
        """True once the source is open and waits for `admit`."""
        return self._opened is not None

    @property
    def over(self) -> bool:
        """True once it is known that no more frames come."""
        with self._lock:
            return self._closed_told

    def admit(self) -> None:
        """Start reading frames, and emit the event that the source is shown. Returns at once."""
        self._networks.attach(self.detector)
        self.tell_opened()
        self._admitted.set()

    def tell_opened(self) -> None:
        """Emit the event that this source is shown, unless it is closed."""
        with self._lock:
            if self._opened is not None and not self._closed_told:
                self._emit(self._opened)

    def may_open_beside(self, other: LiveRun) -> bool:
        """Return True if both sources can be open at a time; two names of cameras may be one camera's."""
        mine, others = self._opener, other._opener
        return mine.name != others.name and not (mine.is_camera and others.is_camera)

    def join(self, timeout: float) -> bool:
        """Wait for the end, at most `timeout` seconds; whether it has come."""
        deadline = monotonic() + timeout
        if self._watcher.ident is not None:
            self._watcher.join(max(timeout, 0.0))
        self.scorer.join(deadline - monotonic())
        return not self.alive

    @property
    def alive(self) -> tuple[str, ...]:
        """The names of the threads that have not ended."""
        watcher = (self._watcher.name,) if self._watcher.is_alive() else ()
        return (*self._runner.alive, *watcher, *self.scorer.alive)

    def tell_closed(self) -> None:
        """Emit the event that no more frames come, once; also where not all threads have ended in time."""
        with self._lock:
            told, self._closed_told = self._closed_told, True
        if not told:
            self._emit(Closed(self._opener.name))

    def show(self, display: DisplaySettings) -> None:
        """Apply display settings to all later frames."""
        problem = self.painter.picture_problem
        self.painter.display = display
        if self.painter.picture_problem != problem:
            self._tell_picture_problem()
        self._gate.draw(display)

    @property
    def recording(self) -> bool:
        """True while frames are written to files."""
        return self._recorder.recording

    def record(self, folder: Path, with_json: bool) -> None:
        """Write frames from now on, until `stop_recording` or the end, to new files in the folder.

        It begins with the picture that is shown where that stands still. Raises SinkError where it cannot.
        """
        make_folder(folder)
        paths = self._names.new(folder, stem_of(self.info), (VIDEO, LINES) if with_json else (VIDEO,))
        with self._recording_lock:  # it may end at once, but not before it was told of
            self._recorder.start([sink_for(path) for path in paths], self._recording_ended)
            self._emit(RecordingStarted(paths))
        self.show_again()

    def stop_recording(self) -> None:
        """End the recording; an event tells when the files are whole."""
        self._recorder.stop()

    def show_again(self) -> None:
        """Process the present frame again where playback is paused, because settings have changed."""
        playback = self.playback
        if playback is not None and not playback.playing:
            playback.again()

    def save_picture(self, folder: Path, shown: Result | None, giving_up: threading.Event) -> None:
        """Write a picture to a new file in the folder: that of `shown`, None for the newest there is.

        With privacy it waits for one in which nobody was overlooked, until the event is set or no picture
        comes. Raises SinkError where there is none, or where it cannot be written.
        """
        result = shown or self.latest.peek()
        deadline = monotonic() + _PATIENCE
        while result is not None and self._networks.overlooked(result.frame):
            late = monotonic() > deadline or giving_up.wait(_POLL)
            result = None if late else self.latest.peek()
        if result is None:
            raise SinkError("no picture is there that could be saved; wait until one is shown")
        (path,) = self._names.new(folder, stem_of(self.info), (PICTURE,))
        self._emit(saved_picture(path, result, self.info.pixel_aspect if self.info else Fraction(1)))

    def _open(self, interrupted: threading.Event) -> Source:
        watched = self._opener.watch(interrupted, self._on_lost, self._on_back)
        self.playback, self.info = watched.playback, watched.info
        playback = watched.playback
        seekable = playback is not None and playback.seekable
        self._opened = Opened(watched.info, playback is not None, seekable, self._opener.name)
        if not interrupted.is_set():
            self._on_turn()
            self._admitted.wait()  # the end of the run sets it, too
        self._source = watched.source
        return watched.source

    def _paint(self, result: Result, fps: float) -> Result:
        if not self._networks.must_hide(result.frame):
            drawn = self.painter(result, fps)
            if not self._networks.must_hide(result.frame):  # privacy may have been asked for meanwhile
                if drawn.other is not None:
                    self.scorer.put(drawn, self._networks.compared)
                return drawn
        return self.painter.hidden(result, fps)

    def _tell_picture_problem(self) -> None:
        if self.painter.picture_problem:
            self._emit(Failed("display", self.painter.picture_problem))

    def _on_lost(self, reason: str) -> None:
        self._emit(Lost(self._opener.name, without_secrets(reason, self._opener.text)))

    def _on_back(self) -> None:
        self._emit(Regained(self._opener.name))

    def _recording_ended(self, reports: Sequence[SinkReport], error: Exception | None) -> None:
        with self._recording_lock:
            if error is None:
                self._emit(saved("recording", reports))
                return
            told = failed("recording", error)
            there = [made for made in reports if made.path is not None and made.path.exists()]
            left = "".join(f"; {made.path} is left ({made.summary})" for made in there)
            self._emit(dataclasses.replace(told, message=told.message + left))

    def _tell_warnings(self, warnings: Sequence[str]) -> None:
        for warning in warnings:
            kind = _COUNT.sub("", warning)
            if kind not in self._warned:
                self._warned.add(kind)
                self._emit(Warned(self._opener.name, without_secrets(warning, self._opener.text)))

    def _watch(self) -> None:
        while (report := self._runner.join(_TICK)) is None:
            if self._source is not None:
                self._tell_warnings(self._source.warnings)
        self._tell_warnings(report.warnings)
        if report.error is not None:
            self._emit(failed("source", report.error, self._opener.text))
        self.scorer.end()
        self._source = None  # it may hold this run in turn
        self.tell_closed()
        self._on_turn()
