"""The records that travel through the pipeline: a frame, and its result. Both are frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections

if TYPE_CHECKING:
    from model.sharpmask.inspection import ProposalInspection

Image = NDArray[np.uint8]


def _no_timings() -> Mapping[str, float]:
    return MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source.

    image:       [H, W, 3] uint8 BGR, upright (rotation metadata is applied already); never written to
    index:       counted by the source from 0, frames that were dropped later included
    pts:         presentation time stamp in units of `time_base`, as the source gives it
    time_base:   seconds a unit of `pts`, exact
    captured_at: when the source handed it out, in seconds of `time.monotonic()`
    name:        what this picture is called where each one has a name of its own (a folder of images), or ""
    duration:    how long it is shown, in seconds, where the source says so exactly; None elsewhere
    """

    image: Image
    index: int
    pts: int
    time_base: Fraction
    captured_at: float
    name: str = ""
    duration: Fraction | None = None

    @property
    def time(self) -> Fraction:
        """The presentation time in seconds, exact."""
        return self.pts * self.time_base

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.shape[0], self.image.shape[1]


@dataclass(frozen=True, eq=False)
class Inspection:
    """Parts of the masks of one frame: `sigmoid(prototypes · coefficients + places)`, then cropped.

    prototypes:   [Hp, Wp, K] float32, 0 or more
    coefficients: [N, K] float32, -1..1, a row for each detection
    places:       [N, Hp, Wp] float32, what is added by a pixel's place in the box; None where nothing is
    """

    prototypes: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    places: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class Result:
    """A frame with its detections, which were computed from this very frame.

    timings:    seconds of work by stage so far (`metrics.STAGES`), waiting left out
    annotated:  [H, W, 3] uint8 BGR, the frame with the detections drawn on it; None before the overlay
    inspection: of a network with prototypes, where it was asked for
    proposals:  the same of a network that proposes objects
    selected:   index of the selected detection; None without one
    other:      what was found in the same frame by other settings or another model, to be compared; None
                without a comparison
    """

    frame: Frame
    detections: Detections
    timings: Mapping[str, float] = field(default_factory=_no_timings)
    annotated: Image | None = None
    inspection: Inspection | None = None
    selected: int | None = None
    other: Detections | None = None
    proposals: ProposalInspection | None = None
