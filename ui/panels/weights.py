"""Selection of weights: from the catalogue, installed or to be downloaded, or from a file."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from model.checkpoints.catalog import CATALOG, DEFAULT_WEIGHTS, PROPOSALS, CatalogEntry, current_name
from pipeline.live.events import Failed, Progress, Saved
from ui.control.controller import Controller
from ui.panels.fields import ChoiceField
from ui.panels.widgets import ProgressRow, WrappedLabel

DOWNLOAD = "download"  # the task of events about a download
CHOICES = {**CATALOG, **PROPOSALS}  # Mask R-CNN is for comparisons only


class WeightsPicker(QWidget):
    """The field "weights": a name of the catalogue or a path; None is the default.

    `edited` is emitted for weights to be downloaded once they are there.
    """

    edited = pyqtSignal(str, object)

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.field = "weights"
        self._controller = controller
        self._file = ""  # path of weights that are not in the catalogue
        self._downloading = ""
        self.choice = ChoiceField(self.field, "Weights")
        self.words = WrappedLabel(name="About these weights")
        self.download = QPushButton("Download")
        self.working = ProgressRow("Download of weights")
        self.file = QPushButton("From a file…")
        self._arrange()
        self.choice.edited.connect(self._choose)
        self.download.clicked.connect(self._download)
        self.file.clicked.connect(controller.ask_for_weights)
        controller.bridge.progress.connect(self._on_progress)
        controller.bridge.saved.connect(self._on_saved)
        controller.bridge.failed.connect(self._on_failed)

    def show_value(self, value: str | None) -> None:
        """Show a value of the field."""
        name = current_name(value or DEFAULT_WEIGHTS)
        if name not in CHOICES:
            self._file = name
        self._list()
        self.choice.show_value(name)
        self._about(name)

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.choice, self.words, self.download, self.working, self.file):
            column.addWidget(widget)

    def _list(self) -> None:
        """List the weights anew: some may have been installed."""
        there = [entry for entry in CHOICES.values() if _is_there(entry)]
        absent = [entry for entry in CHOICES.values() if not _is_there(entry)]
        self.choice.clear()
        for heading, entries in (("Installed", there), ("Not installed", absent)):
            if entries:
                self.choice.add_heading(heading)
            for entry in entries:
                self.choice.add_row(entry.name, entry.name, entry.note)
        if self._file:
            self.choice.add_heading("File")
            self.choice.add_row(self._file, Path(self._file).name, self._file)

    def _choose(self, field: str, name: str) -> None:
        self._about(name)
        if name not in CHOICES or _is_there(CHOICES[name]):
            self.edited.emit(field, None if name == DEFAULT_WEIGHTS else name)

    def _about(self, name: str) -> None:
        entry = CHOICES.get(name)
        self.words.show_text(name if entry is None else entry_text(entry))
        wanted = entry is not None and entry.state == "not downloaded"
        self.download.setVisible(wanted and not self._downloading)
        self.download.setAccessibleName(f"Download {name}")

    def _download(self) -> None:
        self._downloading = self.choice.value
        self.download.hide()
        self.working.show_progress(f"Downloading {self._downloading}…")
        self._controller.session.download(self._downloading)

    def _on_progress(self, event: Progress) -> None:
        if self._is_mine(event.task):
            self.working.show_progress(event.detail or f"Downloading {self._downloading}…", event.fraction)

    def _on_saved(self, event: Saved) -> None:
        if self._is_mine(event.task):
            name, shown = self._end(), self.choice.value
            self._list()
            self.choice.show_value(shown)
            self._about(shown)
            if shown == name:  # the user has not chosen others meanwhile
                self._choose(self.field, name)

    def _on_failed(self, event: Failed) -> None:
        if self._is_mine(event.task):
            self._end()
            self._about(self.choice.value)

    def _is_mine(self, task: str) -> bool:
        return bool(self._downloading) and task == DOWNLOAD

    def _end(self) -> str:
        self.working.end()
        name, self._downloading = self._downloading, ""
        return name


def entry_text(entry: CatalogEntry) -> str:
    """Return a description of a catalogue entry in a few lines."""
    value = f"{entry.metric} {entry.value}" if entry.value is not None else ""
    size = f"about {entry.approximate_size // 1_000_000} MB" if entry.approximate_size else ""
    facts = (entry.state, size, value, f"licence: {entry.licence}")
    return f"{entry.note[:1].upper()}{entry.note[1:]}.\n{' · '.join(fact for fact in facts if fact)}"


def _is_there(entry: CatalogEntry) -> bool:
    return entry.state in ("bundled", "downloaded")
