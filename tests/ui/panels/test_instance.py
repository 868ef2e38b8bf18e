"""The panel of the selected instance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QListWidget, QPushButton

from model.detections import MaskCrop, no_detections
from tests.ui.standin_session import SIZE, result_of
from ui.panels.instance import HINT, NOT_LOOKED, NOTHING_FOUND, NOTHING_SHOWN, InstancePanel, area_text
from ui.panels.widgets import WrappedLabel


@pytest.fixture
def panel(controller, qtbot):
    made = InstancePanel(controller)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def said(panel):
    return [words.words for words in panel.findChildren(WrappedLabel) if words.isVisible()]


def rows(panel):
    found = panel.findChild(QListWidget)
    return [found.item(row).text() for row in range(found.count())]


def test_without_a_picture_it_says_what_to_do(panel):
    assert said(panel)[0] == NOTHING_SHOWN


def test_without_a_selection_it_says_how_to_select(panel, controller, qtbot):
    controller.result = result_of()
    qtbot.waitUntil(lambda: said(panel)[0] == HINT)
    assert rows(panel) == ["1. person 0.90", "2. person 0.70"]


def test_it_tells_class_score_area_and_box_of_the_selected_instance(panel, controller, qtbot):
    controller.result = result_of(selected=1)
    qtbot.waitUntil(lambda: len(said(panel)) == 5 and "person" in said(panel))
    area = "20\u202f000 pixels, 26.0% of the frame"  # 100 x 200 of 320 x 240
    assert said(panel) == ["person", "0.70", area, "100 × 200 pixels at 200, 30", "of no track"]
    assert rows(panel)[1] == "2. person 0.70 (selected)"


def test_it_tells_which_track_it_is_and_for_how_long(panel, controller, session, qtbot):
    shown = result_of(selected=1)
    ids = np.array([4, 12])
    session.times = {12: 3.24}
    controller.result = replace(shown, detections=replace(shown.detections, track_ids=ids))
    qtbot.waitUntil(lambda: "track 12, here for 3.2 s" in said(panel))
    assert rows(panel) == ["1. person 0.90, track 4", "2. person 0.70, track 12 (selected)"]


def test_it_says_so_when_nothing_is_found(panel, controller, qtbot):
    controller.result = result_of(selected=0)
    qtbot.waitUntil(lambda: len(rows(panel)) == 2)
    controller.result = replace(controller.result, detections=no_detections(SIZE, ("person",)), selected=None)
    qtbot.waitUntil(lambda: said(panel)[0] == NOTHING_FOUND)
    assert rows(panel) == []


def test_a_picture_that_no_network_has_looked_at_is_not_said_to_be_empty(panel, controller, qtbot):
    controller.result = replace(result_of(), detections=no_detections(SIZE, ()))
    qtbot.waitUntil(lambda: said(panel)[0] == NOT_LOOKED)


def test_an_instance_is_selected_by_keyboard(panel, controller, session, qtbot):
    controller.result = result_of()
    qtbot.waitUntil(lambda: len(rows(panel)) == 2)
    found = panel.findChild(QListWidget)
    found.setFocus()
    qtbot.keyClick(found, Qt.Key.Key_Down)
    found.setCurrentRow(1)
    qtbot.keyClick(found, Qt.Key.Key_Return)
    what, instance = session.asked[-1]
    assert (what, instance.scores.tolist()) == ("select", [pytest.approx(0.7)])


def test_an_instance_is_selected_by_a_click_in_the_list(panel, controller, session, qtbot):
    controller.result = result_of()
    qtbot.waitUntil(lambda: len(rows(panel)) == 2)
    found = panel.findChild(QListWidget)
    place = found.visualItemRect(found.item(0)).center()
    qtbot.mouseClick(found.viewport(), Qt.MouseButton.LeftButton, pos=place)
    what, instance = session.asked[-1]
    assert (what, instance.scores.tolist()) == ("select", [pytest.approx(0.9)])


def test_the_keyboard_stays_in_its_row_while_frames_go_by(panel, controller, qtbot):
    found = panel.findChild(QListWidget)
    controller.result = result_of()
    qtbot.waitUntil(lambda: len(rows(panel)) == 2)
    found.setCurrentRow(1)
    controller.result = result_of(index=1, selected=0)
    qtbot.waitUntil(lambda: "(selected)" in rows(panel)[0])
    assert found.currentRow() == 1


def test_the_selection_can_be_given_up(panel, controller, session, qtbot):
    controller.result = result_of(selected=0)
    button = panel.findChild(QPushButton)
    qtbot.waitUntil(button.isEnabled)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert session.asked[-1] == ("deselect",)


def test_a_hidden_panel_rests(panel, controller, qtbot):
    panel.hide()
    controller.result = result_of()
    qtbot.wait(2 * panel.interval)
    assert rows(panel) == []


def test_a_large_area_is_written_with_a_gap_at_every_third_digit():
    whole = replace(
        result_of().detections,
        image_size=(1080, 1920),
        crops=(MaskCrop(0, 0, np.ones((1080, 1920), bool)),) * 2,
    )
    assert area_text(whole, 0) == "2\u202f073\u202f600 pixels, 100.0% of the frame"


def test_detections_without_masks_are_told_without_an_area():
    assert area_text(replace(result_of().detections, crops=None), 0) == "no mask"
