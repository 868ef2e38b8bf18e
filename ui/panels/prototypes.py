"""The prototype panel: the prototypes of a frame, and how they add up to the mask of an instance.

A live version of figure 5 of the YOLACT paper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from pipeline.frame import Inspection, Result
from pipeline.live.assembly import ORDERS, Assembly, Explanation, add_up, explain, instance_of, overlap
from pipeline.live.events import Loaded
from ui.control.controller import Controller
from ui.panels.flow import Flow
from ui.panels.pictures import CaptionedImage, diverging, grey
from ui.panels.polled import InspectingPanel
from ui.panels.prototype_grid import PrototypeGrid, Tile

NO_FRAME = "Open a camera or a file to see the prototypes of its frames."
NO_PICTURE = "No picture is shown at the moment."
NO_PROTOTYPES = "No prototypes yet: they come with the first frame that goes through a network."
OTHER_NETWORK = "The network in use has no prototypes: the panel Proposals shows how it finds objects."
NO_INSTANCE = (
    "No instance is found in this frame, so only its prototypes are shown. Go to a frame with an instance to "
    "see how they add up to its mask."
)

Maps = NDArray[np.float32]


class PrototypesPanel(InspectingPanel):
    """Show the K prototypes with an instance's coefficients, and the steps from their sum to its mask."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(controller, _has_prototypes, parent)
        self.due.connect(self.refresh)
        self._shown: Result | None = None
        self.said = QLabel(NO_FRAME)
        self.said.setWordWrap(True)
        self.order = _choice("Order of the prototypes", ORDERS, self._again)
        self.scale = _choice("What the grid shows", SCALES, self._again)
        self.grid = PrototypeGrid()
        self.count = QSlider(Qt.Orientation.Horizontal)
        self.count.setRange(0, 0)
        self.count.setAccessibleName("Number of prototypes that are added up")
        self.count.valueChanged.connect(self._again)
        self.counted = QLabel()
        self.counted.setWordWrap(True)
        self.steps = {name: CaptionedImage(name) for name in STEPS}
        self._lay_out()

    def refresh(self) -> None:
        """Show the prototypes of the current result, unless they are shown already."""
        result = self.controller.result
        if result is not None and result is self._shown:
            return
        self._shown = result
        if result is not None and result.inspection is not None and result.inspection.prototypes.size:
            self._show_inspection(result, result.inspection)
        else:
            self._clear(())
            self.said.setText(self._why_nothing())

    def _again(self) -> None:
        """Show the same frame with other options."""
        self._shown = None
        self.refresh()

    def _show_inspection(self, result: Result, inspection: Inspection) -> None:
        self._set_most(inspection.prototypes.shape[2])
        instance = instance_of(result)
        self.said.setText(_told(result, instance))
        height, width = result.frame.size
        aspect = width / height * self.controller.pixel_aspect
        if instance is None:
            self._clear(_tiles(inspection, None, 0, "prototypes", aspect))
            return
        self._flow.show_second(True)
        chosen = explain(inspection, result.detections, instance, self.order.currentText())
        count = self.count.value()
        self.grid.show_tiles(_tiles(inspection, chosen, count, self.scale.currentText(), aspect))
        sums = add_up(inspection.prototypes, chosen, count)
        whole = add_up(inspection.prototypes, chosen, len(chosen.order))
        self.counted.setText(
            f"The first {count} of {len(chosen.order)} prototypes make a mask that overlaps the whole one by "
            f"{overlap(sums.mask, whole.mask):.2f} (IoU)."
        )
        for name, picture in self.steps.items():
            picture.show_image(STEPS[name](sums, whole), aspect)

    def _clear(self, tiles: tuple[Tile, ...]) -> None:
        self.grid.show_tiles(tiles)
        self._flow.show_second(False)  # nothing to add up
        self.counted.clear()
        for picture in self.steps.values():
            picture.show_image(None)

    def _why_nothing(self) -> str:
        if not self.fits(self.controller.loaded):
            return OTHER_NETWORK
        if self._shown is not None:
            return NO_PROTOTYPES
        return NO_FRAME if self.controller.opened is None else NO_PICTURE

    def _set_most(self, most: int) -> None:
        """Set the end of the slider; a handle at the end stays at the end."""
        if most != self.count.maximum():
            at_end = self.count.value() == self.count.maximum()
            self.count.blockSignals(True)
            self.count.setMaximum(most)
            self.count.setValue(most if at_end else min(self.count.value(), most))
            self.count.blockSignals(False)

    def _lay_out(self) -> None:
        choices = QHBoxLayout()
        for title, box in (("&Order:", self.order), ("&Show:", self.scale)):
            choices.addWidget(_label(title, box))
            choices.addWidget(box, 1)
        prototypes = QVBoxLayout()
        prototypes.addWidget(self.said)
        prototypes.addLayout(choices)
        prototypes.addWidget(self.grid, 1)
        first = QHBoxLayout()
        first.addWidget(_label("&First n:", self.count))
        first.addWidget(self.count, 1)
        pictures = QHBoxLayout()
        for picture in self.steps.values():
            pictures.addWidget(picture)
        part = QWidget()
        sums = QVBoxLayout(part)
        sums.setContentsMargins(0, 0, 0, 0)
        sums.addLayout(first)
        sums.addWidget(self.counted)
        sums.addLayout(pictures, 1)
        signs = QLabel("Orange (+) adds to the mask, blue (−) takes away from it.")
        signs.setWordWrap(True)
        sums.addWidget(signs)
        self._flow = Flow(prototypes, part, share=1)
        self.put(self._flow)


