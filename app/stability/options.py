"""The flags of `stability` as one frozen record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.settings import DetectionSettings

HTML, JSON = "report.html", "report.json"
"""Names of the files of the report."""


@dataclass(frozen=True)
class StabilityOptions:
    """Options of `stability`.

    detection:     what all settings have in common; its weights and strength are those of none
    all_weights:   as they were named, None for the bundled ones
    all_strengths: strengths of stabilising
    worst:         pictures of so many of the worst frames of each run are shown
    masks:         folder of the known masks
    jitter:        seed of the shaken ground truth that is measured instead of a network; None for a network
    """

    inputs: list[str]
    output: Path
    detection: DetectionSettings
    all_weights: tuple[str | None, ...]
    all_strengths: tuple[str, ...]
    overwrite: bool = False
    max_frames: int | None = None
    quiet: bool = False
    worst: int = 4
    masks: Path | None = None
    jitter: int | None = None
