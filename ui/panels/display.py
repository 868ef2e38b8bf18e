"""The panel of display: layers, colours, background and privacy."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFileDialog, QPushButton, QWidget

from pipeline.settings import BACKGROUNDS, DisplaySettings
from ui.control.controller import Controller
from ui.panels.fields import (
    ChoiceField,
    ColourField,
    Field,
    SliderField,
    ThrottledChanges,
    TickField,
    has_changed,
)
from ui.panels.sections import Sections
from ui.panels.widgets import WrappedLabel

# field, text, explanation
LAYERS = (
    ("masks", "Masks", "Fill every instance with its colour"),
    ("outlines", "Outlines", "Draw the edge of every mask"),
    ("boxes", "Boxes", "Draw the box around every instance"),
    ("labels", "Labels", "Write class and score beside every instance"),
    ("show_fps", "Frames a second", "Write the frame rate in the corner"),
)
COLOURS_BY = (
    ("instance", "Instance", "A colour for each instance"),
    ("class", "Class", "A colour for each class"),
)
# kind of background -> text, explanation
_BACKGROUND_TEXT = {
    "kept": ("As it is", "Leave what is around the instances as it is"),
    "blurred": ("Blurred", "Blur what is around the instances"),
    "colour": ("One colour", "Replace what is around the instances by a colour"),
    "picture": ("A picture", "Replace what is around the instances by a picture"),
}
PRIVACY_TEXT = (
    "People are pixelated here and in everything that is saved. "
    "A person who was never detected is not hidden."
)
JSON_TEXT = (
    "Detections as JSON lines",
    "Write what is found in every frame to a .jsonl file beside a recording",
)
NO_PICTURE = "No picture is chosen yet: the background stays as it is."


class DisplayPanel(Sections):
    """Edit the settings of display; every change is visible at once."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._followed: DisplaySettings | None = None
        self._changes = ThrottledChanges(controller.set_display, self)
        ticks = [TickField(*row) for row in LAYERS]
        self._opacity = SliderField("opacity", "Opacity of the masks", 0, 1, 100, "{:.0%}".format)
        self._colour_by = ChoiceField("colour_by", "Colours by", COLOURS_BY)
        rows = [(kind, *_BACKGROUND_TEXT[kind]) for kind in BACKGROUNDS]
        self._background = ChoiceField("background", "Background", rows)
        self._colour = ColourField("background_colour", "Colour of the background")
        self._picture = QPushButton("Choose a picture…")
        self._picture_text = WrappedLabel(name="Picture of the background")
        self._privacy = TickField("privacy", "Hide people", PRIVACY_TEXT)
        self._fields: list[Field] = [*ticks, self._opacity, self._colour_by]
        self._fields += [self._background, self._colour, self._privacy]
        self.add_section("Shown", *ticks)
        self.add_section("Colours", ("Opacity", self._opacity), ("Colours by", self._colour_by))
        self.add_section("Background", self._background, self._colour, self._picture, self._picture_text)
        self.add_section("Privacy", self._privacy, WrappedLabel(PRIVACY_TEXT))
        self._json = TickField("record_json", *JSON_TEXT)
        self._json.show_value(controller.settings.record_json)
        self.add_section("Recording", self._json)
        self.end_sections()
        self._connect()

    def _connect(self) -> None:
        for field in self._fields:
            field.edited.connect(self._changes.add)
        self._json.edited.connect(self._keep_json)
        self._picture.clicked.connect(self._choose_picture)
        self._controller.display_changed.connect(self._follow)
        self._follow(self._controller.display)

    def _follow(self, display: DisplaySettings) -> None:
        for field in self._fields:
            if has_changed(field.field, self._followed, display) and not self._changes.holds(field.field):
                field.show_value(getattr(display, field.field))
        self._followed = display
        self._colour.setVisible(display.background == "colour")
        self._picture.setVisible(display.background == "picture")
        self._opacity.setEnabled(display.masks)
        self._picture_text.show_text(_picture_text(display))

    def _choose_picture(self) -> None:
        """Open the dialog for a background picture. Returns at once."""
        before = self._controller.display.background_picture
        dialog = QFileDialog(
            self, "Picture for the background", str(before.parent if before else Path.home())
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setNameFilters(_picture_filters())
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self._use_picture)
        dialog.open()

    def _use_picture(self, path: str) -> None:
        self._controller.set_display(background_picture=Path(path))

    def _keep_json(self, field: str, on: bool) -> None:
        self._controller.remember(**{field: on})


def _picture_filters() -> list[str]:
    from pipeline.sources.images import IMAGE_SUFFIXES  # imports Pillow

    return [f"Pictures ({' '.join(f'*{suffix}' for suffix in sorted(IMAGE_SUFFIXES))})", "All files (*)"]


def _picture_text(display: DisplaySettings) -> str:
    if display.background != "picture":
        return ""
    return NO_PICTURE if display.background_picture is None else str(display.background_picture)
