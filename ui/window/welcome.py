"""The welcome page of an empty window: the first steps."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from model.project import DEMO
from ui.control.controller import Controller

TITLE = "See every instance, live"
TEXT = (
    "Open a camera or a file, or drop a video, a picture or a folder here.\n"
    "Everything is computed on this machine; nothing leaves it."
)


class WelcomePage(QWidget):
    """A title, a sentence, and buttons that open a camera, a file or the demo clip."""

    def __init__(
        self, controller: Controller, open_file: Callable[[], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self.setAccessibleName(TITLE)
        self.setAttribute(
            Qt.WidgetAttribute.WA_StyledBackground
        )  # needed for a background from the style sheet
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addStretch(1)
        for number, (text, act) in enumerate(_buttons(controller, open_file)):
            button = _button(text, act, is_first=number == 0)
            row.addWidget(button)
            if number == 0:
                self.setFocusProxy(button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setSpacing(16)
        column.addStretch(2)
        column.addWidget(_label(TITLE, "welcomeTitle"))
        column.addWidget(_label(TEXT, "welcomeText"))
        column.addLayout(row)
        column.addWidget(_label("Press ? for the shortcuts", "welcomeFoot"))
        column.addStretch(3)


def _buttons(
    controller: Controller, open_file: Callable[[], object]
) -> tuple[tuple[str, Callable[[], object]], ...]:
    """Return the text of each button and the function that it calls."""
    demo = (("Try the demo clip", lambda: controller.open(str(DEMO))),) if DEMO.is_file() else ()
    return (("Open the camera", lambda: controller.open("0")), ("Open a file …", open_file), *demo)


def _label(text: str, name: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    return label


def _button(text: str, act: Callable[[], object], is_first: bool) -> QPushButton:
    button = QPushButton(text)
    button.setProperty("first", is_first)
    button.clicked.connect(lambda: act())
    return button
