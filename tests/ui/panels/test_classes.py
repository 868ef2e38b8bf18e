"""Which classes to look for."""

from __future__ import annotations

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QPalette

from model.classes import COCO_CLASSES
from ui.panels.classes import NO_MATCH, NONE_TICKED, NOT_LOADED, ClassList

NAMES = ("person", "car", "cat", "dog")


@pytest.fixture
def classes(qtbot):
    made = ClassList()
    qtbot.addWidget(made)
    made.show()
    made.show_names(NAMES)
    made.told = []
    made.edited.connect(lambda field, value: made.told.append((field, value)))
    return made


def ticked(classes):
    return [row.text() for row in classes.list.rows() if row.checkState() == Qt.CheckState.Checked]


def press_space(qtbot, classes, name):
    classes.list.setFocus()
    classes.list.setCurrentRow(NAMES.index(name))
    qtbot.keyClick(classes.list, Qt.Key.Key_Space)


def test_all_classes_are_ticked_at_first_and_nothing_is_told(classes):
    assert ticked(classes) == list(NAMES)
    assert classes.words.words == "4 of 4 classes"
    assert classes.told == []


def test_a_class_is_unticked_by_the_space_key_and_ticked_again(classes, qtbot):
    press_space(qtbot, classes, "cat")
    assert classes.told == [("classes", ("person", "car", "dog"))]
    assert classes.words.words == "3 of 4 classes: person, car, dog"
    press_space(qtbot, classes, "cat")
    assert classes.told[-1] == ("classes", None)


def test_none_and_then_one_looks_for_that_one_alone(classes, qtbot):
    qtbot.mouseClick(classes.none, Qt.MouseButton.LeftButton)
    assert classes.told == []
    assert classes.words.words == f"{NONE_TICKED} (all classes) until one is."
    press_space(qtbot, classes, "dog")
    assert classes.told == [("classes", ("dog",))]


def test_the_search_shows_what_matches_and_the_buttons_mean_that(classes, qtbot):
    qtbot.mouseClick(classes.none, Qt.MouseButton.LeftButton)
    qtbot.keyClicks(classes.search, "CA")
    assert [row.text() for row in classes.list.rows() if not row.isHidden()] == ["car", "cat"]
    qtbot.mouseClick(classes.all, Qt.MouseButton.LeftButton)
    assert classes.told == [("classes", ("car", "cat"))]
    classes.search.clear()
    assert not any(row.isHidden() for row in classes.list.rows())


def test_it_is_said_with_which_classes_detection_goes_on_while_none_is_ticked(classes, qtbot):
    classes.show_value(("car", "cat"))
    qtbot.mouseClick(classes.none, Qt.MouseButton.LeftButton)
    assert classes.words.words == f"{NONE_TICKED} (car, cat) until one is."
    classes.show_value(NAMES[:4])
    classes.none.click()
    assert "(person, car, cat and 1 more)" in classes.words.words


def test_the_ticks_of_what_the_search_shows_are_turned_round(classes, qtbot):
    classes.show_value(("person", "car"))
    qtbot.keyClicks(classes.search, "ca")
    qtbot.mouseClick(classes.invert, Qt.MouseButton.LeftButton)
    assert classes.told == [("classes", ("person", "cat"))]
    classes.search.clear()
    qtbot.mouseClick(classes.invert, Qt.MouseButton.LeftButton)
    assert classes.told[-1] == ("classes", ("car", "dog"))


def test_of_eighty_classes_a_few_ticked_ones_are_named_and_the_others_counted(classes, qtbot):
    classes.show_names(COCO_CLASSES)
    classes.show_value(("person", "dog", "cat", "chair", "bottle"))
    assert classes.words.words == "5 of 80 classes: person, cat, dog and 2 more"
    assert classes.words.toolTip() == "person, cat, dog, bottle, chair"


