import os
import subprocess
import sys

import pytest

from app.cli import EXIT_FAILED, EXIT_OK, _with_command
from app.gui import _found_again
from tests.source_tree import ROOT

ENDED_BY_SIGNAL = """
import os, signal, sys
from PyQt6.QtCore import QTimer
import app.cli, ui.window.application
make = ui.window.application.make_window
def make_and_end(*arguments):
    window = make(*arguments)
    QTimer.singleShot(0, lambda: os.kill(os.getpid(), signal.SIGTERM))
    return window
ui.window.application.make_window = make_and_end
sys.exit(app.cli.main([]))
"""
LEAVES_A_THREAD = "import threading, time; threading.Thread(target=time.sleep, args=(600,)).start()"


def python(*arguments, **environment):
    unset = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=kept | environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can be without a display")
@pytest.mark.parametrize("arguments", [(), ("gui",), ("--source", "0")])
def test_without_a_display_the_command_ends_with_an_error_and_not_with_an_abort(arguments):
    done = python("run_app.py", *arguments)

    assert done.returncode == EXIT_FAILED
    assert done.stderr.startswith("error: no window can be shown: neither DISPLAY nor WAYLAND_DISPLAY")
    assert "Traceback" not in done.stderr


def test_the_window_opens_and_a_request_to_end_closes_it_in_order(home):
    done = python("-c", ENDED_BY_SIGNAL, QT_QPA_PLATFORM="offscreen")

    assert done.returncode == EXIT_OK, done.stderr
    assert "Traceback" not in done.stderr
    assert (home / "window.json").is_file()


def test_a_thread_that_cannot_be_interrupted_does_not_keep_the_program_from_ending(home):
    done = python("-c", LEAVES_A_THREAD + ENDED_BY_SIGNAL, QT_QPA_PLATFORM="offscreen")

    assert done.returncode == EXIT_OK, done.stderr
    assert (home / "window.json").is_file()


@pytest.mark.parametrize(
    ("typed", "understood"),
    [
        ([], ["gui"]),
        (["--source", "0"], ["gui", "--source", "0"]),
        (["gui", "--weights", "a.pt"], ["gui", "--weights", "a.pt"]),
        (["--help"], ["--help"]),
        (["-h"], ["-h"]),
        (["models", "list"], ["models", "list"]),
    ],
)
def test_without_a_command_it_is_the_windows(typed, understood):
    assert _with_command(typed) == understood


def test_a_file_is_remembered_with_its_whole_path_and_everything_else_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(b"")
    (tmp_path / "0").write_bytes(b"")

    assert _found_again("clip.mp4") == str(tmp_path / "clip.mp4")
    for other in ("", "0", "camera:front", "rtsp://host/one", "gone.mp4"):
        assert _found_again(other) == other
