"""The proposals panel: what a proposal network scores, proposes and refines in a frame."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from PyQt6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from model.checkpoints.catalog import PROPOSALS
from pipeline.frame import Result
from pipeline.live.assembly import instance_of
from pipeline.live.events import Loaded
from pipeline.settings import ProposalSettings
from ui.control.controller import Controller
from ui.panels.fields import ChoiceField, SliderField, ThrottledChanges
from ui.panels.flow import Columns, Flow
from ui.panels.pictures import CaptionedImage
from ui.panels.polled import InspectingPanel
from ui.panels.proposal_pictures import FramePicture, growth_pictures
from ui.panels.widgets import WrappedLabel

if TYPE_CHECKING:
    from model.sharpmask.inspection import MaskGrowth, ProposalInspection, ScoreMap

_WEIGHTS = next(iter(PROPOSALS))  # those that come along
CHOOSE = f"Choose the weights {_WEIGHTS} in the panel Detection to see how objects of any class are proposed."
NO_FRAME = f"Open a camera or a file, with the weights {_WEIGHTS}, to see how objects are proposed."
NO_PICTURE = "No picture is shown at the moment."
PRIVATE = "Proposals are not shown while people are hidden."
NOTHING_YET = "No proposals yet: they come with the next frame."
NO_INSTANCE = "Nothing is proposed in this frame. Use more windows, or a lower score threshold."
GROWTH = "M1 to M5 are the mask encodings of the refinement: the first principal component of their channels."

MOST_WINDOWS = 200
OWN, NONE = "own", "none"  # scales whose scores are shown, besides those of the network
_SCALES = (
    (OWN, "Of the proposal", "The scale from which the proposal comes that is looked at"),
    (NONE, "None", "The frame without scores"),
)
REFINED, COARSE, BOTH = "refined", "coarse", "both"
_MASKS = (
    (REFINED, "Refined", "Masks that are refined by the picture's finer features"),
    (COARSE, "Coarse", "Masks as the code of a window gives them, here and in the picture"),
    (BOTH, "Side by side", "The coarse and the refined mask of each proposal"),
)
_STEPS = 8  # a window, its coarse mask, five encodings and the refined mask
_COLUMNS = 4
_FIELD = "Windows: Of the proposal ..."  # as wide as a field with its label


class ProposalsPanel(InspectingPanel):
    """Show scores over the frame, coarse and refined masks, and how the mask of one proposal grows."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(controller, _proposes, parent)
        self.due.connect(self.refresh)
        self._settings = ProposalSettings()
        self._shown: Result | None = None
        self._scales: list[tuple[float, str, str]] = []  # that are listed
        self.said = WrappedLabel(NO_FRAME, "Proposal")
        self.scale = ChoiceField("scale", "Scale whose scores are shown", _SCALES)
        self.masks = ChoiceField("masks", "Masks that are shown", _MASKS)
        self.windows = SliderField(
            "windows", "Number of windows that are given masks", 1, MOST_WINDOWS, 1, "{:.0f}".format
        )
        self.nms = SliderField(
            "nms_iou", "Overlap from which only the better one stays", 0.1, 1, 20, _nms_text
        )
        self.frames = {name: CaptionedImage(name) for name in ("Scores", "Coarse masks", "Refined masks")}
        self.steps = [CaptionedImage("") for _ in range(_STEPS)]
        self._changes = ThrottledChanges(self._put, self)
        self._lay_out()
        self._connect()

    def refresh(self) -> None:
        """Show the proposals of the current result, unless they are shown already."""
        result = self.controller.result
        self._options.setEnabled(self.fits(self.controller.loaded))
        if result is not None and result is self._shown:
            return
        self._shown = result
        if result is not None and result.proposals is not None:
            self._show_inspection(result, result.proposals)
        else:
            self._clear()
            self._shown = None  # the reason may change without another result
            self.said.show_text(self._why_nothing())

    def _again(self) -> None:
        """Show the same frame with other options."""
        self._shown = None
        self.refresh()

    def _show_inspection(self, result: Result, inspection: ProposalInspection) -> None:
        self._list_scales(inspection.maps)
        growth = _growth_of(result, inspection)
        self.said.show_text(_told(result, growth))
        self._show_frames(result, inspection, growth)
        steps = [] if growth is None else growth_pictures(result.frame.image, growth)
        for picture, (name, image) in zip(self.steps, steps, strict=False):
            picture.show_image(image, 1.0, name)
        self._steps.show_cells(range(len(steps)))
        self._flow.show_second(bool(steps))

    def _show_frames(self, result: Result, inspection: ProposalInspection, growth: MaskGrowth | None) -> None:
        frame = FramePicture(result.frame.image)
        height, width = result.frame.size
        aspect = width / height * self.controller.pixel_aspect
        place = None if growth is None else growth.place
        scores = self._map(inspection.maps, growth)
        images = {"Scores": frame.plain(place) if scores is None else frame.with_scores(scores, place)}
        for number, name in self._kinds(inspection):
            images[name] = frame.with_masks([one.masks[number] for one in inspection.growths], place)
        for name, image in images.items():
            self.frames[name].show_image(image, aspect)
        self._frames.show_cells([number for number, name in enumerate(self.frames) if name in images])

    def _kinds(self, inspection: ProposalInspection) -> list[tuple[int, str]]:
        """Return the index in `MaskGrowth.masks` and the name of each kind of masks that is shown."""
        refines = any(one.refined is not None for one in inspection.growths)
        wanted = self.masks.value if refines else COARSE
        kinds = ((COARSE, "Coarse masks"), (REFINED, "Refined masks"))
        return [(number, name) for number, (kind, name) in enumerate(kinds) if wanted in (kind, BOTH)]

    def _map(self, maps: tuple[ScoreMap, ...], growth: MaskGrowth | None) -> ScoreMap | None:
        """Return the scores of the chosen scale; None for none."""
        wanted = self.scale.value
        if wanted == OWN:
            wanted = growth.scale if growth is not None else maps[0].scale
        return next((one for one in maps if one.scale == wanted), None)

    def _list_scales(self, maps: tuple[ScoreMap, ...]) -> None:
        scales = [(one.scale, f"{one.scale:.2g}: windows of {one.window:.0f} px", "") for one in maps]
        if scales == self._scales:
            return
        self._scales = scales
        before = self.scale.value
        self.scale.clear()
        for row in (*_SCALES, *scales):
            self.scale.add_row(*row)
        self.scale.setCurrentIndex(max(0, self.scale.row_of(before)))

    def _clear(self) -> None:
        self._flow.show_second(False)
        self._frames.show_cells(())

    def _why_nothing(self) -> str:
        controller = self.controller
        if controller.loaded is not None and not controller.loaded.proposes:
            return CHOOSE
        if controller.opened is None:
            return NO_FRAME
        if controller.display.privacy:
            return PRIVATE
        return NO_PICTURE if controller.result is None else NOTHING_YET

    def _put(self, **changes: Any) -> None:
        """Apply changes of `ProposalSettings`, here and in the picture."""
        settings = dataclasses.replace(self._settings, **changes)
        if settings != self._settings:
            self._settings = settings
            self.controller.session.propose(settings)

    def _choose_masks(self, field: str, kind: str) -> None:
        self._changes.add("refine", kind != COARSE)
        self._again()

    def _choose_overlap(self, field: str, iou: float) -> None:
        self._changes.add(field, None if iou >= 1 else iou)

    def _connect(self) -> None:
        self.windows.show_value(self._settings.windows)
        self.nms.show_value(self._settings.nms_iou or 1.0)
        self.scale.edited.connect(self._again)
        self.masks.edited.connect(self._choose_masks)
        self.windows.edited.connect(self._changes.add)
        self.nms.edited.connect(self._choose_overlap)

    def _lay_out(self) -> None:
        fields = (
            ("S&cores:", self.scale),
            ("&Masks:", self.masks),
            ("&Windows:", self.windows),
            ("&NMS:", self.nms),
        )
        self._options = Columns([_labelled(*row) for row in fields], self._width(_FIELD), 2)
        self._frames = Columns(list(self.frames.values()), self._width("Refined masks"), len(self.frames))
        self._steps = Columns(self.steps, self._width("Coarse: 56 px"), _COLUMNS)
        first = QVBoxLayout()
        first.addWidget(self.said)
        first.addWidget(self._options)
        first.addWidget(self._frames, 1)
        part = QWidget()
        second = QVBoxLayout(part)
        second.setContentsMargins(0, 0, 0, 0)
        second.addWidget(self._steps, 1)
        second.addWidget(WrappedLabel(GROWTH))
        self._flow = Flow(first, part, share=1)
        self.put(self._flow)
        self._clear()

    def _width(self, text: str) -> int:
        return self.fontMetrics().horizontalAdvance(text)


