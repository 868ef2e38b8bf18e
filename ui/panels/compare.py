"""The panel of a comparison: the settings of the right side, and the stability of both sides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFileDialog, QGridLayout, QLabel, QPushButton, QWidget

from model.checkpoints.catalog import all_entries, current_name
from model.options import NMS_KINDS
from pipeline.settings import ComparisonSettings
from pipeline.stability.pair_score import RECENT_LIVE, Scores
from pipeline.tracking.options import STABILISE_KINDS
from ui.control.class_text import common_threshold, own_thresholds
from ui.control.compare_text import FIGURES, SIDES, side_text, status_text
from ui.control.controller import Controller
from ui.panels.fields import ChoiceField, ThrottledChanges, TickField, has_changed
from ui.panels.input_size import InputSize
from ui.panels.polled import PolledPanel
from ui.panels.score import ScoreSlider
from ui.panels.sections import Sections
from ui.panels.widgets import WrappedLabel
from ui.window.dropping import WEIGHTS_SUFFIXES

AS_LEFT = "As on the left"
HOW = (
    "Left of the line A, right of it B: drag the line, or move it by Ctrl and the left and right arrow keys."
)
MEASURED = f"Measured over the last {RECENT_LIVE:.0f} seconds of the comparison"


class ComparePanel(PolledPanel):
    """Edit the settings of the right side, and show the scores of both while the panel is visible."""

    interval = 300

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(controller, parent)
        self._comparer = controller.comparer
        self._followed: ComparisonSettings | None = None
        self._changes = ThrottledChanges(self._comparer.change, self)
        self._on = TickField("on", "Compare in the picture", HOW)
        self._stabilise = ChoiceField("stabilise", "Stabiliser on the right", _rows(STABILISE_KINDS))
        self._other_score = TickField("other", "Another score threshold", "One for every class on the right")
        self._score = ScoreSlider("Score threshold on the right")
        self._nms = ChoiceField("nms", "Non-maximum suppression on the right", _rows(NMS_KINDS))
        self._size = InputSize(AS_LEFT)
        self._weights = _OtherWeights()
        self._file = QPushButton("Other weights from a file…")
        self._status = WrappedLabel(name="State of the comparison")
        self._sides = [WrappedLabel("–", f"Side {side}") for side in SIDES]
        self._figures = _Figures()
        self._problem = WrappedLabel(name="Problem of the measurement")
        self._arrange()
        self._connect()

    def begin(self) -> None:
        """List the weights anew: some may have been downloaded meanwhile."""
        self._weights.show_value(self._comparer.settings.weights)

    def refresh(self) -> None:
        """Show the current state of the comparison."""
        session, wanted = self.controller.session, self._comparer.settings.on
        status = session.comparison
        self._status.show_text(status_text(status, wanted))
        goes_on = wanted and status.state == "on"
        for words, side, settings in zip(self._sides, SIDES, (status.left, status.right), strict=True):
            text = side_text(settings) if wanted and settings is not None else "–"
            words.show_text(f"{side}: {text}")
        self._figures.show_scores(session.scores if goes_on else None)
        self._problem.show_text(session.scores_problem if goes_on else "")

    def _arrange(self) -> None:
        sections = Sections()
        sections.add_section("Comparison", self._on, WrappedLabel(HOW), self._status)
        sections.add_section(
            "On the right",
            ("Stabiliser", self._stabilise),
            self._other_score,
            self._score,
            ("NMS", self._nms),
            ("Input size", self._size),
            ("Weights", self._weights),
            self._file,
        )
        sections.add_section("Sides", *self._sides)
        sections.add_section("Stability", self._figures, self._problem, WrappedLabel(MEASURED))
        sections.end_sections()
        self.put(sections)

    def _connect(self) -> None:
        for field in (self._on, self._stabilise, self._score, self._nms, self._size, self._weights):
            field.edited.connect(self._changes.add)
        self._other_score.edited.connect(self._choose_score)
        self._file.clicked.connect(self._choose_file)
        self._comparer.changed.connect(self._follow)
        self.controller.detection_changed.connect(self._show_score)
        self.controller.bridge.loaded.connect(self._show_score)
        self.due.connect(self.refresh)
        self._follow(self._comparer.settings)
        self.refresh()

    def _follow(self, settings: ComparisonSettings) -> None:
        for field in (self._on, self._stabilise, self._nms, self._size, self._weights):
            if has_changed(field.field, self._followed, settings) and not self._changes.holds(field.field):
                field.show_value(getattr(settings, field.field))
        self._followed = settings
        own = settings.score_threshold is not None
        self._other_score.show_value(own)
        self._score.setEnabled(own)
        self._show_score()
        if self.isVisible():
            self.refresh()

    def _show_score(self) -> None:
        """Show the right side's score threshold, which may be that of the left."""
        if not self._changes.holds("score_threshold"):
            right = self._comparer.settings.right_of(self.controller.detection)
            self._score.own = common_threshold(own_thresholds(self.controller.loaded, right.classes))
            self._score.show_value(right.score_threshold)

    def _choose_score(self, field: str, own: bool) -> None:
        left = self.controller.detection.score_threshold
        begin = self._score.own if left is None else left
        self._comparer.change(score_threshold=begin if own else None)

    def _choose_file(self) -> None:
        """Open the dialog for a file of weights. Returns at once."""
        dialog = QFileDialog(self, "Weights to compare with")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        patterns = " ".join(f"*{suffix}" for suffix in sorted(WEIGHTS_SUFFIXES))
        dialog.setNameFilters([f"Weights ({patterns})", "All files (*)"])
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda path: self._comparer.change(weights=path))
        dialog.open()