def _plain(prototypes: Maps, coefficients: NDArray[np.float32]) -> list[QImage]:
    """Return each prototype scaled by its own largest value, since their ranges differ by far."""
    return [grey(prototype, float(prototype.max())) for prototype in np.moveaxis(prototypes, 2, 0)]


def _contributions(prototypes: Maps, coefficients: NDArray[np.float32]) -> list[QImage]:
    """Return coefficient x prototype, all on one scale, so that they can be compared."""
    parts = prototypes * coefficients
    most = float(np.abs(parts).max())
    return [diverging(part, most) for part in np.moveaxis(parts, 2, 0)]


def _sum(some: Assembly, whole: Assembly) -> QImage:
    return diverging(some.sums, float(np.abs(whole.sums).max()))


# mode of the grid -> function of prototypes [Hp, Wp, K] and coefficients [K] that returns K images
SCALES: dict[str, Callable[[Maps, NDArray[np.float32]], list[QImage]]] = {
    "prototypes": _plain,
    "contributions": _contributions,
}
# step from prototypes to a mask -> function of the partial and the full sum that returns an image
STEPS: dict[str, Callable[[Assembly, Assembly], QImage]] = {
    "Sum": _sum,
    "Sigmoid": lambda some, whole: grey(some.probabilities, 1.0),
    "Cropped": lambda some, whole: grey(some.cropped, 1.0),
    "Mask": lambda some, whole: grey(some.mask.astype(np.float32), 1.0),
}


def _tiles(
    inspection: Inspection, chosen: Explanation | None, count: int, scale: str, aspect: float
) -> tuple[Tile, ...]:
    """Return tiles in the order of the explanation; the first `count` of them are added up."""
    prototypes = inspection.prototypes
    if chosen is None:
        images = _plain(prototypes, np.zeros(prototypes.shape[2], np.float32))
        return tuple(Tile(i, image, None, True, aspect) for i, image in enumerate(images))
    images = SCALES[scale](prototypes, chosen.coefficients)
    return tuple(
        Tile(int(number), images[number], float(chosen.coefficients[number]), place < count, aspect)
        for place, number in enumerate(chosen.order)
    )


def _told(result: Result, instance: int | None) -> str:
    """Return a text that names the instance whose mask is explained."""
    if instance is None:
        return NO_INSTANCE
    found = result.detections
    name = f"{found.names[instance]} {found.scores[instance]:.2f}"
    if result.selected is None:
        return f"No instance is selected: this is the best-scored one, {name}. Click another in the picture."
    return f"The mask of the selected instance, {name}."


def _choice(name: str, options: Mapping[str, object], changed: Callable[[], None]) -> QComboBox:
    box = QComboBox()
    box.addItems(options)
    box.setAccessibleName(name)
    box.currentIndexChanged.connect(changed)
    return box


def _label(text: str, widget: QWidget) -> QLabel:
    """Return a label whose underlined letter moves the focus to the widget."""
    label = QLabel(text)
    label.setBuddy(widget)
    return label


def _has_prototypes(loaded: Loaded | None) -> bool:
    """Return True for networks with prototypes, and as long as none is loaded."""
    return loaded is None or not loaded.proposes
