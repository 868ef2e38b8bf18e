"""The look of the window: Qt's Fusion style in the system's light or dark colours, with more spacing."""

from __future__ import annotations

from typing import Literal

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QPalette
from PyQt6.QtWidgets import QApplication

Colours = Literal["system", "light", "dark"]

_SCHEMES = {
    "system": Qt.ColorScheme.Unknown,
    "light": Qt.ColorScheme.Light,
    "dark": Qt.ColorScheme.Dark,
}

# Colours come from the palette, which follows the system. Those of notices are readable in light and dark;
# their severity is given as text too.
_SHEET = """
QToolBar { border: none; spacing: 2px; padding: 3px 6px; }
QToolBar QToolButton { padding: 4px 9px; border-radius: 4px; border: 1px solid transparent; }
QToolBar QToolButton:hover { border-color: palette(mid); }
QToolBar QToolButton:checked { background: palette(base); border-color: palette(mid);
    border-bottom: 2px solid palette(highlight); }
QToolBar QToolButton:focus { border: 1px solid palette(highlight); }
QStatusBar { border-top: 1px solid palette(mid); }
QStatusBar::item { border: none; }
QLabel#recording { background: #b3261e; color: #ffffff; font-weight: 600; border-radius: 4px; }
QTabBar::tab:focus { border: 2px solid palette(highlight); border-radius: 4px; padding: 2px 8px;
    background: palette(base); color: palette(text); }
QDockWidget QToolButton:focus { border: 1px solid palette(highlight); border-radius: 3px; }
QCheckBox::indicator:unchecked, QGroupBox::indicator:unchecked, QAbstractItemView::indicator:unchecked {
    border: 1px solid #858b95; border-radius: 2px; background: palette(base); }
QCheckBox::indicator:unchecked:focus { border-color: palette(highlight); }
QFrame#noticeNote, QFrame#noticeWarning, QFrame#noticeError {
    background: palette(base); border: 1px solid palette(mid); border-left-width: 4px; border-radius: 4px; }
QFrame#noticeNote { border-left-color: #3d7ebf; }
QFrame#noticeWarning { border-left-color: #c98a00; }
QFrame#noticeError { border-left-color: #c8352f; }
QLabel#noticeLevel { font-weight: 600; }
QWidget#welcome { background: #121417; }
QWidget#welcome QLabel { color: #c9ced6; }
QWidget#welcome QLabel#welcomeTitle { font-size: 22px; font-weight: 600; color: #f2f4f7; }
QWidget#welcome QLabel#welcomeFoot { color: #9aa1ac; }
QWidget#welcome QPushButton { padding: 7px 18px; border-radius: 5px; color: #f2f4f7; background: #2b3038;
    border: 1px solid #454c57; }
QWidget#welcome QPushButton:hover { background: #363c46; }
QWidget#welcome QPushButton:focus { border: 1px solid #8ab4f8; }
QWidget#welcome QPushButton[first="true"] { background: #2f6fb3; border-color: #2f6fb3; }
QWidget#welcome QPushButton[first="true"]:hover { background: #3a7dc4; }
QWidget#welcome QPushButton[first="true"]:focus { border: 1px solid #f2f4f7; }
"""


# for systems on which the colour scheme cannot be set
_DARK = {
    QPalette.ColorRole.Window: "#2d3036",
    QPalette.ColorRole.WindowText: "#e4e7eb",
    QPalette.ColorRole.Base: "#1b1d21",
    QPalette.ColorRole.AlternateBase: "#22252a",
    QPalette.ColorRole.ToolTipBase: "#2f333a",
    QPalette.ColorRole.ToolTipText: "#e4e7eb",
    QPalette.ColorRole.Text: "#e4e7eb",
    QPalette.ColorRole.PlaceholderText: "#8f96a1",
    QPalette.ColorRole.Button: "#3b4048",
    QPalette.ColorRole.ButtonText: "#e4e7eb",
    QPalette.ColorRole.BrightText: "#ffffff",
    QPalette.ColorRole.Light: "#545b66",
    QPalette.ColorRole.Midlight: "#434851",
    QPalette.ColorRole.Mid: "#4d535d",
    QPalette.ColorRole.Dark: "#17191c",
    QPalette.ColorRole.Shadow: "#0c0d0f",
    QPalette.ColorRole.Highlight: "#3b82c4",
    QPalette.ColorRole.HighlightedText: "#ffffff",
    QPalette.ColorRole.Link: "#7db4ea",
}
_DISABLED_TEXT = "#767d88"
_TEXT_ROLES = (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText)


def apply_style(app: QApplication, colours: Colours) -> None:
    """Set style and colours of the application."""
    app.setStyle("Fusion")
    set_colours(app, colours)


def set_colours(app: QApplication, colours: Colours) -> None:
    """Use light or dark colours, or those of the system."""
    hints = app.styleHints()
    assert hints is not None
    hints.setColorScheme(_SCHEMES[colours])
    obeyed = hints.colorScheme() == Qt.ColorScheme.Dark
    app.setPalette(dark_palette() if colours == "dark" and not obeyed else QPalette())
    app.setStyleSheet(_SHEET)  # set again, since it uses colours of the palette


def dark_palette() -> QPalette:
    """Return a palette of dark colours."""
    palette = QPalette()
    for role, colour in _DARK.items():
        palette.setColor(role, QColor(colour))
    for role in _TEXT_ROLES:
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(_DISABLED_TEXT))
    return palette
