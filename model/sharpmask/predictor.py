"""DeepMask and SharpMask as a predictor of instances: every object is of the one class `object`."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import nms

from model.checkpoints.sharpmask import load_sharpmask
from model.detections import Detections, no_detections
from model.engines.choice import EngineChoice
from model.errors import ConfigError
from model.options import LoadOptions, class_indices
from model.sharpmask.config import SharpMaskConfig
from model.sharpmask.engines import ProposalEngines, torch_engines
from model.sharpmask.loading import load_engines
from model.sharpmask.network import SharpMask
from model.sharpmask.paste import MASK_PROBABILITY
from model.sharpmask.proposals import Proposals, propose
from model.sharpmask.pyramid import ZOOMS, check_scales

Frame = NDArray[np.uint8]

CLASS_NAMES = ("object",)
SHOWN = 20  # proposals that are shown by default, after NMS
DISPLAY_IOU = 0.5
_MOST = 100  # detections, of networks that know classes
# for display: scales that share the pyramid's range, coarser steps for large objects first (of four scales
# these had the best average recall on photographs), and windows that are given masks
DISPLAY_SCALES = (2.0**-2, 2.0**-1.25, 2.0**-0.5, 2.0**0.5)
DISPLAY_WINDOWS = 50


@dataclass(frozen=True)
class ProposalOptions:
    """Options of the step from proposals to detections.

    scales:          of the pyramid
    top_n:           windows of all scales together that are given masks
    refine:          False for SharpMask's coarse masks
    nms_iou:         of two boxes that overlap more, the better one stays; None keeps every proposal
    max_detections:  after NMS; None for all
    score_threshold: objectness that a proposal exceeds, 0..1
    probability:     of a pixel, from which it belongs to the mask
    """

    scales: tuple[float, ...] = DISPLAY_SCALES
    top_n: int = DISPLAY_WINDOWS
    refine: bool = True
    nms_iou: float | None = DISPLAY_IOU
    max_detections: int | None = SHOWN
    score_threshold: float = 0.0
    probability: float = MASK_PROBABILITY

    def __post_init__(self) -> None:
        check_scales(self.scales)
        if self.top_n < 1 or (self.max_detections is not None and self.max_detections < 1):
            raise ConfigError("at least one proposal should be asked for")
        for name in ("score_threshold", "probability", "nms_iou"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ConfigError(f"{name} should be 0 to 1, got {value}")


def measuring_options(zoom: int = 0, top_n: int = 1000, refine: bool = True) -> ProposalOptions:
    """Return the options of an evaluation: the published pyramid, no NMS, no limit but `top_n`.

    zoom: 0, 1 or 2 finer scales. Raises ConfigError on others.
    """
    if not 0 <= zoom < len(ZOOMS):
        raise ConfigError(f"zoom should be 0 to {len(ZOOMS) - 1}, got {zoom}")
    return ProposalOptions(ZOOMS[zoom], top_n, refine, nms_iou=None, max_detections=None)


class ProposalPredictor:
    """Turns BGR frames into proposals as detections. See `model.instance_predictor.InstancePredictor`."""

    with_masks = True

    def __init__(
        self,
        network: SharpMask | ProposalEngines,
        options: ProposalOptions | None = None,
        choice: EngineChoice | None = None,
        load_network: Callable[[], SharpMask] | None = None,
    ) -> None:
        """network: in evaluation mode, from now on the predictor's own; or engines that run it
        load_network: returns the network where engines run it, for `network`
        """
        self.engines = torch_engines(network) if isinstance(network, SharpMask) else network
        self._load_network = (lambda: network) if isinstance(network, SharpMask) else load_network
        self.options = options or ProposalOptions()
        self.device = self.engines.device
        self.choice = choice

    @property
    def network(self) -> SharpMask:
        """The network in PyTorch, in evaluation mode, to look into; it may be read from its file for that.

        Raises ConfigError where the predictor has engines alone.
        """
        if self._load_network is None:
            raise ConfigError("this predictor has engines alone; make it with `load_proposal_predictor`")
        return self._load_network()

    @property
    def config(self) -> SharpMaskConfig:
        """The network's configuration."""
        return self.engines.config

    @property
    def class_names(self) -> tuple[str, ...]:
        """The one class: `object`."""
        return CLASS_NAMES

    @property
    def score_threshold(self) -> float:
        """Objectness that a proposal must exceed, 0..1."""
        return self.options.score_threshold

    def with_options(self, **changes: Any) -> ProposalPredictor:
        """Return a predictor on the same network with other options. Raises ConfigError on wrong values."""
        other = copy.copy(self)
        other.options = dataclasses.replace(self.options, **changes)
        return other

    @overload
    def __call__(self, frames: Frame) -> Detections: ...

    @overload
    def __call__(self, frames: Sequence[Frame]) -> list[Detections]: ...

    def __call__(self, frames: Frame | Sequence[Frame]) -> Detections | list[Detections]:
        """Return the proposals of one frame [H, W, 3] uint8 BGR, or of each of a list of frames."""
        if isinstance(frames, np.ndarray):
            return detections(self.propose(frames), self.options)
        return [detections(self.propose(frame), self.options) for frame in frames]

    def propose(self, frame: Frame) -> Proposals:
        """Return the proposals of a frame before NMS."""
        options = self.options
        return propose(
            self.engines, frame, options.scales, options.top_n, options.refine, options.probability
        )


