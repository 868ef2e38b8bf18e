"""What somebody who watches may choose, as frozen records without torch or OpenCV."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

Colour = tuple[int, int, int]
Background = Literal["kept", "blurred", "colour", "picture"]
BACKGROUNDS: tuple[Background, ...] = ("kept", "blurred", "colour", "picture")

_OF_THE_NETWORK = ("weights", "engine", "device", "precision", "image_size")


@dataclass(frozen=True)
class DetectionSettings:
    """How instances are found; the fields are arguments of `model.predictor.load_predictor`.

    classes: names to look for, None for all that the weights know
    """

    weights: str | None = None
    engine: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    image_size: int | None = None
    score_threshold: float = 0.3
    max_detections: int = 100
    nms: str = "fast"
    classes: tuple[str, ...] | None = None

    def needs_reload(self, before: DetectionSettings) -> bool:
        """Whether another network has to be loaded; everything else applies to the next frame."""
        return any(getattr(self, name) != getattr(before, name) for name in _OF_THE_NETWORK)

    def with_network_of(self, other: DetectionSettings) -> DetectionSettings:
        """These settings, with the network of the other ones."""
        return replace(self, **{name: getattr(other, name) for name in _OF_THE_NETWORK})


@dataclass(frozen=True)
class DisplaySettings:
    """What is shown of a result.

    opacity:            of the masks' colour, 0..1
    background:         what becomes of the pixels outside all masks
    background_colour:  BGR, for "colour"
    background_picture: an image file, for "picture"; the background is kept where it cannot be read
    privacy:            people are made unrecognisable, see `pipeline.live.privacy`
    """

    masks: bool = True
    outlines: bool = True
    boxes: bool = True
    labels: bool = True
    show_fps: bool = False
    opacity: float = 0.45
    colour_by: Literal["instance", "class"] = "instance"
    background: Background = "kept"
    background_colour: Colour = (0, 160, 0)
    background_picture: Path | None = None
    privacy: bool = False