def test_the_keyboard_leads_from_the_search_to_the_first_class_that_it_shows(classes, qtbot):
    classes.show_names(COCO_CLASSES)
    classes.activateWindow()
    qtbot.waitUntil(classes.isActiveWindow)
    qtbot.mouseClick(classes.none, Qt.MouseButton.LeftButton)
    qtbot.keyClicks(classes.search, "zeb")
    qtbot.keyClick(classes.search, Qt.Key.Key_Down)
    assert classes.list.hasFocus()
    qtbot.keyClick(classes.list, Qt.Key.Key_Space)
    assert classes.told == [("classes", ("zebra",))]
    qtbot.keyClicks(classes.search, "!")
    qtbot.keyClick(classes.search, Qt.Key.Key_Down)
    assert not classes.list.hasFocus() or not classes.list.isEnabled()


def test_a_class_tells_its_own_threshold(classes):
    classes.show_names(NAMES, {"cat": 0.42})
    tips = [row.toolTip() for row in classes.list.rows()]
    assert tips == ["", "", "cat: its own score threshold is 0.42", ""]


def test_chosen_classes_that_the_weights_lack_are_told_and_given_up_by_a_new_choice(classes, qtbot):
    classes.show_value(("unicorn", "dog"))
    assert ticked(classes) == ["dog"]
    assert "1 of 4 classes: dog\nNot known to these weights: unicorn" in classes.words.words
    press_space(qtbot, classes, "cat")
    assert classes.told == [("classes", ("cat", "dog"))]
    assert "unicorn" not in classes.words.words


def test_where_the_weights_know_none_of_the_chosen_classes_all_are_ticked(classes):
    classes.show_value(("unicorn",))
    assert ticked(classes) == list(NAMES)
    assert "4 of 4 classes\nNot known to these weights: unicorn" in classes.words.words


def test_a_search_without_a_match_says_so(classes, qtbot):
    qtbot.keyClicks(classes.search, "zebra")
    assert f"{NO_MATCH} “zebra”." in classes.words.words
    assert not classes.none.isEnabled()
    classes.search.clear()
    assert classes.words.words == "4 of 4 classes"
    assert classes.none.isEnabled()


@pytest.mark.parametrize("ground", [QColor("white"), QColor("#1b1d21")])
def test_boxes_are_seen_on_light_and_on_dark_and_ticked_ones_are_filled(classes, qtbot, ground):
    palette = QPalette()
    palette.setColor(QPalette.ColorRole.Base, ground)
    palette.setColor(QPalette.ColorRole.Text, QColor("black" if ground.lightness() > 128 else "#e4e7eb"))
    palette.setColor(QPalette.ColorRole.Highlight, QColor("#3b82c4"))
    classes.setPalette(palette)
    edges, middles = [], []
    for state in (True, False):
        classes.list.rows()[0].setCheckState(Qt.CheckState.Checked if state else Qt.CheckState.Unchecked)
        colours = left_edge(classes)
        edges.append(max(abs(colour.lightness() - ground.lightness()) for colour in colours))
        middles.append(any(abs(colour.blue() - 0xC4) < 12 and colour.red() < 0x50 for colour in colours))
    assert min(edges) > 70
    assert middles == [True, False]


def left_edge(classes):
    """The pixels of the first row, in the line of a box that is above its tick, as far as its name."""
    row = classes.list.visualItemRect(classes.list.item(0))
    image = classes.list.viewport().grab().toImage()
    return [image.pixelColor(x, row.center().y() - 4) for x in range(row.left(), row.left() + 18)]


def test_other_weights_bring_other_classes_and_the_search_goes_on(classes, qtbot):
    qtbot.keyClicks(classes.search, "x")
    classes.show_names(("fox", "owl"))
    assert [row.isHidden() for row in classes.list.rows()] == [False, True]
    assert classes.told == []


def test_a_choice_is_shown_that_was_made_before_the_classes_were_known(qtbot):
    late = ClassList()
    qtbot.addWidget(late)
    late.show_value(("dog",))
    late.show_names(NAMES)
    assert ticked(late) == ["dog"]


def test_a_choice_that_keeps_weights_from_loading_can_be_taken_back(qtbot):
    early = ClassList()
    qtbot.addWidget(early)
    early.show()
    early.show_value(("unicorn",))
    assert NOT_LOADED in early.words.words
    assert "unicorn" in early.words.words
    with qtbot.waitSignal(early.edited) as told:
        qtbot.mouseClick(early.all, Qt.MouseButton.LeftButton)
    assert told.args == ["classes", None]
