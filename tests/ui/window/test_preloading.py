"""Panels are ready before they are opened for the first time."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.live.events import Loaded
from tests.source_tree import ROOT
from ui.window import panel_dock
from ui.window.panel_dock import PanelPreloader

LOADED = Loaded(Path("a.pt"), "torch", ("cat",), 64, 4)


@pytest.fixture
def loads(controller, monkeypatch):
    """What waits for the network; nothing is loaded but what a list tells of."""
    monkeypatch.setattr(panel_dock, "QUIET", 0)
    made = PanelPreloader(controller.bridge, controller)
    made.names = []
    monkeypatch.setattr(
        panel_dock, "import_module", lambda name: made.names.append((name, threading.get_ident()))
    )
    return made


def test_nothing_is_loaded_before_a_network_is_at_work_and_then_all_of_it_once(loads, session, qtbot):
    assert loads.loader is None
    session.emit(LOADED)
    qtbot.waitUntil(lambda: loads.loader is not None)
    loads.loader.join()
    session.emit(LOADED)
    assert not loads.waits
    names = [name for name, _ in loads.names]
    assert "ui.panels.performance" in names
    assert names[-1] == "ui.panels.waterfall"
    assert len(set(names)) == len(names)
    assert {where for _, where in loads.names} != {threading.get_ident()}  # the picture goes on meanwhile


def test_what_cannot_be_loaded_is_left_to_whoever_opens_the_panel(loads, session, qtbot, monkeypatch):
    def broken(name):
        loads.names.append(name)
        raise ImportError(name)

    monkeypatch.setattr(panel_dock, "import_module", broken)
    session.emit(LOADED)
    qtbot.waitUntil(lambda: loads.loader is not None)
    loads.loader.join()
    assert len(loads.names) == len(panel_dock.PANELS) + 1


def test_a_plot_can_be_made_though_another_thread_has_loaded_what_draws_it():
    code = (
        "import threading\n"
        "from ui.window.qt import prepare_qt; prepare_qt()\n"
        "from PyQt6.QtWidgets import QApplication\n"
        "app = QApplication([])\n"
        "from ui.window.panel_dock import _import_panels\n"
        "thread = threading.Thread(target=_import_panels); thread.start(); thread.join()\n"
        "import sys; assert 'pyqtgraph' in sys.modules\n"
        "from ui.panels.waterfall import Waterfall\n"
        "plot = Waterfall(); plot.show(); app.processEvents(); plot.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "thread" not in done.stderr.lower()
