"""Fit of masks to the objects that their boxes found: IoU, and boundary IoU.

Boundary IoU (Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation", CVPR 2021)
is the IoU of two bands: the pixels of each mask that are not farther from its outline than 2 % of the
picture's diagonal. Detections and objects are paired by their boxes, so that runs with the same boxes and
other masks compare the same pairs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from model.evaluation.coco_eval import ClassMatch, CocoResults, objects_without_mask
from model.evaluation.scored_matches import evaluated

BAND = 0.02
"""Width of the band, relative to the diagonal of the picture."""


@dataclass(frozen=True)
class MatchedMasks:
    """Mean over the `count` pairs of a detection and the object of its class that its box matches.

    iou, boundary_iou: 0..1; None without a pair
    """

    count: int
    iou: float | None
    boundary_iou: float | None


def matched_masks(ground_truth: COCO, results: CocoResults, classes: ClassMatch) -> MatchedMasks | None:
    """Compare the masks of pairs whose boxes overlap by an IoU of 0.5; crowds are left out.

    None where detections or objects have no masks.
    """
    if results.masks is None or objects_without_mask(ground_truth, classes):
        return None
    evaluator = evaluated(ground_truth, results.boxes, "box", classes)
    pairs = []
    for found in filter(None, evaluator.evalImgs):
        single = zip(found["dtIds"], found["dtMatches"][0], found["dtIgnore"][0], strict=True)
        for detection, match, neutral in single:
            if match and not neutral:
                # results are numbered from 1 in their order
                said = coco_mask.decode(results.masks[detection - 1]["segmentation"]).astype(bool)
                truth = ground_truth.annToMask(ground_truth.anns[int(match)]).astype(bool)
                pairs.append((_iou(said, truth), boundary_iou(said, truth)))
    if not pairs:
        return MatchedMasks(0, None, None)
    iou, boundary = np.mean(pairs, axis=0).tolist()
    return MatchedMasks(len(pairs), iou, boundary)


def boundary_iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return the boundary IoU of two masks [H, W] of one picture; 1 when both are empty.

    The picture's edge counts as outline, as in the authors' code.
    """
    width = max(1, round(BAND * math.hypot(*a.shape)))
    return _iou(_band(a, width), _band(b, width))


def _band(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Return the pixels of a mask that `width` erosions by 3 x 3 remove."""
    framed = cv2.copyMakeBorder(mask.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inner = cv2.erode(framed, np.ones((3, 3), np.uint8), iterations=width)
    return mask & ~inner[1:-1, 1:-1].astype(bool)


def _iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0
