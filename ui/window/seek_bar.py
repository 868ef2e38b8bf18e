"""The playback controls: play and pause, single steps, position, loop and speed."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QEvent, QSignalBlocker, Qt, QTimer
from PyQt6.QtGui import QHideEvent, QMouseEvent, QShowEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSlider,
    QStyle,
    QStyleOptionSlider,
    QToolButton,
    QWidget,
)

from pipeline.live.events import Closed, Opened
from ui.control.controller import Controller
from ui.control.times import clock
from ui.window.icons import icon

SPEEDS = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0)
_LOOK = 100  # milliseconds
_MILLI = 1000.0


class SeekSlider(QSlider):
    """A slider for a time in milliseconds; a click moves the handle there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setAccessibleName("Position")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setToolTip("Position; arrows, Page Up and Page Down move it")
        self.setSingleStep(1000)
        self.setPageStep(10_000)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Move the handle to the mouse, then drag it."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.setSliderPosition(self._value_at(event.position().x()))
        super().mousePressEvent(event)

    def _value_at(self, x: float) -> int:
        style = self.style()
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        handle = style.pixelMetric(QStyle.PixelMetric.PM_SliderLength, option, self) if style else 0
        room = max(1, self.width() - handle)
        return QStyle.sliderValueFromPosition(self.minimum(), self.maximum(), round(x - handle / 2), room)


class SeekBar(QWidget):
    """Controls of a source that is played; hidden for cameras and streams, and without a source.

    Clicks do not take the keyboard focus, so that Space and arrow keys keep their meaning.
    """

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Playback")
        self._controller = controller
        self._asked: int | None = None  # target of a seek in milliseconds, until it has arrived
        self._waits = 0
        self._plays = False
        self.play = self._tool("Play (Space)", controller.toggle_play)
        self.back = self._tool("One frame back (←)", lambda: controller.step(-1))
        self.on = self._tool("One frame forward (→)", lambda: controller.step(1))
        self.slider = SeekSlider()
        self.slider.valueChanged.connect(self._on_value)
        self.time = QLabel()
        self.time.setAccessibleName("Time")
        self.loop = self._loop_button()
        self.speed = self._speed_box()
        self._apply_palette()
        self._lay_out()
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK)
        self._timer.timeout.connect(self.refresh)
        controller.bridge.opened.connect(self._on_opened)
        controller.bridge.closed.connect(self._on_closed)
        self.hide()

    def refresh(self) -> None:
        """Show the current state of the playback."""
        playback = self._controller.session.playback
        if playback is None:
            return
        self._show_playing(playback.playing and not playback.at_end)
        with QSignalBlocker(self.loop), QSignalBlocker(self.speed):
            self.loop.setChecked(playback.loop)
            self.speed.setCurrentIndex(min(range(len(SPEEDS)), key=lambda i: abs(SPEEDS[i] - playback.speed)))
        self.slider.setEnabled(playback.seekable and bool(playback.duration))
        self.time.setText(f"{clock(playback.position)} / {clock(playback.duration)}")
        if not self.slider.isSliderDown() and not self._is_under_way(playback.position):
            with QSignalBlocker(self.slider):
                self.slider.setMaximum(round((playback.duration or 0.0) * _MILLI))
                self.slider.setValue(round(playback.position * _MILLI))

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Start refreshing."""
        self._timer.start()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop refreshing."""
        self._timer.stop()

    def _is_under_way(self, position: float) -> bool:
        """Return True until a seek has arrived: the handle must not jump back meanwhile."""
        if self._asked is None or self._waits <= 0:
            return False
        self._waits -= 1
        if abs(position * _MILLI - self._asked) < 1000:
            self._asked = None
        return self._asked is not None

    def _on_value(self, value: int) -> None:
        self._asked, self._waits = value, 10
        self._controller.seek(value / _MILLI)

    def _on_loop(self, wanted: bool) -> None:
        playback = self._controller.session.playback
        if playback is not None:
            playback.loop = wanted

    def _on_speed(self, index: int) -> None:
        playback = self._controller.session.playback
        if playback is not None:
            playback.speed = SPEEDS[index]

    def _on_opened(self, event: Opened) -> None:
        self._asked = None
        self.setVisible(event.playable)
        self.refresh()

    def _on_closed(self, event: Closed) -> None:
        self.setVisible(self._controller.opened is not None and self._controller.opened.playable)

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Paint the icons anew after a change between light and dark."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            self._apply_palette()

    def _apply_palette(self) -> None:
        for button, name in ((self.play, "pause" if self._plays else "play"), (self.back, "back"),
                             (self.on, "on")):  # fmt: skip
            button.setIcon(icon(name, self.palette()))

    def _show_playing(self, plays: bool) -> None:
        if plays != self._plays:
            self._plays = plays
            text = "Pause" if plays else "Play"
            self.play.setAccessibleName(text)
            self.play.setToolTip(f"{text} (Space)")
            self._apply_palette()

    def _tool(self, tip: str, act: Callable[[], object]) -> QToolButton:
        button = QToolButton()
        button.setAccessibleName(tip.partition(" (")[0])
        button.setToolTip(tip)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda: act())
        return button

    def _loop_button(self) -> QToolButton:
        button = QToolButton()
        button.setText("Loop")
        button.setCheckable(True)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setToolTip("Begin again at the end")
        button.toggled.connect(self._on_loop)
        return button

    def _speed_box(self) -> QComboBox:
        box = QComboBox()
        box.setAccessibleName("Speed")
        box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        box.setToolTip("Speed")
        box.addItems([f"{speed:g}×" for speed in SPEEDS])
        box.setCurrentIndex(SPEEDS.index(1.0))
        box.activated.connect(self._on_speed)
        return box

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(4)
        for widget in (self.back, self.play, self.on):
            layout.addWidget(widget)
        layout.addWidget(self.slider, 1)
        self.time.setMinimumWidth(self.time.fontMetrics().horizontalAdvance("00:00.0 / 00:00.0 "))
        self.time.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(self.time)
        layout.addWidget(self.loop)
        layout.addWidget(self.speed)
