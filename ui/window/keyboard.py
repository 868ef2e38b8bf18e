"""The rule by which keys go to the focused widget although they are shortcuts of the window."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, Qt
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTabBar,
    QTextEdit,
    QWidget,
)

_MOVING = frozenset(
    {
        *(Qt.Key.Key_Space, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End),
        *(Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown),
    }
)
_TYPED_INTO = (QLineEdit, QTextEdit, QPlainTextEdit, QComboBox, QAbstractSpinBox, QAbstractItemView)
_PRESSED = (*_TYPED_INTO, QAbstractButton)
_MOVED_IN = (*_PRESSED, QAbstractSlider, QAbstractScrollArea, QTabBar)
_PLAIN = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
_TYPING = (*_PLAIN, Qt.KeyboardModifier.ShiftModifier)


def is_kept(event: QEvent | None, focus: QWidget | None) -> bool:
    """Return True, and accept the event, if Qt asks about a key that `focus` is to get itself.

    Arrow keys and the like work in most widgets. Space presses buttons, but has no effect on a tab or a
    slider. Printable characters are typed into fields and find entries in lists. `focus` is not the picture.
    """
    if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.ShortcutOverride or focus is None:
        return False
    users = _PRESSED if event.key() == Qt.Key.Key_Space else _MOVED_IN
    moves = event.key() in _MOVING and event.modifiers() in _PLAIN and isinstance(focus, users)
    types = bool(event.text()) and event.text().isprintable() and event.modifiers() in _TYPING
    if moves or (types and isinstance(focus, _TYPED_INTO)):
        event.accept()
        return True
    return False
