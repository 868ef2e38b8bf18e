"""Fixtures of the window's tests: Qt without a screen unless there is one, and no widget left behind."""

import os
from functools import partial

import pytest

from ui.window.qt import prepare_qt

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
prepare_qt()

from PyQt6.QtCore import QCoreApplication, QEvent, Qt  # noqa: E402
from PyQt6.QtGui import QPalette  # noqa: E402
from PyQt6.QtWidgets import QApplication  # noqa: E402

import pipeline.tracking.bytetrack  # noqa: E402, F401 (it takes long to load, and windows close in time)
from pipeline.live.network.fitting import load_network  # noqa: E402
from pipeline.live.session import LiveSession  # noqa: E402
from pipeline.settings import DisplaySettings  # noqa: E402
from pipeline.sources import open_source  # noqa: E402
from tests.ui.live_window import DEMO, PATIENCE  # noqa: E402
from tests.ui.standin_session import StandInSession  # noqa: E402
from ui.control.controller import Controller  # noqa: E402
from ui.control.settings import WindowSettings  # noqa: E402
from ui.window.main_window import MainWindow  # noqa: E402


@pytest.fixture(autouse=True)
def no_widget_is_left(qapp):
    """Fails a test that leaves a top-level widget behind: a window, dialog or menu without an owner."""
    before = set(map(id, QApplication.topLevelWidgets()))
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qapp.processEvents()
    left = [widget for widget in QApplication.topLevelWidgets() if id(widget) not in before]
    assert not left, f"the test leaves widgets behind: {left}"


@pytest.fixture(autouse=True)
def plain_application(qapp):
    """Takes away what a test has dressed the application in, which is the same for all tests of a process."""
    yield
    if qapp.styleSheet():
        qapp.setStyleSheet("")
        qapp.styleHints().setColorScheme(Qt.ColorScheme.Unknown)
        qapp.setPalette(QPalette())


@pytest.fixture
def controller(qapp):
    """A controller of a session that is told what to show."""
    made = Controller(WindowSettings(), make_session=StandInSession)
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def session(controller):
    """Its session."""
    return controller.session


@pytest.fixture
def window(qtbot, controller):
    """A window of that session; the picture has the keyboard."""
    made = MainWindow(controller)
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    made.activateWindow()
    made.view.setFocus()
    return made


@pytest.fixture
def begin(qtbot, tmp_path):
    """Makes and shows a window with a real session, its files in `out`, and opens the demo clip.

    sources: what stands for sources, by their names; others are real
    """
    made = []

    def make(source=DEMO, display=None, load=load_network, **sources):
        def opens(text, *, options, interrupted):
            if text in sources:
                return sources[text](interrupted)
            return open_source(text, options=options, interrupted=interrupted)

        settings = WindowSettings(display=display or DisplaySettings(), output=str(tmp_path / "out"))
        window = MainWindow(Controller(settings, partial(LiveSession, open_source=opens, load=load)))
        qtbot.addWidget(window)
        made.append(window)
        with qtbot.waitExposed(window):
            window.show()
        window.controller.open(source)
        return window

    yield make
    for window in made:
        window.close()
        window.controller.deleteLater()


@pytest.fixture
def until(qtbot):
    """Waits until a condition holds, however busy the machine is."""
    return lambda condition: qtbot.waitUntil(lambda: bool(condition()), timeout=PATIENCE)
