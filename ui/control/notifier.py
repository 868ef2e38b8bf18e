"""Notices about the session's events and about changed settings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PyQt6.QtCore import QObject, QUrl
from PyQt6.QtGui import QDesktopServices

from pipeline.live.events import Failed, Loaded, Lost, RecordingStarted, Regained, Saved, Warned
from pipeline.live.network.comparison import TOPIC as COMPARISON
from pipeline.settings import ComparisonSettings, DisplaySettings
from ui.control.class_text import abbreviated, unknown_classes
from ui.control.compare_text import PRIVATE
from ui.control.controller import Controller
from ui.control.notices import CLASSES, NETWORK, PRIVACY, RECORDING, SOURCE, Level, Notice, Remedy
from ui.control.source_names import short_label_of

PRIVACY_NOTE = (
    "People are made unrecognisable from now on, here and in everything that is saved. "
    "A person who is not detected is not hidden."
)
PRIVACY_OFF = "Privacy is off: people are visible again, here and in everything saved from now on."


class Notifier(QObject):
    """Turn events and changed settings into notices, through the controller's `notice` and `settled`."""

    def __init__(self, controller: Controller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._privacy = controller.display.privacy
        self._compares = controller.comparer.settings.on
        self._ignored = ""
        bridge = controller.bridge
        bridge.loaded.connect(self._on_loaded)
        bridge.lost.connect(self._on_lost)
        bridge.regained.connect(self._on_regained)
        bridge.warned.connect(self._on_warned)
        bridge.recording.connect(self._on_recording)
        bridge.saved.connect(self._on_saved)
        bridge.failed.connect(self._on_failed)
        controller.display_changed.connect(self._on_display)
        controller.detection_changed.connect(self._tell_classes)
        controller.comparer.changed.connect(self._on_comparison)

    def _on_loaded(self, event: Loaded) -> None:
        # otherwise it is another network than the chosen one
        if not self._controller.detection.needs_reload(event.settings):
            self._controller.settled.emit(NETWORK)
        self._tell_classes()

    def _tell_classes(self) -> None:
        """Name the chosen classes that the network in use does not know, once for each selection."""
        loaded = self._controller.loaded
        told = "" if loaded is None else ignored_text(loaded, self._controller.detection.classes)
        if told == self._ignored:
            return
        self._ignored = told
        if told:
            self._controller.notify(Level.WARNING, told, topic=CLASSES)
        else:
            self._controller.settled.emit(CLASSES)

    def _on_lost(self, event: Lost) -> None:
        text = f"{event.name} delivers no pictures any more ({event.reason}); reconnecting"
        self._controller.notify(Level.WARNING, text, topic=SOURCE)

    def _on_regained(self, event: Regained) -> None:
        self._controller.notify(Level.INFO, f"{event.name} is back", topic=SOURCE)

    def _on_warned(self, event: Warned) -> None:
        text = f"{event.name}: {event.message}"
        self._controller.notify(
            Level.WARNING, text, topic=text
        )  # its own topic: shown once, beside other warnings

    def _on_recording(self, event: RecordingStarted) -> None:
        names = ", ".join(path.name for path in event.paths)
        self._controller.notify(Level.INFO, f"Recording to {names}", topic=RECORDING)

    def _on_saved(self, event: Saved) -> None:
        level = Level.WARNING if event.problems else Level.INFO
        text = "; ".join((_saved_text(event), *event.problems))
        remedy = _open_folder(event.paths[0].parent) if event.paths else None
        self._controller.notice.emit(Notice(level, text, "\n".join(event.problems), event.task, remedy))

    def _on_failed(self, event: Failed) -> None:
        remedy = self._way_back() if event.task == SOURCE else None
        self._controller.notice.emit(Notice(Level.ERROR, event.message, event.details, event.task, remedy))

    def _on_display(self, display: DisplaySettings) -> None:
        if display.privacy != self._privacy:
            self._privacy = display.privacy
            text = PRIVACY_NOTE if display.privacy else PRIVACY_OFF
            self._controller.notify(Level.INFO, text, topic=PRIVACY)
            self._tell_comparison()

    def _on_comparison(self, settings: ComparisonSettings) -> None:
        begins = settings.on and not self._compares
        self._compares = settings.on
        if begins or not self._privacy:
            self._tell_comparison()
        else:
            self._controller.settled.emit(COMPARISON)

    def _tell_comparison(self) -> None:
        """Explain that nothing is compared while people are hidden, or withdraw that."""
        if self._compares and self._privacy:
            self._controller.notify(Level.INFO, PRIVATE, topic=COMPARISON)
        else:
            self._controller.settled.emit(COMPARISON)

    def _way_back(self) -> Remedy | None:
        """Return a button that opens the previous source again; None if it is still open."""
        before = self._controller.previous_source
        if not before or self._controller.opened is not None:
            return None
        return Remedy(f"Back to {short_label_of(before)}", partial(self._controller.open, before))


def ignored_text(loaded: Loaded, chosen: Sequence[str] | None) -> str:
    """Return a text about the chosen classes that these weights do not know; "" if they know all."""
    ignored = unknown_classes(chosen, loaded.class_names)
    if not ignored:
        return ""
    known = [name for name in chosen or () if name not in ignored]
    what = abbreviated(known) if known else "all classes that they know"
    return f"{loaded.weights.name}: these weights do not know {abbreviated(ignored)}; they detect {what}"


def show_folder(folder: Path) -> None:
    """Open a folder in the system's file manager."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def _open_folder(folder: Path) -> Remedy:
    return Remedy("Open folder", lambda: show_folder(folder))


def _saved_text(event: Saved) -> str:
    """Return the paths of saved files, and the summary of the first one."""
    paths = ", ".join([str(path) for path in event.paths[:1]] + [path.name for path in event.paths[1:]])
    told = f"{event.task.capitalize()} saved: {paths}" if paths else event.task.capitalize()
    summary = event.summary.partition(";")[0] if len(event.paths) > 1 else event.summary
    return f"{told} ({summary})" if summary else told
