"""The grid of prototypes, as a list view that works with the keyboard and with screen readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PyQt6.QtCore import QAbstractListModel, QModelIndex, QObject, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QImage, QPainter, QPalette
from PyQt6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ui.panels.pictures import fitted, paint_smoothly, sign_colour

_TILE = Qt.ItemDataRole.UserRole
_WIDTH, _MARGIN = 84, 4
_FADED = 0.3


@dataclass(frozen=True, eq=False)
class Tile:
    """One prototype in the grid.

    number:      index of the prototype
    coefficient: that of the explained instance, -1..1; None without one
    added:       True if it is among those that are added up
    aspect:      width / height at which the image is shown
    """

    number: int
    image: QImage
    coefficient: float | None
    added: bool
    aspect: float

    @property
    def text(self) -> str:
        """The number, and the coefficient with its sign."""
        if self.coefficient is None:
            return f"{self.number}"
        return f"{self.number}: {self.coefficient:+.2f}".replace("-", "−")

    @property
    def spoken(self) -> str:
        """A description for screen readers."""
        if self.coefficient is None:
            return f"prototype {self.number}"
        does = "takes away" if self.coefficient < 0 else "adds"
        use = "" if self.added else ", not added yet"
        return f"prototype {self.number} {does} {abs(self.coefficient):.2f} times{use}"


class PrototypeGrid(QListView):
    """Show tiles in as many columns as fit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tiles = _Tiles(self)
        self.setModel(self._tiles)
        self.setItemDelegate(_Painter(self))
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setAccessibleName("Prototypes")

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The tiles that are shown."""
        return self._tiles.tiles

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the size of two columns and one and a half rows."""
        return QSize(2 * _WIDTH + 60, 110)

    def show_tiles(self, tiles: tuple[Tile, ...]) -> None:
        """Show these tiles; position and selection stay if their number is the same."""
        self._tiles.show(tiles)


class _Tiles(QAbstractListModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.tiles: tuple[Tile, ...] = ()

    def show(self, tiles: tuple[Tile, ...]) -> None:
        if len(tiles) != len(self.tiles):
            self.beginResetModel()
            self.tiles = tiles
            self.endResetModel()
        elif tiles:
            self.tiles = tiles
            self.dataChanged.emit(self.index(0), self.index(len(tiles) - 1))

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return len(self.tiles)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        tile = self.tiles[index.row()]
        told = {
            Qt.ItemDataRole.DisplayRole: tile.text,
            Qt.ItemDataRole.ToolTipRole: tile.spoken,
            Qt.ItemDataRole.AccessibleTextRole: tile.spoken,
            _TILE: tile,
        }
        return told.get(role)  # type: ignore[call-overload]


class _Painter(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802
        tile: Tile = index.data(_TILE)
        height = round(_WIDTH / tile.aspect) + option.fontMetrics.height()
        return QSize(_WIDTH + 2 * _MARGIN, height + 2 * _MARGIN)

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        assert painter is not None
        tile: Tile = index.data(_TILE)
        painter.save()
        background, ink = _ground(painter, option)
        room = QRectF(option.rect).adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        line = option.fontMetrics.height()
        painter.setOpacity(1.0 if tile.added else _FADED)
        paint_smoothly(painter, tile.image, fitted(room.adjusted(0, 0, 0, -line), tile.aspect))
        painter.setOpacity(1.0)
        painter.setPen(ink if tile.coefficient is None else sign_colour(tile.coefficient, background))
        painter.drawText(room, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom, tile.text)
        painter.restore()


def _ground(painter: QPainter, option: QStyleOptionViewItem) -> tuple[QColor, QColor]:
    """Paint the background of a tile; return its colour and that of plain text on it."""
    chosen = bool(option.state & QStyle.StateFlag.State_Selected)
    role = QPalette.ColorRole.Highlight if chosen else QPalette.ColorRole.Base
    background = option.palette.color(role)
    painter.fillRect(option.rect, background)
    ink = QPalette.ColorRole.HighlightedText if chosen else QPalette.ColorRole.Text
    return background, option.palette.color(ink)
