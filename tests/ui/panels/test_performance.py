"""The performance panel: what it says of a run, what it costs, and that it looks only while it is seen."""

from __future__ import annotations

import subprocess
import sys
from time import monotonic

import pytest
from PyQt6.QtCore import QPoint, QRect, Qt
from PyQt6.QtGui import QColor, QGuiApplication, QPalette
from PyQt6.QtWidgets import QAbstractScrollArea

from pipeline.metrics.run import Metrics, Span
from pipeline.metrics.trace import RecentSpans
from tests.source_tree import ROOT
from ui.panels.performance import NOTHING, PerformancePanel
from ui.panels.waterfall import CAPTIONS


@pytest.fixture
def panel(controller, qtbot):
    made = PerformancePanel(controller)
    qtbot.addWidget(made)
    return made


class Run:
    """A live run of 25 frames a second."""

    def __init__(self, session):
        self.session = session
        self.spans = RecentSpans()
        self.metrics = Metrics(self.spans)
        self.count = 0
        self.start = monotonic() - 1  # so that they are of just now

    def goes_on(self, frames=25, forward=0.02):
        for _ in range(frames):
            index, at = self.count, self.start + self.count / 25
            for span in (
                Span("capture", index, at - 0.04, at, "wait", "capture"),
                Span("forward", index, at, at + forward, "work", "engine"),
                Span("encode", index, at + forward, at + forward + 0.001, "work", "sinks"),
            ):
                self.metrics.add(span)
            self.count += 1
        self.session.metrics = self.metrics.snapshot()
        self.session.spans = self.spans.snapshot()


@pytest.fixture
def run(session):
    return Run(session)


def cells(table):
    return [[table.item(i, j).text() for j in range(table.columnCount())] for i in range(table.rowCount())]


def test_without_a_source_it_says_so_and_has_nothing_to_copy(panel):
    panel.show()
    assert panel.rates.text() == NOTHING
    assert not panel.copy.isEnabled()


def test_stages_queues_drops_age_and_bottleneck_are_told(panel, controller, run):
    run.metrics.queue("captured", 2, 4)
    run.metrics.drop("captured", 7)
    run.metrics.age(0.042)
    controller.display_fps, controller.shown_age = 24.5, 0.063
    run.goes_on()
    panel.show()
    assert "display <b>24.5</b> fps" in panel.rates.text()
    assert [row[0] for row in cells(panel.table)] == ["capture", "forward", "encode"]
    assert cells(panel.table)[1][1:4] == ["20 ms", "20 ms", "49 %"]
    told = {name: label.text() for name, label in panel.facts.items()}
    assert told["age"] == "63 ms; on delivery p50 42 ms, p95 42 ms"
    assert told["queues"] == "captured 2 of 4 (mean 2.0)"
    assert told["drops"].startswith("7 from captured")
    assert "gives 24.5 frames a second" in told["bottleneck"]


def test_all_of_it_can_be_copied_as_text(panel, run, qtbot):
    run.goes_on()
    panel.show()
    qtbot.mouseClick(panel.copy, Qt.MouseButton.LeftButton)
    copied = QGuiApplication.clipboard().text()
    assert "forward" in copied
    assert f"bottleneck: {panel.facts['bottleneck'].text()}" in copied


def test_it_follows_the_run_while_it_is_seen_and_rests_when_it_is_not(panel, run, qtbot):
    run.goes_on()
    panel.show()
    run.goes_on(forward=0.03)
    qtbot.waitUntil(lambda: cells(panel.table)[1][2] == "30 ms", timeout=3000)
    panel.hide()
    assert not panel.timer.isActive()
    panel.show()
    assert panel.timer.isActive()


def test_figures_of_a_source_that_was_closed_do_not_stay(panel, session, run):
    run.goes_on()
    panel.show()
    session.metrics, session.spans = None, ()
    panel.refresh()
    assert panel.rates.text() == NOTHING
    assert panel.table.rowCount() == 0
    assert {label.text() for label in panel.facts.values()} == {"–"}
    assert panel.waterfall.chart.rows == ()
    assert not panel.copy.isEnabled()


