import os
import shutil
import subprocess
import sys

import pytest

from ui.window import qt
from ui.window.qt import missing_display, prepare_qt


def test_the_folders_that_opencv_sets_for_its_own_qt_are_undone_and_a_users_are_kept():
    environment = {
        "QT_QPA_PLATFORM_PLUGIN_PATH": "/venv/lib/site-packages/cv2/qt/plugins",
        "QT_QPA_FONTDIR": "/venv/lib/site-packages/cv2/qt/fonts",
        "HOME": "/home/me",
    }
    prepare_qt(environment)
    assert environment == {"HOME": "/home/me"}

    own = {"QT_QPA_PLATFORM_PLUGIN_PATH": "/opt/qt/plugins", "QT_QPA_FONTDIR": "C:\\fonts"}
    prepare_qt(own)
    assert len(own) == 2


def test_without_a_display_linux_shows_no_window():
    assert "DISPLAY" in missing_display({}, "linux")
    assert missing_display({}, "win32") == ""
    assert missing_display({}, "darwin") == ""


@pytest.mark.parametrize("environment", [{"QT_QPA_PLATFORM": "offscreen"}, {"WAYLAND_DISPLAY": "wayland-0"}])
def test_what_needs_no_x11_display_is_not_asked_for_one(environment):
    assert missing_display(environment, "linux") == ""


@pytest.fixture
def display():
    """A display without a screen."""
    if shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb (apt install xvfb)")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing)], pass_fds=[writing], stderr=subprocess.DEVNULL
    )
    os.close(writing)
    with os.fdopen(reading) as numbers:
        yield f":{numbers.readline().strip()}"
    server.terminate()
    server.wait()


def needs_x11_libraries():
    reason = qt._missing_library()
    if reason:
        pytest.skip(reason)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has X11 displays")
@pytest.mark.parametrize("name", [":987654", "127.0.0.1:9876.0", "no display at all"])
def test_a_display_that_is_not_there_is_named(name):
    needs_x11_libraries()

    assert name in missing_display({"DISPLAY": name}, "linux")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has X11 displays")
def test_nothing_speaks_against_a_display_that_is_there(display):
    needs_x11_libraries()

    assert missing_display({"DISPLAY": display}, "linux") == ""


def test_a_library_that_qt_lacks_is_named(monkeypatch):
    def lacks(name):
        raise OSError("libxcb-cursor.so.0: cannot open shared object file")

    monkeypatch.setattr(qt.ctypes, "CDLL", lacks)
    monkeypatch.setattr(qt.Path, "is_file", lambda path: True)

    assert "libxcb-cursor" in missing_display({"DISPLAY": ":0"}, "linux")


@pytest.mark.parametrize(
    ("library", "package"),
    [
        ("libxcb-cursor.so.0", "libxcb-cursor0"),
        ("libxcb-icccm.so.4", "libxcb-icccm4"),
        ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
        ("libEGL.so.1", "libegl1"),
    ],
)
def test_the_package_that_is_missing_is_the_one_that_is_named(monkeypatch, library, package):
    def refuses(path):
        raise OSError(f"{library}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(qt.ctypes, "CDLL", refuses)
    told = qt._missing_library()
    assert told.endswith(f"(on Debian and Ubuntu: apt install {package})")
