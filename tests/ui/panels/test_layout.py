"""What all panels with settings share: they fit a narrow window, and everything is reached by keyboard."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from PyQt6.QtCore import QEvent, QPoint, Qt
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QSlider,
    QSpinBox,
    QWidget,
)

from model.classes import COCO_CLASSES
from pipeline.live.events import Failed, Loaded, Loading, Opening, Progress
from pipeline.sources.cameras.listing import CameraInfo
from tests.ui.standin_session import result_of
from ui.panels.compare import ComparePanel
from ui.panels.detection import DetectionPanel
from ui.panels.display import DisplayPanel
from ui.panels.instance import InstancePanel
from ui.panels.sections import Sections
from ui.panels.source import SourcePanel

NARROW = 260  # pixels
LONG = "/home/somebody/Videos/holidays_at_the_sea/2026/a_rather_long_name_of_a_clip.mp4"


def source_panel(controller):
    return SourcePanel(
        controller, find=lambda: (CameraInfo(0, "Integrated camera of the meeting room on the third floor"),)
    )


PANELS = {
    "source": source_panel, "detection": DetectionPanel, "display": DisplayPanel, "instance": InstancePanel,
    "compare": ComparePanel,
}  # fmt: skip


@pytest.fixture(params=PANELS)
def panel(request, controller, session, qtbot):
    """A panel in a narrow window, with much to say."""
    controller.remember(recent=(LONG, "rtsp://***@camera.local/stream"))
    made = PANELS[request.param](controller)
    qtbot.addWidget(made)
    made.resize(NARROW, 400)
    made.show()
    session.emit(Opening(LONG))
    session.emit(Failed("source", f"{LONG}: there is no such file"))
    session.emit(Loaded(Path(LONG), "openvino int8 on cpu: the fastest of all here", COCO_CLASSES, 416, 32))
    session.emit(Loading(LONG))
    session.emit(Progress("download", 0.5, "yolact_plus_resnet50: 60.0 of 135.0 MB"))
    controller.set_display(background="picture", background_picture=Path(LONG))
    controller.result = result_of(selected=0)
    qtbot.wait(200)
    return made


def visible(panel, *kinds):
    found = (one for kind in kinds for one in panel.findChildren(kind) if one.isVisible())
    return [one for one in found if not one.objectName().startswith("qt_")]


def area_of(panel):
    return panel if isinstance(panel, Sections) else panel.findChild(Sections)


def test_it_fits_a_narrow_window_without_scrolling_sideways(panel):
    assert panel.minimumSizeHint().width() <= NARROW
    area = area_of(panel)
    assert area.widget().width() <= area.viewport().width()


def is_cut(label):
    """Whether a label or button has less room than its text needs; a wrapped one needs that of its longest
    part that cannot be broken."""
    if not isinstance(label, QLabel) or not label.wordWrap():
        return label.width() < label.minimumSizeHint().width()
    parts = label.text().replace("\u200b", " ").split()
    widest = max(label.fontMetrics().horizontalAdvance(part) for part in parts)
    return label.width() < widest or label.height() < label.heightForWidth(label.width())


def test_no_text_is_cut_off(panel):
    assert [one.text() for one in visible(panel, QLabel, QAbstractButton) if one.text() and is_cut(one)] == []


def test_whatever_can_be_used_has_a_name_for_people_who_do_not_see_it(panel):
    used = visible(panel, QComboBox, QSlider, QSpinBox, QListWidget, QLineEdit)
    nameless = [
        type(one).__name__
        for one in used
        if not one.accessibleName() and not isinstance(one.parent(), QSpinBox)
    ]
    nameless += [type(one).__name__ for one in visible(panel, QAbstractButton) if not one.text()]
    assert used or visible(panel, QCheckBox)
    assert nameless == []


def test_the_tab_key_goes_from_top_to_bottom_and_reaches_everything(panel, qtbot):
    panel.activateWindow()
    qtbot.waitUntil(panel.isActiveWindow)
    expected = {
        one
        for one in visible(panel, QAbstractButton, QComboBox, QSlider, QSpinBox, QListWidget, QLineEdit)
        if one.isEnabled() and one.focusPolicy() & Qt.FocusPolicy.TabFocus and one.focusProxy() is None
    }
    visited: list[QWidget] = []
    panel.focusNextChild()
    while (one := QApplication.focusWidget()) not in visited:
        visited.append(one)
        qtbot.keyClick(one, Qt.Key.Key_Tab)
    assert set(visited) >= expected - {one for one in expected if isinstance(one.parent(), QSpinBox)}
    tops = [one.mapTo(area_of(panel).widget(), QPoint(0, 0)).y() for one in visited]
    first = tops.index(min(tops))
    tops = tops[first:] + tops[:first]
    steps_up = [(a, b) for a, b in pairwise(tops) if b < a - 12]  # a row is not quite even
    assert steps_up == []


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_Left, Qt.Key.Key_Right])
def test_its_widgets_keep_the_keys_that_the_window_has_as_shortcuts(panel, key):
    area = area_of(panel)
    inside = visible(area, QAbstractButton)[0]
    plain = QKeyEvent(QEvent.Type.ShortcutOverride, key, Qt.KeyboardModifier.NoModifier)
    plain.ignore()
    QApplication.sendEvent(inside, plain)
    with_control = QKeyEvent(QEvent.Type.ShortcutOverride, key, Qt.KeyboardModifier.ControlModifier)
    with_control.ignore()
    QApplication.sendEvent(inside, with_control)
    assert plain.isAccepted()
    assert not with_control.isAccepted()
