"""The view of the picture: fetches the newest result before painting, zooms, pans and selects."""

from __future__ import annotations

from collections import deque
from time import monotonic

from PyQt6.QtCore import QPointF, QRectF, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QFocusEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QApplication, QWidget

from pipeline.frame import Result
from pipeline.live.events import Closed, Opening
from pipeline.settings import DisplaySettings
from ui.control.controller import Controller
from ui.control.source_names import name_of
from ui.view.captions import paint_message
from ui.view.cover import PrivacyCover
from ui.view.geometry import ViewGeometry
from ui.view.image_buffer import ImageBuffer
from ui.view.split_line import SplitLine

BACKDROP = QColor(18, 20, 23)  # the same in light and dark windows, so that a video's colours look the same
FOCUS = QPen(QColor(138, 180, 248), 2)
ZOOM_STEP = 1.25
_WHEEL_STEP = 120.0  # of a wheel's angle
_PAN_STEP = 60.0  # view pixels a key
_RECENT = 2.0  # seconds over which the display rate is measured
_USUAL_RATE = 60.0

_ARROWS = {
    Qt.Key.Key_Left: (_PAN_STEP, 0.0),
    Qt.Key.Key_Right: (-_PAN_STEP, 0.0),
    Qt.Key.Key_Up: (0.0, _PAN_STEP),
    Qt.Key.Key_Down: (0.0, -_PAN_STEP),
}


