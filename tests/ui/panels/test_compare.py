"""The panel of a comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QCheckBox, QComboBox, QFileDialog, QLabel, QPushButton, QSlider, QSpinBox

from model.options import NMS_KINDS
from pipeline.live.events import Loaded
from pipeline.live.network.comparison import ComparisonStatus
from pipeline.settings import ComparisonSettings, DetectionSettings
from pipeline.stability.pair_score import RunningScore
from pipeline.tracking.options import STABILISE_KINDS
from tests.ui.panels.dialogs import choose_file
from ui.panels.compare import ComparePanel
from ui.panels.widgets import WrappedLabel

LEFT = DetectionSettings()
RIGHT = replace(LEFT, stabilise="strong")


@pytest.fixture
def panel(controller, qtbot):
    made = ComparePanel(controller)
    qtbot.addWidget(made)
    made.show()
    return made


def named(panel, kind, name):
    return next(one for one in panel.findChildren(kind) if one.accessibleName() == name)


def tick(panel, text):
    return next(one for one in panel.findChildren(QCheckBox) if one.text() == text)


def said(panel):
    return "\n".join(words.words for words in panel.findChildren(WrappedLabel) if words.isVisible())


def figures(panel):
    return {
        one.accessibleName(): one.text() for one in panel.findChildren(QLabel) if ", " in one.accessibleName()
    }


def test_it_is_off_at_first_and_is_switched_on_by_keyboard(panel, controller, session, qtbot):
    box = tick(panel, "Compare in the picture")
    assert not box.isChecked()
    qtbot.keyClick(box, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: session.asked[-1] == ("compare", ComparisonSettings(on=True)))
    controller.comparer.toggle()
    assert not box.isChecked()


@pytest.mark.parametrize(
    ("name", "field", "kinds"),
    [
        ("Stabiliser on the right", "stabilise", STABILISE_KINDS),
        ("Non-maximum suppression on the right", "nms", NMS_KINDS),
    ],
)
def test_what_differs_is_chosen_from_what_there_is(panel, controller, qtbot, name, field, kinds):
    box = named(panel, QComboBox, name)
    assert [box.itemData(row) for row in range(box.count())] == [None, *kinds]
    qtbot.keyClick(box, Qt.Key.Key_End)
    qtbot.waitUntil(lambda: getattr(controller.comparer.settings, field) == kinds[-1])
    qtbot.keyClick(box, Qt.Key.Key_Home)
    qtbot.waitUntil(lambda: getattr(controller.comparer.settings, field) is None)


def test_another_score_threshold_begins_at_that_of_the_left(panel, controller, qtbot):
    controller.set_detection(score_threshold=0.6)
    slider = named(panel, QSlider, "Score threshold on the right")
    assert not slider.isEnabled()
    assert slider.value() == 60
    qtbot.mouseClick(tick(panel, "Another score threshold"), Qt.MouseButton.LeftButton, pos=_box())
    assert controller.comparer.settings.score_threshold == 0.6
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: controller.comparer.settings.score_threshold == 0.61)
    qtbot.mouseClick(tick(panel, "Another score threshold"), Qt.MouseButton.LeftButton, pos=_box())
    assert controller.comparer.settings.score_threshold is None


def test_another_score_threshold_begins_in_the_middle_of_the_weights_own(panel, controller, session, qtbot):
    slider = named(panel, QSlider, "Score threshold on the right")
    names, own = ("person", "dog", "cat"), (0.2, 0.41, 0.5)
    session.emit(Loaded(Path("/x/small.pt"), "torch", names, 416, 32, class_thresholds=own))
    assert (slider.value(), slider.accessibleDescription()) == (41, "own")
    qtbot.mouseClick(tick(panel, "Another score threshold"), Qt.MouseButton.LeftButton, pos=_box())
    assert controller.comparer.settings.score_threshold == 0.41
    assert slider.accessibleDescription() == "0.41"


def _box():
    from PyQt6.QtCore import QPoint

    return QPoint(8, 8)


def test_another_input_size_is_a_multiple_of_32(panel, controller, qtbot):
    size = panel.findChild(QSpinBox)
    assert size.text() == "As on the left"
    size.setFocus()
    size.selectAll()
    qtbot.keyClicks(size, "300")
    qtbot.keyClick(size, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: controller.comparer.settings.image_size == 288)


def test_other_weights_are_those_of_this_machine_or_a_file(panel, controller, qtbot, tmp_path):
    path = tmp_path / "own.pt"
    path.write_bytes(b"weights")
    box = named(panel, QComboBox, "Weights on the right")
    assert box.itemData(0) is None
    assert "livemask_s" in [box.itemData(row) for row in range(box.count())]
    button = next(one for one in panel.findChildren(QPushButton) if "file" in one.text())
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    dialog = panel.findChild(QFileDialog)
    dialog.setDirectory(str(tmp_path))
    choose_file(path)(dialog)
    qtbot.waitUntil(lambda: controller.comparer.settings.weights == str(path))
    assert box.currentText() == "own.pt"


def test_both_sides_and_their_scores_are_told_while_it_goes_on(panel, controller, session, qtbot):
    controller.comparer.toggle()
    session.comparison = ComparisonStatus("on", LEFT, RIGHT)
    session.scores = (
        RunningScore(9, 4.0, 0.21, 0.4, 2, 0, 1.0),
        RunningScore(9, 4.0, 0.1, 0.2, 0, 1, 0.5),
    )
    qtbot.waitUntil(lambda: figures(panel)["Jitter, A"] == "0.210")
    assert figures(panel)["Jitter, B"] == "0.100"
    assert (figures(panel)["Gaps, A"], figures(panel)["Id changes, B"]) == ("2", "1")
    assert figures(panel)["Coverage, B"] == "50%"
    assert "A: stabiliser off, own score for each class, fast NMS" in said(panel)
    assert "B: stabiliser strong" in said(panel)
    session.scores_problem = "Nothing can be measured: no masks"
    qtbot.waitUntil(lambda: "no masks" in said(panel))


def test_why_there_is_no_comparison_is_told_and_old_figures_go(panel, controller, session, qtbot):
    controller.comparer.toggle()
    session.comparison = ComparisonStatus("on", LEFT, RIGHT)
    session.scores = (RunningScore(9, 4.0, 0.21, 0.4, 2, 0, 1.0),) * 2
    qtbot.waitUntil(lambda: figures(panel)["Jitter, A"] == "0.210")
    session.comparison = ComparisonStatus("private", LEFT)
    qtbot.waitUntil(lambda: "while people are hidden" in said(panel))
    assert set(figures(panel).values()) == {"–"}
    session.comparison = ComparisonStatus("failed", LEFT, RIGHT, "there is no weights file 'x'")
    qtbot.waitUntil(lambda: "there is no weights file 'x'" in said(panel))


def test_a_panel_that_is_made_late_shows_what_was_chosen(controller, qtbot):
    controller.comparer.change(on=True, nms="exact", weights="/x/own.pt", score_threshold=0.7)
    late = ComparePanel(controller)
    qtbot.addWidget(late)
    assert tick(late, "Compare in the picture").isChecked()
    assert named(late, QComboBox, "Non-maximum suppression on the right").currentText() == "Exact"
    assert named(late, QComboBox, "Weights on the right").currentText() == "own.pt"
    assert named(late, QSlider, "Score threshold on the right").value() == 70