class _OtherWeights(ChoiceField):
    """The field "weights": the weights on this machine, and a file if one was chosen."""

    def __init__(self) -> None:
        super().__init__("weights", "Weights on the right")
        self.show_value(None)

    def show_value(self, value: str | None) -> None:
        """Show a value of the field, and list the weights anew: some may have been downloaded."""
        self.clear()
        value = None if value is None else current_name(value)
        self.add_row(None, AS_LEFT)
        for entry in all_entries().values():
            if entry.state in ("bundled", "downloaded"):
                self.add_row(entry.name, entry.name, entry.note)
        if value is not None and self.row_of(value) < 0:
            self.add_row(value, Path(value).name, value)
        self.setCurrentIndex(self.row_of(value))


class _Figures(QWidget):
    """A table of measured values with one column for each side."""

    def __init__(self) -> None:
        super().__init__()
        self._cells: list[tuple[QLabel, ...]] = []
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for column, side in enumerate(SIDES, 1):
            grid.addWidget(_cell(side), 0, column)
            grid.setColumnStretch(column, 1)
        for row, (label, tip, _) in enumerate(FIGURES, 1):
            name = QLabel(label)
            name.setToolTip(tip)
            grid.addWidget(name, row, 0)
            cells = tuple(_cell("–", f"{label}, {side}") for side in SIDES)
            for column, cell in enumerate(cells, 1):
                cell.setToolTip(tip)
                grid.addWidget(cell, row, column)
            self._cells.append(cells)

    def show_scores(self, scores: Scores | None) -> None:
        """Show the scores of both sides; None for none."""
        for (_, _, words), cells in zip(FIGURES, self._cells, strict=True):
            for side, cell in enumerate(cells):
                text = "–" if scores is None else words(scores[side])
                if cell.text() != text:
                    cell.setText(text)


def _cell(text: str, name: str = "") -> QLabel:
    label = QLabel(text)
    label.setAccessibleName(name or text)
    label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return label


def _rows(kinds: Sequence[str]) -> list[tuple[str | None, str, str]]:
    return [(None, AS_LEFT, ""), *((kind, kind.capitalize(), "") for kind in kinds)]
