"""Icons of playback and panels, painted in the colour of text, visible in light and dark windows."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, Qt
from PyQt6.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap, QPolygonF

_SIDE = 64  # pixels; the coordinates of shapes are fractions of it

Shape = tuple[tuple[float, float], ...]

_RIGHT: Shape = ((0.25, 0.15), (0.85, 0.5), (0.25, 0.85))
_BAR_LEFT: Shape = ((0.2, 0.15), (0.4, 0.15), (0.4, 0.85), (0.2, 0.85))
_BAR_RIGHT: Shape = ((0.6, 0.15), (0.8, 0.15), (0.8, 0.85), (0.6, 0.85))
_INNER: Shape = (
    (0.22, 0.47),
    (0.22, 0.78),
    (0.53, 0.78),
    (0.53, 0.47),
    (0.22, 0.47),
)  # a hole in the outer shape

SHAPES: dict[str, tuple[Shape, ...]] = {
    "play": (_RIGHT,),
    "pause": (_BAR_LEFT, _BAR_RIGHT),
    "on": (((0.35, 0.2), (0.8, 0.5), (0.35, 0.8)), ((0.15, 0.2), (0.25, 0.2), (0.25, 0.8), (0.15, 0.8))),
    "float": (
        ((0.1, 0.35), (0.65, 0.35), (0.65, 0.9), (0.1, 0.9), (0.1, 0.35), *_INNER),
        ((0.35, 0.1), (0.9, 0.1), (0.9, 0.65), (0.75, 0.65), (0.75, 0.25), (0.35, 0.25)),
    ),
    "close": (
        ((0.12, 0.22), (0.22, 0.12), (0.88, 0.78), (0.78, 0.88)),
        ((0.78, 0.12), (0.88, 0.22), (0.22, 0.88), (0.12, 0.78)),
    ),
    "back": (((0.65, 0.2), (0.2, 0.5), (0.65, 0.8)), ((0.85, 0.2), (0.75, 0.2), (0.75, 0.8), (0.85, 0.8))),
}


def icon(name: str, palette: QPalette) -> QIcon:
    """Return the icon of a name, a key of `SHAPES`, in the palette's colours."""
    made = QIcon()
    groups = {
        QIcon.Mode.Normal: QPalette.ColorGroup.Active,
        QIcon.Mode.Disabled: QPalette.ColorGroup.Disabled,
    }
    for mode, group in groups.items():
        made.addPixmap(_paint(name, palette.color(group, QPalette.ColorRole.ButtonText)), mode)
    return made


def _paint(name: str, colour: QColor) -> QPixmap:
    pixmap = QPixmap(_SIDE, _SIDE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    for shape in SHAPES[name]:
        painter.drawPolygon(QPolygonF([QPointF(x * _SIDE, y * _SIDE) for x, y in shape]))
    painter.end()
    return pixmap
