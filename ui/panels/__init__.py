"""The table of panels. A panel's module is loaded when the panel is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class PanelSpec:
    """Description of one panel.

    title:    text of its tab and menu entry
    target:   "module:Class"; the class is called with the controller and a parent widget
    area:     default area; panels in the same area are tabs
    shown:    visible by default
    shortcut: key that shows or hides it
    tip:      tooltip
    """

    title: str
    target: str
    area: Literal["right", "bottom"]
    shown: bool
    shortcut: str
    tip: str


PANELS: dict[str, PanelSpec] = {
    "source": PanelSpec(
        "Source", "ui.panels.source:SourcePanel", "right", True, "Ctrl+1", "Cameras, files and addresses"
    ),
    "detection": PanelSpec(
        "Detection", "ui.panels.detection:DetectionPanel", "right", True, "Ctrl+2",
        "The network, and what counts as a detection",
    ),
    "display": PanelSpec(
        "Display", "ui.panels.display:DisplayPanel", "right", True, "Ctrl+3",
        "What is drawn, the background, and privacy",
    ),
    "instance": PanelSpec(
        "Instance", "ui.panels.instance:InstancePanel", "right", True, "Ctrl+4",
        "All instances found, and the selected one",
    ),
    "compare": PanelSpec(
        "Compare", "ui.panels.compare:ComparePanel", "right", False, "Ctrl+6",
        "Two settings or networks on the same picture, and how stable their masks are",
    ),
    "performance": PanelSpec(
        "Performance", "ui.panels.performance:PerformancePanel", "bottom", False, "Ctrl+5",
        "Frame rates, time by stage, queues and drops",
    ),
    "prototypes": PanelSpec(
        "Prototypes", "ui.panels.prototypes:PrototypesPanel", "bottom", False, "T",
        "The prototypes of this frame, and how they add up to a mask",
    ),
    "proposals": PanelSpec(
        "Proposals", "ui.panels.proposals:ProposalsPanel", "bottom", False, "Ctrl+7",
        "Scores, coarse and refined masks of a network that proposes objects",
    ),
}  # fmt: skip
