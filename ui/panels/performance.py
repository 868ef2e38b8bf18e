"""The performance panel: rates, waterfall, stages, queues, drops, age of the picture, bottleneck."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from pipeline.metrics import performance
from pipeline.metrics.performance import Performance, PerformanceMeter
from pipeline.metrics.run import STAGES
from pipeline.metrics.waterfall import CHARTS
from ui.control.controller import Controller
from ui.panels.flow import Flow
from ui.panels.pictures import stage_colour
from ui.panels.polled import PolledPanel

if TYPE_CHECKING:
    from ui.panels.waterfall import Waterfall

NOTHING = "Nothing runs: open a camera or a file."
# fact -> title, and lines reserved for its text, so that the plot above does not move
_FACTS = {
    "age": ("Age of the shown frame", 1),
    "queues": ("Queues", 2),
    "drops": ("Dropped frames", 1),
    "bottleneck": ("Bottleneck", 3),
}

WIDEST_FIGURE = "0000 ms"
_CELL_MARGIN = 10  # pixels
_MARK = 40  # pixels for the colour of a stage, and margins


class PerformancePanel(PolledPanel):
    """Show the speed of the run, the time of each stage and the bottleneck."""

    interval = 500

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(controller, parent)
        self.due.connect(self.refresh)
        self._meter = PerformanceMeter()
        self._performance: Performance | None = None
        self.waterfall: Waterfall | None = None
        self.rates = _words("Frames a second")
        self.rows = QComboBox()
        self.rows.addItems(CHARTS)
        self.rows.setAccessibleName("Rows of the waterfall")
        self.rows.currentTextChanged.connect(self._draw)
        self.table = _table()
        self.facts = {name: _words(title, lines) for name, (title, lines) in _FACTS.items()}
        self.copy = QPushButton("Copy as text")
        self.copy.clicked.connect(self._copy)
        self._lay_out()

    def begin(self) -> None:
        """Make the plot the first time: its library takes long to import."""
        if self.waterfall is None:
            from ui.panels.waterfall import Waterfall

            self.waterfall = Waterfall()
            self._plot.addWidget(self.waterfall, 1)

    def refresh(self) -> None:
        """Show the current figures."""
        session = self.controller.session
        snapshot = session.metrics
        if snapshot is None:
            self._performance = None
            self._clear()
        else:
            display, age = self.controller.display_fps, self.controller.shown_age
            paused = session.playback is not None and not session.playback.playing
            self._performance = self._meter.measure(
                monotonic(), snapshot, session.spans, display, age, paused=paused
            )
            self._fill(self._performance)
        self._draw()
        self.copy.setEnabled(self._performance is not None)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        rows = QLabel("&Rows:")
        rows.setBuddy(self.rows)
        head.addWidget(rows)
        head.addWidget(self.rows)
        head.addStretch(1)
        self._plot = QVBoxLayout()
        self._plot.addWidget(self.rates)
        self._plot.addLayout(head)
        part = QWidget()
        figures = QVBoxLayout(part)
        figures.setContentsMargins(0, 0, 0, 0)
        figures.addWidget(self.table)
        facts = QFormLayout()
        facts.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        for name, (title, _) in _FACTS.items():
            facts.addRow(f"{title}:", self.facts[name])
        figures.addLayout(facts)
        figures.addWidget(self.copy)
        figures.addStretch(1)
        self.put(Flow(self._plot, part))

    def _clear(self) -> None:
        self.rates.setText(NOTHING)
        self.table.setRowCount(0)
        for label in self.facts.values():
            label.setText("–")

    def _fill(self, seen: Performance) -> None:
        self.rates.setText(
            f"Capture <b>{seen.capture:.1f}</b> · inference <b>{seen.inference:.1f}</b> · "
            f"display <b>{seen.display:.1f}</b> fps"
        )
        told = {
            "age": f"{performance.milliseconds(seen.age)}; on delivery {performance.ages_text(seen.whole)}",
            "queues": performance.queues_text(seen.whole),
            "drops": performance.drops_text(seen.whole),
            "bottleneck": seen.bottleneck,
        }
        for name, text in told.items():
            self.facts[name].setText(text)
        rows = performance.stage_rows(seen.recent)
        self.table.setRowCount(len(rows))
        for i, row in enumerate(rows):
            for j, text in enumerate(row):
                _put(self.table, i, j, text)
            _mark(self.table.item(i, 0))

    def _draw(self) -> None:
        if self.waterfall is not None:
            chart = CHARTS[self.rows.currentText()](self.controller.session.spans)
            self.waterfall.show_chart(chart)

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None and self._performance is not None:
            clipboard.setText(performance.as_text(self._performance))


def _words(name: str, lines: int = 1) -> QLabel:
    """Return a label that wraps and can be selected, with room for a number of lines."""
    label = QLabel("–")
    label.setAccessibleName(name)
    label.setWordWrap(True)
    label.setSizePolicy(
        QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum
    )  # the width is that of the table
    label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    label.setMinimumHeight(lines * label.fontMetrics().lineSpacing())
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _table() -> QTableWidget:
    heads = performance.STAGE_HEADS
    table = QTableWidget(0, len(heads))
    table.setHorizontalHeaderLabels(heads)
    table.setAccessibleName("Work of the stages, the last two seconds")
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setTabKeyNavigation(False)
    header, rows = table.horizontalHeader(), table.verticalHeader()
    assert header is not None
    assert rows is not None
    header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
    # wide enough for any figure
    widest = table.fontMetrics().horizontalAdvance(WIDEST_FIGURE) + _CELL_MARGIN
    header.setMinimumSectionSize(widest)
    names = max(table.fontMetrics().horizontalAdvance(stage) for stage in STAGES) + _MARK
    table.setMinimumWidth(names + (len(heads) - 1) * widest + 2 * table.frameWidth())
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    rows.hide()
    rows.setDefaultSectionSize(table.fontMetrics().height() + 4)
    # high enough for all stages
    table.setFixedHeight(header.sizeHint().height() + len(STAGES) * rows.defaultSectionSize() + 4)
    return table


def _put(table: QTableWidget, row: int, column: int, text: str) -> None:
    """Set the text of a cell if it differs: a cell is painted again when its text is set."""
    item = table.item(row, column)
    if item is None:
        item = QTableWidgetItem()
        right = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
        item.setTextAlignment(right | Qt.AlignmentFlag.AlignVCenter)
        table.setItem(row, column, item)
    if item.text() != text:
        item.setText(text)


def _mark(item: QTableWidgetItem | None) -> None:
    """Give the name of a stage its colour in the waterfall."""
    if item is not None and item.data(Qt.ItemDataRole.DecorationRole) != stage_colour(item.text()):
        item.setData(Qt.ItemDataRole.DecorationRole, stage_colour(item.text()))
