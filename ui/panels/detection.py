"""The panel of detection: weights, engine, thresholds and classes."""

from __future__ import annotations

from collections.abc import Iterable

from PyQt6.QtWidgets import QWidget

from model.engines import ENGINES, OPTIONS, PRECISIONS
from model.options import MOST_DETECTIONS, NMS_KINDS
from pipeline.live.events import Failed, Loaded, Loading
from pipeline.settings import DetectionSettings
from pipeline.tracking.options import MOST_KEYFRAMES
from ui.control.class_text import own_thresholds
from ui.control.controller import Controller
from ui.panels.classes import ClassList
from ui.panels.fallback import LOADING, Fallback
from ui.panels.fields import ChoiceField, Field, SliderField, ThrottledChanges, TickField, has_changed
from ui.panels.input_size import InputSize
from ui.panels.score import ScoreThreshold
from ui.panels.sections import Sections
from ui.panels.weights import WeightsPicker
from ui.panels.widgets import ProgressRow, WrappedLabel

AUTOMATIC = ("auto", "Automatic", "The fastest on this machine")
_DEVICE_NAMES = {"cpu": "CPU", "cuda": "GPU (CUDA)"}
_ENGINE_NAMES = {"torch": "PyTorch", "openvino": "OpenVINO"}
_NMS_TIPS = {
    "fast": "Within each class, by one matrix of overlaps (Fast NMS of the YOLACT paper)",
    "class-agnostic": "Over all classes together: one place holds one instance",
    "exact": "Within each class, one instance after the other",
    "soft": "Within each class, what overlaps a better instance scores less (Soft-NMS)",
}
_STABILISE = (
    ("off", "Off", "Every picture by itself"),
    ("light", "Light", "Steadier edges; masks follow motion at once"),
    ("strong", "Strong", "Even steadier; the masks of slow objects may lag a little"),
)
STABILISE_TEXT = (
    "Steadies the masks, and keeps an instance for a moment when its score drops. "
    "It is off while people are hidden."
)
NOT_LOADED = "No weights are loaded yet."

_Row = Field | InputSize | ScoreThreshold


class DetectionPanel(Sections):
    """Edit the settings of detection; every change applies to the running source."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._followed: DetectionSettings | None = None
        self._changes = ThrottledChanges(controller.set_detection, self)
        self._weights = WeightsPicker(controller)
        self._working = ProgressRow("Loading of weights")
        self._in_use = WrappedLabel(NOT_LOADED, "What is in use")
        self._classes = ClassList()
        self._size = InputSize()
        self._score = ScoreThreshold()
        self._fields: list[WeightsPicker | ClassList | _Row] = [self._weights]
        self.add_section("Weights", self._weights, self._working, self._in_use, Fallback(controller))
        self._add_fields("Thresholds", (("Score", self._score), *_thresholds()))
        stabilise = ChoiceField("stabilise", "Stabilise", _STABILISE)
        self._fields.append(stabilise)
        self.add_section("Stability", ("Stabilise", stabilise), WrappedLabel(STABILISE_TEXT))
        self._fields.append(self._classes)
        self.add_section("Classes", self._classes, stretch=1)
        self._add_fields("Computation", (*_computation(), ("Input size", self._size), *_key_frames()))
        self._connect()

    def _add_fields(self, title: str, rows: Iterable[tuple[str, _Row]]) -> None:
        rows = tuple(rows)
        self._fields.extend(field for _, field in rows)
        self.add_section(title, *rows)

    def _connect(self) -> None:
        for field in self._fields:
            field.edited.connect(self._changes.add)
        self._controller.detection_changed.connect(self._follow)
        bridge = self._controller.bridge
        bridge.loading.connect(self._on_loading)
        bridge.loaded.connect(self._on_loaded)
        bridge.failed.connect(self._on_failed)
        self._follow(self._controller.detection)
        if self._controller.loaded is not None:
            self._on_loaded(self._controller.loaded)
        if self._controller.loading is not None:
            self._on_loading(self._controller.loading)

    def _follow(self, detection: DetectionSettings) -> None:
        for field in self._fields:
            if has_changed(field.field, self._followed, detection) and not self._changes.holds(field.field):
                field.show_value(getattr(detection, field.field))
        self._followed = detection
        self._show_thresholds()

    def _show_thresholds(self) -> None:
        self._score.show_own(own_thresholds(self._controller.loaded, self._controller.detection.classes))

    def _on_loading(self, event: Loading) -> None:
        self._working.show_progress(f"Loading {event.what}…")
        if self._controller.loaded is None:
            self._in_use.show_text("")

    def _on_loaded(self, event: Loaded) -> None:
        self._working.end()
        self._in_use.show_text(loaded_text(event))
        self._size.own = event.image_size
        self._size.setEnabled(not event.proposes)
        self._classes.show_names(event.class_names, own_thresholds(event))
        self._show_thresholds()

    def _on_failed(self, event: Failed) -> None:
        if event.task == LOADING:
            self._working.end()
            if self._controller.loaded is None:
                self._in_use.show_text(NOT_LOADED)


def loaded_text(event: Loaded) -> str:
    """Return a description of the network in use."""
    if event.proposes:
        windows = f"windows of {event.image_size} px"
        return f"In use: {event.weights.name}, objects of any class, {windows}.\n{event.choice}"
    names = "1 class" if len(event.class_names) == 1 else f"{len(event.class_names)} classes"
    side = " on its longer side" if event.keeps_aspect_ratio else ""
    return f"In use: {event.weights.name}, {names}, input {event.image_size} px{side}.\n{event.choice}"


def _thresholds() -> tuple[tuple[str, Field], ...]:
    kinds = [(kind, kind.capitalize(), _NMS_TIPS.get(kind, "")) for kind in NMS_KINDS]
    return (
        (
            "Top-k",
            SliderField("max_detections", "Most detections (top-k)", 1, MOST_DETECTIONS, 1, "{:.0f}".format),
        ),
        ("NMS", ChoiceField("nms", "Kind of non-maximum suppression", kinds)),
    )


def _key_frames() -> tuple[tuple[str, Field], ...]:
    return (
        ("Key frames", SliderField("keyframes", "Key frames", 1, MOST_KEYFRAMES, 1, _key_frames_text)),
        (
            "Still pictures",
            TickField(
                "reuse_still", "Skip", "Keep the last result: less work for cameras that watch a place"
            ),
        ),
    )


def _key_frames_text(count: float) -> str:
    return "every frame" if count == 1 else f"one of {count:.0f} frames"


def _computation() -> tuple[tuple[str, Field], ...]:
    devices = dict.fromkeys(option.device for option in OPTIONS)
    engines = [(name, _ENGINE_NAMES.get(name, name), tip) for name, tip in ENGINES.items()]
    kinds = [(name, _DEVICE_NAMES.get(name, name), "") for name in devices]
    precisions = [(name, name, tip) for name, tip in PRECISIONS.items()]
    return (
        ("Engine", ChoiceField("engine", "Engine", (AUTOMATIC, *engines))),
        ("Device", ChoiceField("device", "Device", (AUTOMATIC, *kinds))),
        ("Precision", ChoiceField("precision", "Precision", (AUTOMATIC, *precisions))),
    )
