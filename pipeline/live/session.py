"""A session of a window: sources, networks and files, in threads of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from model.errors import ConfigError
from pipeline.live.commands import Command, CommandThread
from pipeline.live.events import Event, Failed, Loaded
from pipeline.live.files.job import AnnotationJob, AnnotationRequest
from pipeline.live.files.outputs import OutputNames
from pipeline.live.network.comparison import TOPIC, ComparisonStatus, LiveComparison
from pipeline.live.network.downloads import Cancelled, download
from pipeline.live.network.fitting import (
    LoadAnyNetwork,
    LoadNetwork,
    load_any_network,
    load_network,
    one_at_a_time,
)
from pipeline.live.network.networks import Networks
from pipeline.live.playing.opening import Opener, OpenSource
from pipeline.live.showing import ActiveRun, Part, RunView, require_run
from pipeline.live.warnings import failed
from pipeline.settings import ComparisonSettings, DetectionSettings, DisplaySettings, ProposalSettings
from pipeline.sources import SourceOptions
from pipeline.sources import open_source as open_any_source

if TYPE_CHECKING:
    from model.detections import Detections
    from pipeline.detectors.switchable import Adopt
    from pipeline.live.run import LiveRun


class LiveSession(RunView):
    """Shows one source at a time. Every method returns at once; events tell what came of it.

    Errors are events too: whatever fails, the session goes on. A thread of control works off what is asked
    for, in order, and another loads networks, while the source goes on with the one before. Nothing heavy is
    imported before the first source is opened.

    on_event:    gets the events, one at a time, from the session's threads; it must neither wait nor raise,
                 nor call `close`
    open_source: stands for `pipeline.sources.open_source`
    load:        gives the network for settings
    load_other:  gives that of the other side of a comparison, of any kind
    adopt:       see `SwitchableDetector`
    """

    def __init__(
        self,
        on_event: Callable[[Event], None],
        detection: DetectionSettings,
        display: DisplaySettings,
        open_source: OpenSource = open_any_source,
        load: LoadNetwork = load_network,
        adopt: Adopt | None = None,
        load_other: LoadAnyNetwork = load_any_network,
    ) -> None:
        self._closing = threading.Event()
        super().__init__(ActiveRun(self._closing))
        self._on_event = on_event
        self._open_source = open_source
        loading = threading.Lock()
        self._load = one_at_a_time(load, loading)
        self._adopt = adopt
        self._display = display
        self._comparison = LiveComparison(one_at_a_time(load_other, loading), self._emit, self._ask_for_other)
        self._networks = Networks(
            self._load, self._emit, detection, display.privacy, self._comparison, self._closing
        )
        self._control = CommandThread("livemask-control", self._tell_failure)
        self._loader = CommandThread("livemask-loader", self._tell_failure)
        self._downloader = CommandThread("livemask-download", self._tell_failure)
        self._names = OutputNames()
        self._emit_lock = threading.RLock()
        self._muted = False
        self._job: AnnotationJob | None = None
        self._asked = False  # for a source, so that a network is worth loading
        self._inspect = False
        self._split = 0.5

    # present state; from any thread at any time

    @property
    def loaded(self) -> Loaded | None:
        """The network in use."""
        return self._networks.loaded

    @property
    def in_use(self) -> DetectionSettings | None:
        """The settings in effect, whatever failed; None without a network."""
        return self._networks.in_use

    @property
    def comparison(self) -> ComparisonStatus:
        """The status of the comparison."""
        return self._comparison.status

    @property
    def alive(self) -> tuple[str, ...]:
        """The names of the session's threads that run; after `close` those that were left behind."""
        return tuple(name for part in self._parts() for name in part.alive)

    # requests

    def open(self, source: str, options: SourceOptions | None = None) -> None:
        """Open what a user typed. The first time, load the network too.

        What is open is closed for it once it is open, and goes on where that fails. Only what cannot be open
        beside it is closed at once: another camera, which may be the same one, or the same source.
        """
        self._asked = True
        if self._networks.missing:
            self._loader.put("network", self._load_network)
        self._control.put("source", lambda: self._open(source, options))

    def close_source(self) -> None:
        """Close what is open."""
        self._control.put("source", self._active.clear)

    def detect(self, settings: DetectionSettings) -> None:
        """Apply detection settings. Another network is loaded first, once anything was opened."""
        to_load = self._networks.want(settings)
        if not self._asked:
            return
        if to_load:
            self._loader.put("network", self._load_network)
        self._control.put("detection", self._apply_detection)

    def propose(self, settings: ProposalSettings) -> None:
        """Apply settings of proposals, from the next frame on."""
        self._control.put("proposals", lambda: self._apply_detection(settings))

    def display(self, settings: DisplaySettings) -> None:
        """Apply display settings. Until it is done, privacy hides every frame as a whole."""
        self._networks.ask_privacy(settings.privacy)
        self._control.put("display", lambda: self._apply_display(settings))

    def compare(self, settings: ComparisonSettings) -> None:
        """Apply comparison settings; those that need another network, once it is loaded."""
        self._control.put(TOPIC, lambda: self._apply_comparison(settings))

    def split(self, at: float) -> None:
        """Set the position of a comparison's line, 0..1 of the picture's width."""
        self._split = at
        if (run := self._active.run) is not None:
            run.painter.split = at
            run.show_again()

    def select(self, instance: Detections) -> None:
        """Select what was shown as this, one row of a result's detections."""
        if (run := self._active.run) is not None:
            run.painter.select(instance)
            run.show_again()

    def deselect(self) -> None:
        """Select nothing."""
        if (run := self._active.run) is not None:
            run.painter.deselect()
            run.show_again()

    def inspect(self, wanted: bool) -> None:
        """Set whether results carry prototypes, or scores of proposals, which takes some time."""
        self._control.put("inspection", lambda: self._apply_inspection(wanted))

    def record(self, folder: Path, with_json: bool = False) -> None:
        """Record what is shown to a new video in the folder, with the detections beside it if asked for."""
        self._put_each("recording", lambda: require_run(self._active.run).record(folder, with_json))

    def stop_recording(self) -> None:
        """End the recording; its event tells when the files are whole."""
        self._put_each("recording", lambda: require_run(self._active.run).stop_recording())

    def snapshot(self, folder: Path) -> None:
        """Save the picture that is shown now in the folder."""
        run = self._active.run
        shown = None if run is None else run.latest.peek()
        self._put_each("snapshot", lambda: require_run(run).save_picture(folder, shown, self._closing))

    def download(self, name: str) -> None:
        """Fetch weights of the catalogue; those that are there already are not fetched again."""
        self._downloader.put("download", lambda: download(name, self._emit, self._closing), replaces=False)

    def annotate(self, source: str, output: Path) -> None:
        """Annotate a file to disk, with the settings of now; see `job.AnnotationRequest`. One at a time."""
        self._put_each("annotation", lambda: self._start_job(source, output))

    def cancel_annotation(self) -> None:
        """End the annotation early; nothing of it is left."""
        if (job := self._job) is not None:
            job.end()

    def close(self, timeout: float = 2.0) -> bool:
        """End everything; not for the session's own threads. No event comes after it.

        False when threads are left behind after so many seconds, see `alive`. They wait for something that
        cannot be interrupted, end with it, and do not keep the program from ending.
        """
        deadline = monotonic() + timeout
        self._closing.set()
        for part in self._parts():
            part.end()
        self._control.join(deadline - monotonic())  # the last one to start anything
        for part in self._parts():
            part.join(deadline - monotonic())
        with self._emit_lock:
            self._muted = True
        return not self.alive

    # their execution, in the control thread

    def _open(self, source: str, options: SourceOptions | None) -> None:
        from pipeline.live.run import LiveRun

        opener = Opener(source, options, self._open_source)
        shared = self._networks, self._display, self._names, self._emit, self._on_turn, self._adopt
        self._active.replace(LiveRun(opener, *shared))

    def _prepare(self, run: LiveRun) -> None:
        """Apply the present settings to a run that was opened meanwhile."""
        run.detector.inspect = self._inspect
        run.painter.split = self._split
        run.show(self._display)

    def _apply_detection(self, proposals: ProposalSettings | None = None) -> None:
        self._networks.apply(proposals)
        self._show_again()

    def _apply_display(self, settings: DisplaySettings) -> None:
        def show() -> None:
            self._display = settings
            if (run := self._active.run) is not None:
                run.show(settings)

        self._networks.keep_private(settings.privacy, show)
        self._show_again()

    def _apply_inspection(self, wanted: bool) -> None:
        self._inspect = wanted
        if (run := self._active.run) is not None:
            run.detector.inspect = wanted
            run.show_again()

    def _apply_comparison(self, settings: ComparisonSettings) -> None:
        self._comparison.choose(settings)
        self._show_again()

    def _show_again(self) -> None:
        if (run := self._active.run) is not None:
            run.show_again()

    def _start_job(self, source: str, output: Path) -> None:
        if self._job is not None and self._job.alive:
            raise ConfigError("a file is being annotated already; wait for its end, or cancel it")
        networks = self._networks
        order = AnnotationRequest(source, output, networks.wanted, self._display, networks.proposals)
        self._job = AnnotationJob(order, self._load, self._open_source, self._emit)
        self._job.start()
        if self._closing.is_set():  # `close` may have come too early for it
            self._job.end()

    # in whatever thread

    def _on_turn(self) -> None:
        self._control.put("turn", lambda: self._active.settle(self._prepare))

    def _load_network(self) -> None:
        self._networks.load()
        self._show_again()

    def _ask_for_other(self) -> None:
        self._loader.put(TOPIC, self._load_other)

    def _load_other(self) -> None:
        self._comparison.load()
        self._show_again()

    def _parts(self) -> Iterator[Part]:
        yield from (self._control, self._loader, self._downloader, self._active)
        if self._job is not None:
            yield self._job

    def _put_each(self, topic: str, command: Command) -> None:
        """Queue a command that replaces no other one."""
        if not self._control.put(topic, command, replaces=False):
            self._emit(Failed(topic, "too much is waiting to be done; try again in a moment"))

    def _tell_failure(self, topic: str, error: Exception) -> None:
        if not isinstance(error, Cancelled):
            self._emit(failed(topic, error))

    def _emit(self, event: Event) -> None:
        with self._emit_lock:
            if not self._muted:
                self._on_event(event)
