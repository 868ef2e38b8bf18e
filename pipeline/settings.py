"""Settings of detection, comparison and display, as frozen records without torch or OpenCV."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from model.checkpoints.catalog import DEFAULT_WEIGHTS
from model.options import MIN_MASK_REGION, LoadOptions
from pipeline.tracking.options import FollowOptions

Colour = tuple[int, int, int]
Background = Literal["kept", "blurred", "colour", "picture"]
BACKGROUNDS: tuple[Background, ...] = ("kept", "blurred", "colour", "picture")

_OF_FOLLOWING = ("stabilise", "keyframes", "reuse_still")
_OF_THE_NETWORK = ("weights", "engine", "device", "precision", "image_size", "sharpen")


@dataclass(frozen=True)
class DetectionSettings:
    """Settings of detection; all fields but the last three are arguments of `model.predictor.load_predictor`.

    score_threshold: what a detection scores more than, None for the weights' own of each class
    classes:   names to look for, None for all that the weights know; those that they lack are left out
    min_mask_region: share, 0..1, of the largest region of a mask that its others have at least
    sharpen:   proposal weights that refine masks, None for none
    stabilise: how masks are kept still, see `pipeline.tracking.options`; it rests while people are hidden
    keyframes, reuse_still: which frames the network looks at, see `FollowOptions`; at all while people are
    hidden
    """

    weights: str | None = None
    engine: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    image_size: int | None = None
    score_threshold: float | None = None
    max_detections: int = 100
    nms: str = "fast"
    classes: tuple[str, ...] | None = None
    min_mask_region: float = MIN_MASK_REGION
    sharpen: str | None = None
    stabilise: str = "off"
    keyframes: int = 1
    reuse_still: bool = False

    @property
    def follow_options(self) -> FollowOptions:
        """The options of following instances."""
        return FollowOptions(stabilise=self.stabilise, keyframes=self.keyframes, reuse_still=self.reuse_still)

    def as_followed(self, other: DetectionSettings) -> DetectionSettings:
        """Return these settings with what concerns no network taken from the other ones."""
        return replace(self, **{name: getattr(other, name) for name in _OF_FOLLOWING})

    def load_options(self) -> LoadOptions:
        """The keywords of `model.predictor.load_predictor` besides the weights."""
        return LoadOptions(
            device=self.device,
            engine=self.engine,
            precision=self.precision,
            image_size=self.image_size,
            score_threshold=self.score_threshold,
            max_detections=self.max_detections,
            nms=self.nms,
            classes=self.classes,
            min_mask_region=self.min_mask_region,
            sharpen=self.sharpen,
        )

    def needs_reload(self, before: DetectionSettings) -> bool:
        """Return True if another network has to be loaded; everything else applies to the next frame."""
        return any(getattr(self, name) != getattr(before, name) for name in _OF_THE_NETWORK)

    def with_network_of(self, other: DetectionSettings) -> DetectionSettings:
        """Return these settings with the network of the other ones."""
        return replace(self, **{name: getattr(other, name) for name in _OF_THE_NETWORK})


@dataclass(frozen=True)
class ProposalSettings:
    """Settings of networks that propose objects; others have no use for them.

    windows: number of windows, the best of all scales together, that are given masks; 1 or more
    nms_iou: of two proposals whose boxes overlap more, 0..1, the better one is shown; None shows both
    refine:  False for the coarse masks
    """

    windows: int = 50
    nms_iou: float | None = 0.5
    refine: bool = True


@dataclass(frozen=True)
class ComparisonSettings:
    """Another way to find instances, shown to the right of a line; a field that is None is as on the left.
    So the weights' own thresholds are compared with a common one by having them on the left.

    on:      whether there is a comparison at all
    weights: a name of the catalogue or a file
    """

    on: bool = False
    stabilise: str | None = "light"
    score_threshold: float | None = None
    nms: str | None = None
    image_size: int | None = None
    weights: str | None = None

    def right_of(self, left: DetectionSettings) -> DetectionSettings:
        """The settings of the right side. Other weights are looked at with all the classes that they know."""
        names = ("stabilise", "score_threshold", "nms", "image_size")
        changes = {name: value for name in names if (value := getattr(self, name)) is not None}
        right = replace(left, **changes)
        if self.weights is None or self.weights == (left.weights or DEFAULT_WEIGHTS):
            return right
        return replace(right, weights=self.weights, classes=None)


@dataclass(frozen=True)
class DisplaySettings:
    """Settings of the display of a result.

    opacity:            of the masks' colour, 0..1
    background:         what becomes of the pixels outside all masks
    background_colour:  BGR, for "colour"
    background_picture: an image file, for "picture"; the background is kept where it cannot be read
    privacy:            people are made unrecognisable, see `pipeline.live.privacy.filter`
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
