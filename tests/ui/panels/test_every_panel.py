"""What every panel has to do, whatever it shows (`ui.panels.PANELS`)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from PyQt6.QtWidgets import QApplication, QWidget

from model.classes import COCO_CLASSES
from pipeline.live.events import Closed, Failed, Loaded, Opening
from tests.ui.standin_session import result_of
from ui.panels import PANELS


def panel_class(name: str) -> type[QWidget]:
    module, _, kind = PANELS[name].target.partition(":")
    return getattr(import_module(module), kind)


@pytest.fixture(params=PANELS)
def name(request):
    return request.param


@pytest.fixture
def panel(name, controller, qtbot):
    """As a dock makes it: of the controller and the widget that it lies in."""
    outside = QWidget()
    qtbot.addWidget(outside)
    made = panel_class(name)(controller, outside)
    made.resize(300, 400)
    outside.show()
    made.show()
    made.outside = outside  # which has to live as long
    return made


def test_a_panel_is_a_widget_in_the_one_that_it_is_given(panel):
    assert isinstance(panel, QWidget)
    assert not panel.isWindow()


def test_a_panel_says_something_before_anything_was_opened(panel, qtbot):
    qtbot.waitUntil(panel.isVisible)
    assert not panel.grab().isNull()


def test_a_panel_follows_a_source_from_its_opening_to_its_end_and_a_network_that_fails(
    panel, controller, session
):
    session.emit(Opening("clip.mp4"))
    session.emit(Loaded(Path("a.pt"), "torch fp32 on cpu: as named", COCO_CLASSES, 416, 32))
    controller.result = result_of(selected=0)
    session.emit(Failed("network", "b.pt: no such file"))
    session.emit(Closed("clip.mp4"))
    QApplication.processEvents()
    assert not panel.grab().isNull()


def test_a_panel_can_be_closed_and_shown_again(panel, qtbot):
    panel.close()
    assert not panel.isVisible()
    panel.show()
    qtbot.waitUntil(panel.isVisible)


def test_no_two_panels_share_a_title_or_a_shortcut():
    for values in ([spec.title for spec in PANELS.values()], [spec.shortcut for spec in PANELS.values()]):
        assert len(set(values)) == len(values)


def test_the_table_says_what_each_panel_is_for(name):
    assert PANELS[name].tip
    assert PANELS[name].title
    assert panel_class(name).__doc__
