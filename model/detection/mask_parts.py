"""Parts of assembled masks (prototypes, coefficients and positions), to inspect a network."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.detection.masks import place_sums
from model.detection.postprocessing import Found
from model.detection.raw_outputs import RawOutputs


class MaskParts(NamedTuple):
    """Parts of one image's masks, `sigmoid(prototypes · coefficients + places)`, cropped.

    prototypes:   [Hp, Wp, K] float32, 0 or more
    coefficients: [N, K] float32, -1..1, a row for each of the image's detections in their order
    places:       [N, Hp, Wp] float32, what an anchor-free network adds by a pixel's place in the box; or None
    """

    prototypes: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    places: NDArray[np.float32] | None


def mask_parts(found: Found, raw: RawOutputs) -> list[MaskParts]:
    """Return what the masks of each image were made of (paper, section 3.1), copied to the host.

    found: by `add_masks` with `keep_coefficients`, of these outputs

    Raises ValueError without coefficients.
    """
    if raw.prototypes is None or found.coefficients is None:
        raise ValueError("no coefficients are left; call add_masks with keep_coefficients, and with masks")
    # an engine writes its next outputs over these
    prototypes = raw.prototypes.detach().to("cpu", copy=True)
    height, width, count = prototypes.shape[1:]
    parts = []
    for one, rows, boxes, valid in zip(
        prototypes, found.coefficients.cpu(), found.boxes.cpu(), found.valid.cpu(), strict=True
    ):
        learned, terms = rows[valid, :count], rows[valid, count:]
        places = place_sums(terms, boxes[valid], (height, width)).numpy() if terms.shape[1] else None
        parts.append(MaskParts(one.numpy(), learned.numpy(), places))
    return parts