def _labelled(text: str, field: QWidget) -> QWidget:
    """Return a field with its label before it, as wide as the widest one."""
    cell, label = QWidget(), QLabel(text)
    label.setBuddy(field)
    label.setMinimumWidth(label.fontMetrics().horizontalAdvance("Windows: "))
    row = QHBoxLayout(cell)
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(label)
    row.addWidget(field, 1)
    return cell


def _growth_of(result: Result, inspection: ProposalInspection) -> MaskGrowth | None:
    """Return the growth of the selected detection, or of the best-scored one; None without detections."""
    row, crops = instance_of(result), result.detections.crops
    return None if row is None or crops is None else inspection.growth_of(crops[row])


def _told(result: Result, growth: MaskGrowth | None) -> str:
    """Return a text that names the proposal that is looked at."""
    if growth is None:
        return NO_INSTANCE
    x1, _, x2, _ = growth.place
    name = f"score {growth.score:.2f}, from a window of {x2 - x1:.0f} px (scale {growth.scale:.2g})"
    if result.selected is None:
        return f"No instance is selected: this is the best proposal, {name}. Click another in the picture."
    return f"The selected proposal: {name}."


def _nms_text(iou: float) -> str:
    return "off" if iou >= 1 else f"{iou:.2f}"


def _proposes(loaded: Loaded | None) -> bool:
    return loaded is not None and loaded.proposes
