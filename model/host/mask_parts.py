"""Parts of assembled masks (prototypes, coefficients and positions), to inspect a network."""

from __future__ import annotations

from typing import NamedTuple

from model.host.detection import HostFound
from model.host.masks import place_sums
from model.host.outputs import Floats, ImageOutputs


class MaskParts(NamedTuple):
    """Parts of one image's masks, `sigmoid(prototypes · coefficients + places)`, cropped.

    prototypes:   [Hp, Wp, K] float32, 0 or more
    coefficients: [N, K] float32, -1..1, a row for each of the image's detections in their order
    places:       [N, Hp, Wp] float32, what an anchor-free network adds by a pixel's place in the box; or None
    """

    prototypes: Floats
    coefficients: Floats
    places: Floats | None


def mask_parts(found: HostFound, outputs: ImageOutputs) -> MaskParts:
    """Return what the masks of an image were made of (paper, section 3.1), in memory of their own.

    found: by `add_masks`, of these outputs. Raises ValueError without masks.
    """
    if outputs.prototypes is None or found.coefficients is None:
        raise ValueError("no prototypes or coefficients are there; ask for masks")
    prototypes = outputs.prototypes.copy()  # an engine writes its next outputs over these
    height, width, count = prototypes.shape
    learned, terms = found.coefficients[:, :count], found.coefficients[:, count:]
    places = place_sums(terms, found.boxes, (height, width)) if terms.shape[1] else None
    return MaskParts(prototypes, learned, places)
