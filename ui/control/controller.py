"""The controller that panels and actions use: settings, session, and the result that the view shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path, PurePath
from time import monotonic
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QObject, pyqtSignal

from model.user_folders import own_folder
from pipeline.frame import Result
from pipeline.live.events import Closed, Event, Failed, Loaded, Loading, Opened, Opening, RecordingStarted
from pipeline.live.selection import instance_at, next_instance
from pipeline.settings import DetectionSettings, DisplaySettings
from pipeline.sources.addresses import HIDDEN, is_address, redacted
from pipeline.tracking.options import STABILISE_KINDS
from ui.control.bridge import Bridge
from ui.control.comparing import Comparer
from ui.control.liveness import Liveness
from ui.control.notices import NETWORK, SOURCE, Level, Notice
from ui.control.settings import MOST_RECENT, WindowSettings, camera_options
from ui.control.source_names import label_of, name_of

if TYPE_CHECKING:
    from pipeline.detectors.switchable import Adopt
    from pipeline.live.session import LiveSession

    MakeSession = Callable[[Callable[[Event], None], DetectionSettings, DisplaySettings], LiveSession]


def live_session(
    on_event: Callable[[Event], None],
    detection: DetectionSettings,
    display: DisplaySettings,
    adopt: Adopt | None = None,
) -> LiveSession:
    """Return a new `LiveSession`; see there for `adopt`."""
    from pipeline.live.session import LiveSession

    return LiveSession(on_event, detection, display, adopt=adopt)


class Controller(QObject):
    """Change settings, drive the session and emit signals about both. Lives in the window's thread.

    Signals of `bridge` report what the session does, those of this class what the user has chosen.
    """

    detection_changed = pyqtSignal(DetectionSettings)
    display_changed = pyqtSignal(DisplaySettings)
    recent_changed = pyqtSignal()
    notice = pyqtSignal(Notice)
    settled = pyqtSignal(str)  # a topic whose notices are out of date
    # requests for the window to open a dialog
    file_requested = pyqtSignal()
    folder_requested = pyqtSignal()
    weights_requested = pyqtSignal()

    def __init__(
        self,
        settings: WindowSettings,
        make_session: MakeSession = live_session,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.bridge = Bridge(self)
        self.settings = settings
        self.session = make_session(self.bridge.deliver, settings.detection, settings.display)
        self.result: Result | None = None  # the result that the view shows; set by the view
        self.display_fps = 0.0  # pictures per second that the view shows; set by the view
        self.shown_age = 0.0  # seconds, see `Liveness.age`; set by the view
        self.opened: Opened | None = None
        self.loaded: Loaded | None = None
        self.loading: Loading | None = None  # the network that is being loaded
        self._given_sources: dict[str, str] = {}  # sources with their passwords, by the text without
        self._shown_names: dict[str, str] = {}  # texts of sources without passwords, by their names in events
        self._opening_name = ""  # name of the source in the last `Opening`
        self.previous_source = ""  # the source opened last, unless it failed itself
        self.recording_since = 0.0  # `time.monotonic()` of the start of the recording
        self._inspectors = 0
        self.comparer = Comparer(self.session, self)
        self._listen()
        self.liveness = Liveness(self.bridge, self)

    @property
    def detection(self) -> DetectionSettings:
        """The settings of detection."""
        return self.settings.detection

    @property
    def display(self) -> DisplaySettings:
        """The settings of display."""
        return self.settings.display

    @property
    def shows_two_sides(self) -> bool:
        """True while the picture that is shown has both sides of a comparison."""
        return self.result is not None and self.result.other is not None

    @property
    def pixel_aspect(self) -> float:
        """The width of a pixel of the source divided by its height; 1 without a source."""
        return float(self.opened.info.pixel_aspect) if self.opened is not None else 1.0

    @property
    def title(self) -> str:
        """A short name of the source that is open; "" without one."""
        name = self.opened.info.name if self.opened is not None else ""
        return name if is_address(name) else PurePath(name).name or name

    @property
    def output(self) -> Path:
        """The folder for recordings and snapshots, which may not exist yet."""
        import platformdirs

        return own_folder(lambda: self.settings.output or Path(platformdirs.user_videos_dir()) / "LiveMask")

    def set_detection(self, **changes: Any) -> None:
        """Change fields of `DetectionSettings`; do nothing if they have these values already."""
        detection = dataclasses.replace(self.detection, **changes)
        if detection != self.detection:
            self.remember(detection=detection)
            self.session.detect(detection)
            self.detection_changed.emit(detection)

    def stabilise_next(self) -> None:
        """Select the next strength of the stabiliser: off, light, strong, and off again."""
        kinds = STABILISE_KINDS
        at = kinds.index(self.detection.stabilise) if self.detection.stabilise in kinds else -1
        self.set_detection(stabilise=kinds[(at + 1) % len(kinds)])

    def set_display(self, **changes: Any) -> None:
        """Change fields of `DisplaySettings`; do nothing if they have these values already."""
        display = dataclasses.replace(self.display, **changes)
        if display != self.display:
            self.remember(display=display)
            self.session.display(display)
            self.display_changed.emit(display)

    def remember(self, **changes: Any) -> None:
        """Change fields of `WindowSettings`, which are saved when the window closes."""
        self.settings = dataclasses.replace(self.settings, **changes)

    def open(self, source: str) -> None:
        """Open a camera, file, folder or address in place of the current source.

        It is added to the recent sources once it is open. A recent source is opened with its password if that
        was given since the start.
        """
        known = redacted(source)
        if known == source:
            source = self._given_sources.get(known, source)
        if is_address(source) and HIDDEN in source:
            text = f"{source}: passwords are not saved; type the address with its password again"
            self.notify(Level.WARNING, text, topic=SOURCE)
            return
        self._given_sources[known] = source
        self._shown_names[label_of(source)] = known
        options = camera_options(self.settings.camera_mode)
        if options is None:
            self.session.open(source)
        else:
            self.session.open(source, options)

    def close_source(self) -> None:
        """Close the current source."""
        self.session.close_source()

    def toggle_play(self) -> None:
        """Pause the playback or resume it; no effect on a camera."""
        if self.session.playback is not None:
            self.session.playback.toggle()

    def step(self, count: int) -> None:
        """Step forwards or backwards by a number of frames, and pause."""
        if self.session.playback is not None:
            self.session.playback.step(count)

    def seek(self, seconds: float) -> None:
        """Seek to a time of the source, in seconds."""
        if self.session.playback is not None:
            self.session.playback.seek(seconds)

    def select_at(self, x: float, y: float) -> None:
        """Select the instance at a pixel of the frame; deselect if there is none."""
        row = None if self.result is None else instance_at(self.result.detections, x, y)
        if self.result is None or row is None:
            self.deselect()
        else:
            self.select(self.result, row)

    def select(self, shown: Result, row: int) -> None:
        """Select a detection of a result that is or was shown."""
        self.session.select(shown.detections.select([row]))

    def deselect(self) -> None:
        """Deselect the selected instance."""
        self.session.deselect()

    def select_next(self, step: int) -> None:
        """Select the instance `step` places after the selected one, from left to right."""
        if self.result is not None:
            chosen = next_instance(self.result.detections, self.result.selected, step)
            if chosen is not None:
                self.select(self.result, chosen)

    def inspect(self, wanted: bool) -> None:
        """Add (True) or remove (False) a user of prototypes, which are computed while there is one."""
        self._inspectors = max(0, self._inspectors + (1 if wanted else -1))
        self.session.inspect(self._inspectors > 0)

    def snapshot(self) -> None:
        """Save the picture that is shown."""
        self.session.snapshot(self.output)

    def toggle_recording(self) -> None:
        """Start recording what is shown, or stop it."""
        if self.session.recording:
            self.session.stop_recording()
        else:
            self.session.record(self.output, self.settings.record_json)

    def annotate(self, source: str, output: Path) -> None:
        """Start annotating every frame of a file to disk, in the background."""
        self.session.annotate(source, output)

    def cancel_annotation(self) -> None:
        """Cancel the annotation of a file."""
        self.session.cancel_annotation()

    def notify(self, level: Level, text: str, details: str = "", topic: str = "") -> None:
        """Show a notice."""
        self.notice.emit(Notice(level, text, details, topic))

    def ask_for_file(self) -> None:
        """Open the dialog for a video or picture to play. Returns at once."""
        self.file_requested.emit()

    def ask_for_folder(self) -> None:
        """Open the dialog for a folder of pictures to play. Returns at once."""
        self.folder_requested.emit()

    def ask_for_weights(self) -> None:
        """Open the dialog for a file of weights to use. Returns at once."""
        self.weights_requested.emit()

    def close(self, timeout: float = 2.0) -> bool:
        """End the session. Returns False if a thread is still running after `timeout` seconds."""
        return self.session.close(timeout)

    def _listen(self) -> None:
        self.bridge.opening.connect(self._on_opening)
        self.bridge.opened.connect(self._on_opened)
        self.bridge.closed.connect(self._on_closed)
        self.bridge.loading.connect(self._on_loading)
        self.bridge.loaded.connect(self._on_loaded)
        self.bridge.recording.connect(self._on_recording)
        self.bridge.failed.connect(self._on_failed)

    def _on_opening(self, event: Opening) -> None:
        self._opening_name = event.name

    def _on_opened(self, event: Opened) -> None:
        if event == self.opened:
            return  # it continues, since its successor could not be opened
        self.opened = event
        self.settled.emit(SOURCE)
        known = self._shown_names.get(name_of(event))
        if known is not None:
            self.previous_source = known
            others = (one for one in self.settings.recent if one != known)
            self.remember(recent=(known, *others)[:MOST_RECENT])
            self.recent_changed.emit()

    def _on_closed(self, event: Closed) -> None:
        if event.name == name_of(self.opened):
            self.opened = None
            self.result = None

    def _on_loading(self, event: Loading) -> None:
        self.loading = event

    def _on_loaded(self, event: Loaded) -> None:
        self.loaded, self.loading = event, None

    def _on_recording(self, event: RecordingStarted) -> None:
        self.recording_since = monotonic()

    def _on_failed(self, event: Failed) -> None:
        if event.task == NETWORK:
            self.loading = None
        if event.task == SOURCE and self._opening_name == label_of(self.previous_source):
            self.previous_source = ""  # this source itself has failed
