"""Checks before a QApplication is made, since Qt aborts the process where it cannot start."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

_SET_BY_OPENCV = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")
_NEED_NO_DISPLAY = ("offscreen", "minimal", "vnc", "linuxfb", "eglfs")
_LIBRARY = re.compile(r"(lib[\w.+-]+?)\.so\.(\d+)")


def prepare_qt(environment: MutableMapping[str, str] | None = None) -> None:
    """Remove variables that opencv-python sets for a Qt of its own, with whose plugins PyQt6 does not start.

    Has to be called before a QApplication is made. Variables set by the user are kept.
    """
    environment = os.environ if environment is None else environment
    for name in _SET_BY_OPENCV:
        folder = environment.get(name, "").replace("\\", "/")
        if "/cv2/qt/" in f"{folder}/":
            del environment[name]


def missing_display(environment: Mapping[str, str] | None = None, platform: str = sys.platform) -> str:
    """Return the reason why no window can be shown, for the user; "" if none is known.

    Only X11 on Linux is checked; Qt itself checks a Wayland display.
    """
    environment = os.environ if environment is None else environment
    chosen = environment.get("QT_QPA_PLATFORM", "")
    if platform != "linux" or chosen.startswith(_NEED_NO_DISPLAY) or environment.get("WAYLAND_DISPLAY"):
        return ""
    display = environment.get("DISPLAY", "")
    if not display:
        return "neither DISPLAY nor WAYLAND_DISPLAY is set"
    return _missing_library() or _refusal(display)


def _missing_library() -> str:
    """Return a text about a system library that Qt's X11 plugin lacks; "" if it lacks none."""
    from PyQt6.QtCore import QLibraryInfo

    plugins = QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath)
    plugin = Path(plugins) / "platforms" / "libqxcb.so"
    try:
        if plugin.is_file():
            ctypes.CDLL(str(plugin))
    except OSError as error:
        return f"Qt lacks a library for X11: {error}{_hint(str(error))}"
    return ""


def _hint(error: str) -> str:
    """Return the package to install for the library that a loader's error names, by Debian's naming rule."""
    found = _LIBRARY.search(error)
    if found is None:
        return ""
    name, version = found.group(1).lower(), found.group(2)
    return f" (on Debian and Ubuntu: apt install {name}{'-' if name[-1].isdigit() else ''}{version})"


def _refusal(display: str) -> str:
    """Return a text if the display cannot be reached or refuses this user; "" otherwise."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:  # Qt was built without it
        return ""
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(display.encode(), None))
    refused = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return f"the display {display} is not there, or refuses" if refused else ""
