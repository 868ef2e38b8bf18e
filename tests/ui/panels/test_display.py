"""The panel of what is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QCheckBox, QColorDialog, QComboBox, QFileDialog, QPushButton, QSlider

from pipeline.settings import BACKGROUNDS, DisplaySettings
from tests.ui.panels.dialogs import answered, choose_file
from ui.panels.display import LAYERS, NO_PICTURE, PRIVACY_TEXT, DisplayPanel
from ui.panels.widgets import WrappedLabel


@pytest.fixture
def panel(controller, qtbot):
    made = DisplayPanel(controller)
    qtbot.addWidget(made)
    made.show()
    return made


def box(panel, text):
    return next(one for one in panel.findChildren(QCheckBox) if one.text() == text)


def choice(panel, name):
    return next(one for one in panel.findChildren(QComboBox) if one.accessibleName() == name)


def button(panel, text):
    return next(one for one in panel.findChildren(QPushButton) if text in one.text())


@pytest.mark.parametrize(("field", "text", "tip"), LAYERS)
def test_each_layer_is_switched_by_the_space_key(panel, controller, qtbot, field, text, tip):
    before = getattr(controller.display, field)
    qtbot.keyClick(box(panel, text), Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: getattr(controller.display, field) is not before)
    assert controller.display == replace(DisplaySettings(), **{field: not before})


def test_it_follows_what_is_changed_elsewhere_and_tells_nothing_back(panel, controller, session, qtbot):
    session.asked.clear()
    controller.set_display(boxes=False, opacity=0.8, colour_by="class", background="blurred")
    qtbot.wait(150)
    assert not box(panel, "Boxes").isChecked()
    assert panel.findChild(QSlider).value() == 80
    assert choice(panel, "Colours by").currentText() == "Class"
    assert choice(panel, "Background").currentText() == "Blurred"
    assert [what for what, *_ in session.asked] == ["display"]


def test_a_dragged_slider_asks_for_few_changes_and_the_last_one_wins(panel, controller, session, qtbot):
    session.asked.clear()
    slider = panel.findChild(QSlider)
    for value in range(46, 96):
        slider.setValue(value)
    qtbot.waitUntil(lambda: controller.display.opacity == 0.95)
    assert len(session.asked) == 1


def test_the_opacity_is_moved_by_the_arrow_keys_and_written_in_percent(panel, controller, qtbot):
    slider = panel.findChild(QSlider)
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: controller.display.opacity == 0.46)
    assert slider.accessibleDescription() == "46%"


def test_every_kind_of_background_can_be_chosen(panel, controller, qtbot):
    backgrounds = choice(panel, "Background")
    assert backgrounds.count() == len(BACKGROUNDS)
    for kind in BACKGROUNDS[1:]:
        qtbot.keyClick(backgrounds, Qt.Key.Key_Down)
        qtbot.waitUntil(lambda kind=kind: controller.display.background == kind)


def test_a_background_colour_is_chosen_in_a_dialog_and_kept_as_bgr(panel, controller, qtbot):
    controller.set_display(background="colour")

    def answer(dialog):
        dialog.setCurrentColor(QColor(200, 100, 50))
        dialog.accept()

    with answered(QColorDialog, answer):
        qtbot.mouseClick(button(panel, "#00A000"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: controller.display.background_colour == (50, 100, 200))
    assert button(panel, "#C86432").isVisible()


def test_a_colour_dialog_that_is_cancelled_changes_nothing(panel, controller, session, qtbot):
    controller.set_display(background="colour")
    session.asked.clear()
    with answered(QColorDialog, QColorDialog.reject):
        qtbot.mouseClick(button(panel, "#00A000"), Qt.MouseButton.LeftButton)
    qtbot.wait(150)
    assert session.asked == []


def test_a_background_picture_is_asked_for_and_then_named(panel, controller, qtbot, tmp_path):
    picture = tmp_path / "beach.png"
    picture.write_bytes(b"")
    assert not button(panel, "Choose a picture").isVisible()
    controller.set_display(background="picture")
    assert NO_PICTURE in said(panel)
    with answered(QFileDialog, choose_file(picture)):
        qtbot.mouseClick(button(panel, "Choose a picture"), Qt.MouseButton.LeftButton)
    assert controller.display.background_picture == picture
    assert str(picture) in said(panel)


@pytest.mark.parametrize(
    ("background", "text", "kind"), [("colour", "#00A000", QColorDialog), ("picture", "Choose", QFileDialog)]
)
def test_the_picture_goes_on_while_something_is_chosen(panel, controller, qtbot, background, text, kind):
    controller.set_display(background=background)
    order = []

    def answer(dialog):
        order.append("answered")
        dialog.reject()

    with answered(kind, answer):
        qtbot.mouseClick(button(panel, text), Qt.MouseButton.LeftButton)
        order.append("gone on")
    assert order == ["gone on", "answered"]


def test_detections_beside_a_recording_are_asked_for_by_a_tick(panel, controller, qtbot):
    tick = box(panel, "Detections as JSON lines")
    assert tick.isChecked()
    qtbot.keyClick(tick, Qt.Key.Key_Space)
    assert not controller.settings.record_json


def test_privacy_says_that_a_person_who_was_never_detected_is_not_hidden(panel, controller, qtbot):
    assert "A person who was never detected is not hidden." in PRIVACY_TEXT
    assert PRIVACY_TEXT in said(panel)
    qtbot.keyClick(box(panel, "Hide people"), Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: controller.display.privacy)


def test_the_opacity_cannot_be_set_while_no_masks_are_shown(panel, controller):
    controller.set_display(masks=False)
    assert not panel.findChild(QSlider).isEnabled()


def said(panel):
    return [words.words for words in panel.findChildren(WrappedLabel) if words.isVisible()]