def shown_rows(proposals: Proposals, options: ProposalOptions) -> NDArray[np.int64]:
    """Return the rows [D] of the proposals that become detections: non-empty masks, after NMS, best first."""
    kept = np.flatnonzero(
        (proposals.scores > options.score_threshold) & (proposals.boxes[:, 2] > proposals.boxes[:, 0])
    )
    if options.nms_iou is not None and len(kept):
        boxes = torch.from_numpy(proposals.boxes[kept]).float()
        kept = kept[nms(boxes, torch.from_numpy(proposals.scores[kept]), options.nms_iou).numpy()]
    return kept[: options.max_detections]


def detections(proposals: Proposals, options: ProposalOptions) -> Detections:
    """Return the proposals of `shown_rows` as detections of the class `object`."""
    kept = shown_rows(proposals, options)
    if not len(kept):
        return no_detections(proposals.shape, CLASS_NAMES)
    scores = proposals.scores[kept].astype(np.float32)
    return Detections(
        image_size=proposals.shape,
        boxes=proposals.boxes[kept].astype(np.float32),
        scores=scores,
        classes=np.zeros(len(kept), np.int64),
        class_names=CLASS_NAMES,
        crops=tuple(proposals.crops[n] for n in kept),
        box_scores=scores,
    )


def display_options(options: LoadOptions) -> ProposalOptions:
    """Return the options of display for the keywords of `load_predictor`.

    Limits of 100 detections, the default of other networks, stand for `SHOWN`. Raises ConfigError on settings
    that proposal networks do not know.
    """
    foreign = {
        "image_size": options.get("image_size") is not None,
        "nms": options.get("nms", "fast") not in ("fast", "exact"),
        "crop_masks": not options.get("crop_masks", True),
        "sharpen": options.get("sharpen") is not None,
    }
    if any(foreign.values()):
        named = ", ".join(name for name, given in foreign.items() if given)
        raise ConfigError(
            f"proposal networks take whole pictures and exact NMS of boxes; they know no {named}"
        )
    class_indices(options.get("classes"), CLASS_NAMES)
    most = options.get("max_detections", _MOST)
    return ProposalOptions(
        max_detections=SHOWN if most == _MOST else most,
        score_threshold=options.get("score_threshold") or 0.0,
    )


def load_proposal_predictor(
    path: Path,
    options: ProposalOptions | None = None,
    device: str = "auto",
    engine: str = "auto",
    precision: str = "auto",
) -> ProposalPredictor:
    """Return a predictor for a file of DeepMask's or SharpMask's weights in the project's own form.

    device, engine, precision: as for `load_predictor`. Raises CheckpointError on a file that cannot be used,
    ConfigError on what is not available.
    """
    engines, choice = load_engines(path, engine, device, precision)

    @cache
    def network() -> SharpMask:
        return load_sharpmask(path).requires_grad_(False).to(str(choice.device))

    return ProposalPredictor(engines, options, choice, network)
