"""What commands do with labelled images, whatever they do it for: read one, and tell what was left out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from model.evaluation.ground_truth import GroundTruth, ImagePlace


def read_labelled(place: ImagePlace) -> NDArray[np.uint8]:
    """The frame [H, W, 3] uint8 BGR of an image, as its labels see it. Raises SourceError when it cannot."""
    from model.errors import SourceError
    from pipeline.sources.images import read_image

    if place.fault:
        raise SourceError(f"{place.path}: {place.fault}")
    return read_image(place.path, place.upright)


def tell_left_out(labels: GroundTruth) -> None:
    """One line for each reason why something of the labels is not used."""
    for skipped in labels.skipped:
        print(f"{labels.file.name}: left out {skipped}", file=sys.stderr)
