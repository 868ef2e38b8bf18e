"""The panel of how instances are found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QCheckBox, QComboBox, QProgressBar, QPushButton, QSlider, QSpinBox

from model.classes import COCO_CLASSES
from model.engines import ENGINES, OPTIONS, PRECISIONS
from model.options import NMS_KINDS
from pipeline.live.events import Failed, Loaded, Loading
from pipeline.settings import DetectionSettings
from ui.control.class_text import OWN
from ui.panels.classes import NONE_TICKED, ClassList
from ui.panels.detection import NOT_LOADED, DetectionPanel
from ui.panels.fallback import USE_DEFAULT, USE_LOADED
from ui.panels.input_size import InputSize
from ui.panels.score import OWN_FOR_EACH
from ui.panels.weights import WeightsPicker
from ui.panels.widgets import CompactList, WrappedLabel

CHOICE = "openvino fp32 on cpu: the fastest here"
LOADED = Loaded(Path("/x/small.pt"), CHOICE, ("person", "dog", "cat"), 416, 32)


@pytest.fixture
def panel(controller, qtbot):
    made = DetectionPanel(controller)
    qtbot.addWidget(made)
    made.show()
    return made


def named(panel, kind, name):
    return next(one for one in panel.findChildren(kind) if name in (one.accessibleName(), _text(one)))


def _text(widget):
    return widget.text() if isinstance(widget, QCheckBox) else None


def said(panel):
    return "\n".join(words.words for words in panel.findChildren(WrappedLabel) if words.isVisible())


def values(box):
    return [box.itemData(row) for row in range(box.count())]


def test_a_panel_that_is_opened_while_weights_are_loaded_says_so(controller, session, qtbot):
    session.emit(Loading("small.pt"))
    made = DetectionPanel(controller)
    qtbot.addWidget(made)
    made.show()
    assert "Loading small.pt…" in said(made)
    assert NOT_LOADED not in said(made)
    session.emit(LOADED)
    late = DetectionPanel(controller)
    qtbot.addWidget(late)
    late.show()
    assert "Loading" not in said(late)


def test_the_choices_are_those_of_the_program(panel):
    assert values(named(panel, QComboBox, "Engine")) == ["auto", *ENGINES]
    assert values(named(panel, QComboBox, "Precision")) == ["auto", *PRECISIONS]
    assert values(named(panel, QComboBox, "Kind of non-maximum suppression")) == list(NMS_KINDS)
    assert set(values(named(panel, QComboBox, "Device"))) == {"auto", *(option.device for option in OPTIONS)}


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("Engine", "engine", next(iter(ENGINES))),
        ("Device", "device", OPTIONS[0].device),
        ("Precision", "precision", next(iter(PRECISIONS))),
        ("Kind of non-maximum suppression", "nms", NMS_KINDS[1]),
        ("Stabilise", "stabilise", "light"),
    ],
)
def test_a_choice_made_by_the_arrow_key_arrives(panel, controller, qtbot, name, field, value):
    qtbot.keyClick(named(panel, QComboBox, name), Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: getattr(controller.detection, field) == value)


def test_thresholds_are_set_by_sliders(panel, controller, qtbot):
    qtbot.keyClick(named(panel, QSlider, "Score threshold"), Qt.Key.Key_Left)
    qtbot.keyClick(named(panel, QSlider, "Most detections (top-k)"), Qt.Key.Key_Home)
    qtbot.waitUntil(lambda: controller.detection.score_threshold == 0.29)
    assert controller.detection.max_detections == 1
    assert isinstance(controller.detection.max_detections, int)


def test_key_frames_and_still_pictures_are_chosen_and_need_no_other_network(panel, controller, qtbot):
    before = controller.detection
    named(panel, QSlider, "Key frames").setValue(4)
    qtbot.waitUntil(lambda: controller.detection.keyframes == 4)
    named(panel, QCheckBox, "Skip").click()
    qtbot.waitUntil(lambda: controller.detection.reuse_still)
    assert not controller.detection.needs_reload(before)


def test_it_follows_what_is_changed_elsewhere_and_tells_nothing_back(panel, controller, session, qtbot):
    session.asked.clear()
    controller.set_detection(score_threshold=0.7, engine="torch", device="cuda:1", image_size=544)
    qtbot.wait(600)
    assert named(panel, QSlider, "Score threshold").value() == 70
    assert named(panel, QComboBox, "Engine").currentText() == "PyTorch"
    assert named(panel, QComboBox, "Device").currentText() == "cuda:1"
    assert panel.findChild(QSpinBox).value() == 544
    assert [what for what, *_ in session.asked] == ["detect"]


def test_a_size_that_somebody_gave_is_shown_though_it_is_no_multiple_of_32(panel, controller, session, qtbot):
    controller.set_detection(image_size=550)
    qtbot.wait(600)
    assert panel.findChild(QSpinBox).value() == 550
    assert controller.detection.image_size == 550


def test_the_input_size_is_rounded_to_a_multiple_of_32(panel, controller, qtbot):
    size = panel.findChild(QSpinBox)
    size.setFocus()
    size.selectAll()
    qtbot.keyClicks(size, "333")
    qtbot.keyClick(size, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: controller.detection.image_size == 320)
    assert size.text() == "320 px"


def test_a_held_arrow_key_asks_for_one_input_size_only(panel, controller, session, qtbot):
    session.emit(LOADED)
    session.asked.clear()
    size = panel.findChild(QSpinBox)
    for _ in range(5):
        qtbot.keyClick(size, Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: controller.detection.image_size == 416 + 4 * 32)
    assert len(session.asked) == 1


def test_the_input_size_goes_back_to_automatic(panel, controller, qtbot):
    controller.set_detection(image_size=32)
    qtbot.keyClick(panel.findChild(QSpinBox), Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: controller.detection.image_size is None)
    assert panel.findChild(QSpinBox).text() == "Automatic"


def test_loading_is_shown_until_it_is_loaded_and_then_what_was_chosen_in_words(panel, session):
    assert NOT_LOADED in said(panel)
    bar = named(panel, QProgressBar, "Loading of weights")
    session.emit(Loading("small.pt"))
    assert bar.isVisible()
    assert "Loading small.pt…" in said(panel)
    session.emit(LOADED)
    assert not bar.isVisible()
    assert "small.pt, 3 classes, input 416 px" in said(panel)
    assert LOADED.choice in said(panel)


def test_a_failure_to_load_ends_the_bar_and_others_do_not(panel, session):
    bar = named(panel, QProgressBar, "Loading of weights")
    session.emit(Loading("small.pt"))
    session.emit(Failed("recording", "disk full"))
    assert bar.isVisible()
    session.emit(Failed("network", "broken file"))
    assert not bar.isVisible()
    assert NOT_LOADED in said(panel)


def visible_button(panel, text):
    return [one for one in panel.findChildren(QPushButton) if one.text() == text and one.isVisible()]


def test_a_network_that_fails_to_load_can_be_given_up_for_the_one_in_use(panel, controller, session, qtbot):
    session.emit(replace(LOADED, settings=DetectionSettings(engine="openvino")))
    controller.set_detection(weights="/x/broken.pt", engine="torch", classes=("dog",), score_threshold=0.5)
    assert not visible_button(panel, USE_LOADED)
    session.emit(Loading("broken.pt"))
    session.emit(Failed("network", "broken file"))
    assert "small.pt still is" in said(panel)
    controller.set_detection(score_threshold=0.6)  # it says so for as long as it is so
    (back,) = visible_button(panel, USE_LOADED)
    qtbot.mouseClick(back, Qt.MouseButton.LeftButton)
    assert controller.detection == DetectionSettings(engine="openvino", score_threshold=0.6)
    assert session.asked[-1] == ("detect", controller.detection)
    assert not visible_button(panel, USE_LOADED)
    assert "still" not in said(panel)


def test_classes_that_the_network_in_use_knows_stay_chosen_on_the_way_back(panel, controller, session, qtbot):
    session.emit(LOADED)
    controller.set_detection(classes=("dog",), device="cuda:7")
    session.emit(Failed("network", "no such device"))
    qtbot.mouseClick(visible_button(panel, USE_LOADED)[0], Qt.MouseButton.LeftButton)
    assert controller.detection == DetectionSettings(classes=("dog",))


def test_without_any_network_the_default_is_offered_also_by_a_panel_made_late(controller, qtbot):
    controller.set_detection(weights="/x/broken.pt", image_size=64)
    late = DetectionPanel(controller)
    qtbot.addWidget(late)
    late.show()
    qtbot.mouseClick(visible_button(late, USE_DEFAULT)[0], Qt.MouseButton.LeftButton)
    assert controller.detection == DetectionSettings()
    assert not visible_button(late, USE_DEFAULT)


def test_a_panel_that_is_made_late_knows_what_is_loaded(controller, session, qtbot):
    session.emit(LOADED)
    late = DetectionPanel(controller)
    qtbot.addWidget(late)
    late.show()
    assert LOADED.choice in said(late)
    assert len(late.findChild(CompactList).rows()) == 3


def test_other_weights_keep_the_choice_of_classes(panel, controller, qtbot, tmp_path):
    controller.set_detection(classes=("dog",))
    own = str(tmp_path / "own.pt")
    panel._weights.edited.emit("weights", own)
    qtbot.waitUntil(lambda: controller.detection == DetectionSettings(weights=own, classes=("dog",)))


def test_the_weights_own_thresholds_hold_until_the_slider_is_moved(panel, controller, session, qtbot):
    own = named(panel, QCheckBox, OWN_FOR_EACH)
    slider = named(panel, QSlider, "Score threshold")
    session.emit(replace(LOADED, class_thresholds=(0.2, 0.41, 0.5)))
    assert own.isChecked()
    assert "the weights' own, from 0.20 (person) to 0.50 (cat)" in said(panel)
    assert (slider.value(), slider.accessibleDescription()) == (41, OWN)
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert not own.isChecked()
    assert "In force: 0.42 for every class" in said(panel)
    qtbot.waitUntil(lambda: controller.detection.score_threshold == 0.42)
    qtbot.keyClick(own, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: controller.detection.score_threshold is None)
    assert slider.value() == 41


def test_one_threshold_for_all_begins_where_most_of_the_weights_own_are(panel, controller, session, qtbot):
    session.emit(replace(LOADED, class_thresholds=(0.2, 0.41, 0.5)))
    qtbot.keyClick(named(panel, QCheckBox, OWN_FOR_EACH), Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: controller.detection.score_threshold == 0.41)


def test_the_thresholds_that_are_told_are_those_of_the_chosen_classes(panel, controller, session):
    session.emit(replace(LOADED, class_thresholds=(0.2, 0.41, 0.5)))
    controller.set_detection(classes=("dog",))
    assert "In force: the weights' own, 0.41." in said(panel)
    controller.set_detection(classes=("dog", "cat"))
    assert "from 0.41 (dog) to 0.50 (cat)" in said(panel)
    controller.set_detection(classes=None)
    session.emit(replace(LOADED, class_thresholds=(0.3,) * 3))
    assert "the weights' own, 0.30, the same for each class" in said(panel)


def test_of_an_input_that_keeps_the_pictures_shape_the_longer_side_is_told(panel, session):
    session.emit(replace(LOADED, keeps_aspect_ratio=True))
    assert "input 416 px on its longer side" in said(panel)


def test_classes_are_ticked_in_the_picture_that_runs_and_need_no_other_network(
    panel, controller, session, qtbot
):
    names = COCO_CLASSES
    session.emit(replace(LOADED, class_names=names, class_thresholds=(0.3,) * len(names)))
    classes = panel.findChild(ClassList)
    classes.none.click()
    qtbot.keyClicks(classes.search, "dog")
    qtbot.keyClick(classes.search, Qt.Key.Key_Down)
    qtbot.keyClick(classes.list, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: session.asked[-1] == ("detect", DetectionSettings(classes=("dog",))))
    assert not controller.detection.needs_reload(DetectionSettings())


def test_what_somebody_has_begun_to_choose_stays_while_other_settings_change(panel, session, qtbot):
    session.emit(LOADED)
    weights, classes = panel.findChild(WeightsPicker), panel.findChild(ClassList)
    qtbot.keyClick(weights.choice, Qt.Key.Key_End)
    absent = weights.choice.value
    qtbot.mouseClick(classes.none, Qt.MouseButton.LeftButton)
    slider = named(panel, QSlider, "Score threshold")
    qtbot.keyClick(slider, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: session.asked[-1][0] == "detect" and len(session.asked) > 2)
    assert weights.choice.value == absent
    assert weights.download.isVisible()
    assert NONE_TICKED in classes.words.words


def test_a_network_that_proposes_objects_is_described_by_its_windows_and_has_no_input_size(panel, session):
    session.emit(replace(LOADED, class_names=("object",), image_size=160, proposes=True))
    assert f"In use: small.pt, objects of any class, windows of 160 px.\n{CHOICE}" in texts(panel)
    assert not panel.findChild(InputSize).isEnabled()
    session.emit(LOADED)
    assert panel.findChild(InputSize).isEnabled()


def texts(panel):
    return [label.words for label in panel.findChildren(WrappedLabel)]
