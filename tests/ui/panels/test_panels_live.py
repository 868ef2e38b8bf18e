"""The performance and the prototype panel at work: a session, a clip and the shipped weights."""

from __future__ import annotations

import numpy as np
import pytest
from PyQt6.QtCore import QPointF, Qt

from pipeline.live.assembly import add_up, explain, overlap
from tests.source_tree import ROOT
from tests.ui.live_window import finds, in_view
from ui.control.controller import Controller
from ui.control.settings import WindowSettings
from ui.panels.performance import PerformancePanel
from ui.panels.proposals import CHOOSE, ProposalsPanel
from ui.panels.prototypes import PrototypesPanel
from ui.view.video_view import VideoView

PATIENCE = 60_000  # milliseconds; a network is loaded


@pytest.fixture
def controller(qapp):
    """One of a real session."""
    made = Controller(WindowSettings())
    yield made
    assert made.close(5)
    made.deleteLater()


@pytest.fixture
def view(controller, qtbot):
    """The picture, in which people have been found."""
    made = VideoView(controller)
    qtbot.addWidget(made)
    made.resize(768, 432)
    made.show()
    controller.open(str(ROOT / "assets" / "demo.mp4"))
    qtbot.waitUntil(lambda: finds(controller), timeout=PATIENCE)
    return made


def inspected(controller):
    return controller.result is not None and controller.result.inspection is not None


def test_prototypes_come_while_paused_and_follow_the_selection(controller, view, qtbot):
    controller.session.playback.pause()
    panel = PrototypesPanel(controller)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: len(panel.grid.tiles) == 32, timeout=PATIENCE)
    assert "best-scored" in panel.said.text()
    # a pixel in the middle of the largest part that belongs to one instance alone, whatever frame it is
    masks = controller.result.detections.masks
    rows, columns = np.nonzero(max(masks & (masks.sum(0) == 1), key=np.count_nonzero))
    middle = len(rows) // 2
    at = in_view(view.geometry_of_view, columns[middle] + 0.5, rows[middle] + 0.5)
    place = QPointF(*at).toPoint()
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: "selected instance" in panel.said.text(), timeout=PATIENCE)
    panel.hide()
    qtbot.waitUntil(lambda: not inspected(controller), timeout=PATIENCE)


def test_the_assembled_masks_are_those_that_the_network_found(controller, view, qtbot):
    controller.inspect(True)
    qtbot.waitUntil(lambda: inspected(controller), timeout=PATIENCE)
    result = controller.result
    prototypes = result.inspection.prototypes
    pixels = [
        ((np.arange(cells) + 0.5) * size / cells).astype(int)
        for cells, size in zip(prototypes.shape, result.frame.size, strict=False)
    ]
    for i, mask in enumerate(result.detections.masks):
        explanation = explain(result.inspection, result.detections, i, "effect")
        made = add_up(prototypes, explanation, prototypes.shape[2])
        assert overlap(made.mask, mask[np.ix_(*pixels)]) > 0.9


def test_the_run_is_told_as_it_goes_on(controller, view, qtbot):
    panel = PerformancePanel(controller)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: "forward" in stages(panel), timeout=PATIENCE)
    qtbot.waitUntil(lambda: "forward" in panel.waterfall.chart.bars, timeout=PATIENCE)
    assert panel.copy.isEnabled()
    assert panel.facts["bottleneck"].text() != "–"


def stages(panel):
    return [panel.table.item(i, 0).text() for i in range(panel.table.rowCount())]


@pytest.mark.slow
def test_proposals_are_shown_for_the_shipped_weights_and_no_more_for_others(controller, view, qtbot):
    controller.session.playback.pause()
    panel = ProposalsPanel(controller)
    qtbot.addWidget(panel)
    panel.show()
    assert panel.said.words == CHOOSE
    failures = []
    controller.bridge.failed.connect(failures.append)
    controller.set_detection(weights="sharpmask_lite_objects")
    qtbot.waitUntil(lambda: panel.steps[-1].isVisible(), timeout=PATIENCE)
    assert "the best proposal" in panel.said.words
    controller.select(controller.result, 1)
    qtbot.waitUntil(lambda: "The selected proposal" in panel.said.words, timeout=PATIENCE)
    controller.set_detection(weights=None)
    qtbot.waitUntil(lambda: panel.said.words == CHOOSE, timeout=PATIENCE)
    qtbot.waitUntil(lambda: "person" in controller.result.detections.names, timeout=PATIENCE)
    assert controller.result.inspection is None
    assert controller.result.proposals is None
    assert failures == []