def test_the_waterfall_draws_with_the_same_items_again_and_again(panel, run):
    run.goes_on()
    panel.show()
    waterfall = panel.waterfall
    items = waterfall.scene().items()
    assert len(waterfall.chart.bars["forward"]) == 10
    for rows in ("frames", "stages", "frames"):
        panel.rows.setCurrentText(rows)
        run.goes_on()
        panel.refresh()
    assert panel.waterfall is waterfall
    assert set(waterfall.scene().items()) == set(items)
    assert waterfall.chart.rows == tuple(f"#{i}" for i in range(run.count - 10, run.count))


def test_the_waterfall_follows_the_palette(panel, run):
    run.goes_on()
    panel.show()
    dark = QPalette(panel.palette())
    dark.setColor(QPalette.ColorRole.Base, QColor(10, 20, 30))
    dark.setColor(QPalette.ColorRole.Text, QColor(200, 210, 220))
    panel.setPalette(dark)
    assert panel.waterfall.backgroundBrush().color() == QColor(10, 20, 30)
    (left,) = (i for i in panel.waterfall.scene().items() if getattr(i, "orientation", "") == "left")
    assert left.textPen().color() == QColor(200, 210, 220)


def test_parts_stand_beside_each_other_where_there_is_width(panel, run, qtbot):
    run.goes_on()
    panel.resize(1000, 320)
    panel.show()
    qtbot.waitExposed(panel)
    qtbot.waitUntil(lambda: panel.table.mapTo(panel, panel.table.rect().topLeft()).x() > 400)
    panel.resize(420, 900)
    qtbot.waitUntil(lambda: panel.table.mapTo(panel, panel.table.rect().topLeft()).y() > 400)


@pytest.mark.parametrize("size", [(554, 276), (934, 295)])
def test_no_figure_is_cut_and_the_plot_is_seen_whole_in_a_small_window(panel, run, qtbot, size):
    run.goes_on(forward=4.321)
    panel.resize(*size)
    panel.show()
    qtbot.waitUntil(lambda: panel.table.mapTo(panel, panel.table.rect().topLeft()).x() > 100)
    room = panel.contentsRect()
    for part in (panel.table, panel.waterfall):
        place = QRect(part.mapTo(panel, QPoint(0, 0)), part.size())
        assert room.contains(place), (part.accessibleName(), place)
    for row in cells(panel.table):
        for j in range(1, len(row)):
            needed = panel.table.fontMetrics().horizontalAdvance(row[j])
            assert panel.table.columnWidth(j) >= needed + 6
    (axis,) = (i for i in panel.waterfall.scene().items() if getattr(i, "orientation", "") == "bottom")
    assert axis.label.boundingRect().width() <= axis.size().width()


@pytest.mark.parametrize(("width", "caption"), [(150, CAPTIONS[-1]), (600, CAPTIONS[0])])
def test_the_caption_of_the_plot_is_as_long_as_there_is_room(panel, qtbot, width, caption):
    panel.show()
    (axis,) = (i for i in panel.waterfall.scene().items() if getattr(i, "orientation", "") == "bottom")
    panel.waterfall.setFixedWidth(width)
    qtbot.waitUntil(lambda: axis.labelText == caption)


def test_a_dock_leaves_the_panel_the_room_in_which_a_table_is_seen(panel):
    assert isinstance(panel, QAbstractScrollArea)  # others are put into what scrolls them, and may vanish
    assert panel.minimumSizeHint().height() >= panel.table.height() + 30


def test_the_plotting_library_is_imported_only_when_the_panel_is_seen():
    code = (
        "import sys, ui.panels.performance as p; "
        "sys.exit(any(name in sys.modules for name in ('pyqtgraph', 'torch', 'cv2', 'av')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
