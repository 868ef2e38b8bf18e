"""Which weights to use, and their download."""

from __future__ import annotations

import pytest
from PyQt6.QtCore import Qt

from model.checkpoints.catalog import CATALOG, DEFAULT_WEIGHTS, PROPOSALS
from pipeline.live.events import Failed, Progress, Saved
from ui.panels.weights import WeightsPicker

ABSENT = "yolact_resnet50"


@pytest.fixture
def weights(controller, qtbot):
    made = WeightsPicker(controller)
    qtbot.addWidget(made)
    made.show_value(None)
    made.show()
    made.told = []
    made.edited.connect(lambda field, value: made.told.append((field, value)))
    return made


def choose(qtbot, weights, name):
    """By keyboard: down or up until it is there."""
    box = weights.choice
    key = Qt.Key.Key_Down if box.row_of(name) > box.currentIndex() else Qt.Key.Key_Up
    while box.value != name:
        before = box.currentIndex()
        qtbot.keyClick(box, key)
        assert box.currentIndex() != before, f"{name} is not reached"
    # those on the way there were chosen for a moment
    weights.told[:] = [told for told in weights.told if told[1] in (name, None)]


def install(entry):
    entry.path.parent.mkdir(parents=True, exist_ok=True)
    entry.path.write_bytes(b"")


def test_the_whole_catalogue_is_listed_with_what_is_installed_first(weights, home):
    install(CATALOG[ABSENT])
    weights.show_value(None)
    box = weights.choice
    texts = [box.itemText(row) for row in range(box.count())]
    shipped = [DEFAULT_WEIGHTS, "livemask_n", "livemask_m"]
    assert texts[:7] == ["Installed", *shipped, ABSENT, "sharpmask_lite_objects", "Not installed"]
    assert set(texts) == {"Installed", "Not installed", *CATALOG, *PROPOSALS}
    assert box.value == DEFAULT_WEIGHTS


def test_state_size_figure_and_licence_are_said(weights, qtbot):
    choose(qtbot, weights, ABSENT)
    for fact in ("not downloaded", "about 125 MB", "mask mAP, COCO test-dev 28.2", "licence: MIT"):
        assert fact in weights.words.words


def test_installed_weights_are_used_at_once(weights, qtbot, home):
    install(CATALOG[ABSENT])
    weights.show_value(None)
    choose(qtbot, weights, ABSENT)
    assert weights.told == [("weights", ABSENT)]
    assert not weights.download.isVisible()
    choose(qtbot, weights, DEFAULT_WEIGHTS)
    assert weights.told[-1] == ("weights", None)


def test_absent_weights_are_offered_for_download_and_used_once_they_are_there(weights, session, qtbot, home):
    choose(qtbot, weights, ABSENT)
    assert weights.told == []
    qtbot.mouseClick(weights.download, Qt.MouseButton.LeftButton)
    assert session.asked[-1] == ("download", ABSENT)
    assert weights.working.isVisible()
    assert not weights.download.isVisible()
    session.emit(Progress("download", 0.5, f"{ABSENT}: 62.0 of 125.0 MB"))
    assert weights.working.bar.value() == 50
    assert weights.working.words.words == f"{ABSENT}: 62.0 of 125.0 MB"
    install(CATALOG[ABSENT])
    session.emit(Saved("download", (CATALOG[ABSENT].path,), "done"))
    assert weights.told == [("weights", ABSENT)]
    assert not weights.working.isVisible()
    assert weights.words.words.count("downloaded") == 1
    assert "not downloaded" not in weights.words.words


def test_a_download_that_fails_can_be_tried_again(weights, session, qtbot):
    choose(qtbot, weights, ABSENT)
    qtbot.mouseClick(weights.download, Qt.MouseButton.LeftButton)
    session.emit(Failed("recording", "something else"))
    assert weights.working.isVisible()
    session.emit(Failed("download", "no network"))
    assert not weights.working.isVisible()
    assert weights.download.isVisible()
    assert weights.told == []


def test_weights_chosen_while_others_are_downloaded_stay_chosen(weights, session, qtbot, home):
    choose(qtbot, weights, ABSENT)
    qtbot.mouseClick(weights.download, Qt.MouseButton.LeftButton)
    choose(qtbot, weights, DEFAULT_WEIGHTS)
    install(CATALOG[ABSENT])
    session.emit(Saved("download", (CATALOG[ABSENT].path,), "done"))
    assert weights.choice.value == DEFAULT_WEIGHTS
    assert ("weights", ABSENT) not in weights.told


def test_a_file_is_chosen_in_the_windows_dialog_and_listed_by_its_name(weights, controller, qtbot, tmp_path):
    own = tmp_path / "own.pt"
    with qtbot.waitSignal(controller.weights_requested):
        qtbot.mouseClick(weights.file, Qt.MouseButton.LeftButton)
    weights.show_value(str(own))
    assert weights.choice.currentText() == "own.pt"
    assert weights.words.words == str(own)