class VideoView(QWidget):
    """Show the newest result of the session, at most once per refresh of the screen.

    A timer fetches the newest result; results in between are never painted. Neither side waits for the other.
    """

    full_screen_requested = pyqtSignal()

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Video")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(320, 180)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._controller = controller
        self._picture = ImageBuffer()
        self._cover = PrivacyCover(controller.display.privacy)
        self._covered = ""  # why the picture is not painted
        self._opening = self._awaited = ""  # text for a source being opened, and its name
        self._words = ""
        self._result: Result | None = None
        self._geometry = ViewGeometry((1, 1), (0, 0))
        self._line = SplitLine(controller)
        self.setMouseTracking(True)  # the cursor changes near the line
        self._pressed: QPointF | None = None
        self._panned = self._marks_focus = False
        self._captured: float | None = None  # capture time of a picture that is not painted yet
        self._painted: deque[float] = deque(maxlen=512)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        controller.bridge.opening.connect(self._on_opening)
        controller.bridge.closed.connect(self._on_closed)
        controller.display_changed.connect(self._on_display)

    @property
    def words(self) -> str:
        """The text over the picture or in its place; "" for none."""
        return self._words

    @property
    def opening(self) -> bool:
        """True while a source is being opened and its first picture has not arrived."""
        return bool(self._opening)

    @property
    def covered(self) -> bool:
        """True while the view hides the whole picture."""
        return bool(self._covered)

    @property
    def has_picture(self) -> bool:
        """True if there is a picture, hidden or not."""
        return self._picture.size != (0, 0)

    @property
    def geometry_of_view(self) -> ViewGeometry:
        """The position of the frame in the view."""
        return self._geometry

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom about a point of the view, by default its centre."""
        at = at or QPointF(self.width() / 2, self.height() / 2)
        self._look(self._geometry.zoomed(factor, at.x(), at.y()))

    def fit(self) -> None:
        """Show the whole frame."""
        self._look(self._geometry.whole())

    def _tick(self) -> None:
        now = monotonic()
        controller = self._controller
        result = controller.session.latest.take() if controller.opened is not None else None
        playback = controller.session.playback
        if playback is not None:  # read after `take`, whose result may be of the newest frame
            self._cover.played_to(now, playback.position)
        if result is not None:
            self._take(result, now)
        self._count(now)
        self._judge(now)

    def _take(self, result: Result, now: float) -> None:
        self._result = result
        self._captured = result.frame.captured_at
        if name_of(self._controller.opened) == self._awaited:
            self._opening = ""
        self._cover.result_came(now, result.frame.captured_at)
        self._picture.put(result.frame.image if result.annotated is None else result.annotated)
        view = (self.width(), self.height())
        self._geometry = self._geometry.fitted(view, self._picture.size, self._controller.pixel_aspect)
        self.update()

    def _count(self, now: float) -> None:
        while self._painted and now - self._painted[0] > _RECENT:
            self._painted.popleft()
        self._controller.shown_age = self._controller.liveness.age(now)
        self._controller.display_fps = len(self._painted) / _RECENT

    def _judge(self, now: float) -> None:
        """Hide or show the picture, and update the text over it."""
        opened = self._controller.opened
        reason = self._cover.reason(now, opened is not None, opened is not None and not opened.playable)
        covered = reason if self.has_picture else ""
        self._controller.result = None if covered else self._result  # panels hide what the view hides
        due = self._controller.session.hidden_reason if opened else ""
        words = covered or self._opening or self._controller.liveness.words(now) or due
        if covered != self._covered or words != self._words:
            self._covered, self._words = covered, words
            self.setAccessibleDescription(words)
            self.update()

    def _on_opening(self, event: Opening) -> None:
        self._opening, self._awaited = f"Opening {event.name} …", event.name
        if self._controller.opened is None:  # otherwise it continues until the next one is open
            self._forget()
        self._judge(monotonic())

    def _on_closed(self, event: Closed) -> None:
        if event.name == self._awaited:
            self._opening = ""
        if self._controller.opened is None:
            self._forget()
        self._judge(monotonic())

    def _on_display(self, display: DisplaySettings) -> None:
        self._cover.privacy_set(display.privacy, monotonic())
        self._judge(monotonic())

    def _forget(self) -> None:
        self._result = self._captured = None
        self._picture.clear()
        self._painted.clear()
        self._controller.liveness.forget()
        self._count(monotonic())
        self._geometry = ViewGeometry((self.width(), self.height()), (0, 0))
        self.update()

    def _look(self, geometry: ViewGeometry) -> None:
        if geometry != self._geometry:
            self._geometry = geometry
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint the picture, and the text over it."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), BACKDROP)
        if self.has_picture and not self._covered:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._smooth())
            painter.drawImage(QRectF(*self._geometry.target), self._picture.image)
            self._note_age()
            self._line.paint(painter, QRectF(self.rect()), self._geometry)
        if self._words:
            paint_message(painter, self.rect(), self._words)
        if self._marks_focus:
            painter.setPen(FOCUS)
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()

    def focusInEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Mark the focus, unless it came by a click."""
        super().focusInEvent(event)
        self._marks_focus = event is None or event.reason() != Qt.FocusReason.MouseFocusReason

    def focusOutEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Remove the mark of the focus."""
        super().focusOutEvent(event)
        self._marks_focus = False

    def _smooth(self) -> bool:
        """Return True unless the zoom is so high that single pixels are to be seen."""
        return self._geometry.scale * self.devicePixelRatioF() < 6

    def _note_age(self) -> None:
        if self._captured is None:
            return  # already painted: the window was uncovered or resized
        now = monotonic()
        self._controller.liveness.painted(now, self._captured)
        self._painted.append(now)
        self._captured = None

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Keep the position of the frame as far as possible."""
        self._geometry = self._geometry.fitted((self.width(), self.height()), self._geometry.frame)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Start fetching results at the refresh rate of the screen."""
        screen = self.screen()
        rate = screen.refreshRate() if screen is not None else _USUAL_RATE
        self._timer.start(int(1000 / (rate if rate >= 1 else _USUAL_RATE)))

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop fetching results."""
        self._timer.stop()

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        """Zoom about the cursor."""
        if event is not None:
            self.zoom(ZOOM_STEP ** (event.angleDelta().y() / _WHEEL_STEP), event.position())
            event.accept()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Begin a click or a drag."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if not self._line.press(event.position(), self._geometry):
            self._pressed, self._panned = event.position(), False

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Pan once the movement is too long for a click, or move the line of a comparison."""
        if event is None or self._pressed is None:
            if event is not None and self._line.move(event.position(), self._geometry, self):
                self.update()
            return
        moved = event.position() - self._pressed
        if self._panned or moved.manhattanLength() >= QApplication.startDragDistance():
            self._panned = True
            self._pressed = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self._look(self._geometry.panned(moved.x(), moved.y()))

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Select the instance under a click."""
        self._line.release()
        if event is None or self._pressed is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self._pressed = None
        self.unsetCursor()
        if self._panned or not self.has_picture or self._covered:
            return
        point = self._geometry.to_frame(event.position().x(), event.position().y())
        if point is None:
            self._controller.deselect()
        else:
            self._controller.select_at(*point)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Ask to enter or leave the full screen."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.full_screen_requested.emit()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Pan with Shift and an arrow key; leave other keys to the window."""
        if event is None:
            return
        step = _ARROWS.get(Qt.Key(event.key()))
        if step is not None and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._look(self._geometry.panned(*step))
        else:
            super().keyPressEvent(event)
