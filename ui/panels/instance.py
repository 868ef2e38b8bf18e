"""The panel of the selected instance and of all instances in the picture."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtWidgets import QGroupBox, QListWidgetItem, QPushButton, QWidget

from model.detections import Detections
from pipeline.frame import Result
from ui.control.controller import Controller
from ui.panels.polled import PolledPanel
from ui.panels.sections import Sections
from ui.panels.widgets import CompactList, WrappedLabel

NOTHING_SHOWN = "Nothing is shown yet. Open a source first."
NOT_LOOKED = "This picture has not been analysed yet."
NOTHING_FOUND = "No instance is found in this picture."
HINT = "Click an instance in the picture, or choose one below."


def area_text(detections: Detections, i: int) -> str:
    """Return the area of a detection's mask as text."""
    if detections.crops is None:
        return "no mask"
    height, width = detections.image_size
    area = detections.crops[i].area
    thousands = f"{area:,}".replace(",", "\u202f")
    return f"{thousands} pixels, {area / (height * width):.1%} of the frame"


def box_text(detections: Detections, i: int) -> str:
    """Return the size and position of a detection's box as text, in pixels of the frame."""
    x1, y1, x2, y2 = (round(float(value)) for value in detections.boxes[i])
    return f"{x2 - x1} × {y2 - y1} pixels at {x1}, {y1}"


# facts about the selected instance: label, and a function that returns the text
FACTS: tuple[tuple[str, Callable[[Detections, int], str]], ...] = (
    ("Class", lambda detections, i: detections.names[i]),
    ("Score", lambda detections, i: f"{detections.scores[i]:.2f}"),
    ("Area", area_text),
    ("Box", box_text),
)


def track_text(detections: Detections, i: int, seconds_of: Callable[[int], float | None]) -> str:
    """Return the track of a detection and its age. seconds_of: returns the age of a track."""
    if detections.track_ids is None or detections.track_ids[i] < 0:
        return "of no track"
    track = int(detections.track_ids[i])
    seconds = seconds_of(track)
    return f"track {track}" if seconds is None else f"track {track}, here for {seconds:.1f} s"


def row_text(result: Result, i: int) -> str:
    """Return a detection as one line."""
    detections = result.detections
    chosen = " (selected)" if i == result.selected else ""
    ids = detections.track_ids
    track = f", track {ids[i]}" if ids is not None and ids[i] >= 0 else ""
    return f"{i + 1}. {detections.names[i]} {detections.scores[i]:.2f}{track}{chosen}"


class InstancePanel(PolledPanel):
    """Show the detections of the result that the view shows, while the panel is visible."""

    interval = 150

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(controller, parent)
        self.due.connect(self.refresh)
        self._shown: Result | None = None
        self._hint = WrappedLabel(NOTHING_SHOWN, "Selection")
        self._facts = [WrappedLabel("–", name=label) for label, _ in FACTS]
        self._track = WrappedLabel("–", name="Track")
        self._deselect = QPushButton("Select nothing")
        self._list = CompactList("Instances in the picture; Enter selects one")
        self._all = self._arrange()
        self._deselect.clicked.connect(controller.deselect)
        self._list.itemActivated.connect(self._select)
        self._list.itemClicked.connect(self._select)
        self._show(None)

    def refresh(self) -> None:
        """Show the current result."""
        result = self.controller.result
        if result is not self._shown:
            self._show(result)

    def _arrange(self) -> QGroupBox:
        sections = Sections()
        facts = zip((label for label, _ in FACTS), self._facts, strict=True)
        sections.add_section("Selected instance", self._hint, *facts, ("Track", self._track), self._deselect)
        self.put(sections)
        return sections.add_section("In the picture", self._list, stretch=1)

    def _show(self, result: Result | None) -> None:
        self._shown = result
        self._show_selected(result)
        count = 0 if result is None else len(result.detections)
        self._all.setTitle(f"In the picture: {count}" if result is not None else "In the picture")
        while self._list.count() > count:
            self._list.takeItem(self._list.count() - 1)
        for i in range(count):
            assert result is not None
            self._show_row(i, row_text(result, i), i == result.selected)

    def _show_row(self, i: int, text: str, selected: bool) -> None:
        # rows are changed in place to keep the current row of the keyboard
        item = self._list.item(i)
        if item is None:
            item = QListWidgetItem()
            self._list.addItem(item)
        if item.text() != text:
            item.setText(text)
            font = item.font()
            font.setBold(selected)
            item.setFont(font)

    def _show_selected(self, result: Result | None) -> None:
        i = None if result is None else result.selected
        for words, (_, told) in zip(self._facts, FACTS, strict=True):
            words.show_text("–" if result is None or i is None else told(result.detections, i))
        seconds_of = self.controller.session.seconds_of
        track = "–" if result is None or i is None else track_text(result.detections, i, seconds_of)
        self._track.show_text(track)
        self._deselect.setEnabled(i is not None)
        self._hint.show_text(_hint(result))

    def _select(self, item: QListWidgetItem) -> None:
        row = self._list.row(item)
        result = self._shown
        if result is not None and 0 <= row < len(result.detections):
            self.controller.select(result, row)


def _hint(result: Result | None) -> str:
    if result is None:
        return NOTHING_SHOWN
    if not result.detections.class_names:
        return NOT_LOOKED
    if not len(result.detections):
        return NOTHING_FOUND
    return HINT if result.selected is None else ""
