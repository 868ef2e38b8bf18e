"""Compare the detections of two models on the same images.

The detections that a user sees are compared: those that score more than their class's threshold. They are
paired, so that their order does not matter. Partners are looked for down to half the threshold, so that a
detection that rounding moves across the threshold still has one; `Agreement.shown` counts these cases.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import box_iou

from model.config import DEFAULT_THRESHOLD
from model.detections import Detections, MaskCrop, mask_iou
from model.errors import ConfigError

PARTNER_IOU = 0.5
"""Minimum IoU of the boxes of a pair."""


@dataclass(frozen=True)
class ImageComparison:
    """Comparison of one image.

    expected, found: detections of the reference, and of the other model, above their thresholds
    lost, invented:  number of them without a partner
    shown_by_both:   pairs whose two scores exceed the threshold
    box_errors:      of each pair, largest distance of two sides in pixels of the network's input
    relative_errors: the same as a share of the box's longer side
    mask_ious:       of each pair, at the image's own size; None in boxes-only mode
    score_changes:   of each pair, other minus reference, in -1..1
    """

    expected: int
    found: int
    lost: int
    invented: int
    shown_by_both: int
    box_errors: tuple[float, ...]
    relative_errors: tuple[float, ...]
    mask_ious: tuple[float, ...] | None
    score_changes: tuple[float, ...]


@dataclass(frozen=True)
class Agreement:
    """Figures of all images together; None without a pair, and for masks in boxes-only mode.

    matched:    share of the detections of both models with a partner, 0..1
    shown:      the same with a partner that exceeds its threshold too
    box error:  pixels of the network's input, and as a share of the box's longer side
    mask_iou:   mean and minimum over images of the mean of their pairs
    score_error_mean, score_shift: mean of the absolute changes, and of the changes, which differs from 0
                when scores rise or fall on the whole
    losses:     reference minus other, in 0..1, when there are labels
    """

    images: int
    detections: int
    lost: int
    invented: int
    matched: float | None
    shown: float | None
    box_error_mean: float | None
    box_error_worst: float | None
    relative_error_mean: float | None
    relative_error_worst: float | None
    mask_iou_mean: float | None
    mask_iou_worst: float | None
    score_error_mean: float | None
    score_shift: float | None
    box_ap_loss: float | None = None
    mask_ap_loss: float | None = None


@dataclass(frozen=True)
class Tolerance:
    """Limits of an `Agreement` within which two models count as the same."""

    matched: float
    shown: float
    relative_error_mean: float
    mask_iou_mean: float
    mask_iou_worst: float
    score_error_mean: float
    score_shift: float
    ap_loss: float

    def changed(self, values: Mapping[str, float]) -> Tolerance:
        """Return a copy with other limits. Raises ConfigError on an unknown name."""
        known = [field.name for field in dataclasses.fields(self)]
        for name in values:
            if name not in known:
                raise ConfigError(f"no tolerance is named {name!r}; there are {', '.join(known)}")
        return dataclasses.replace(self, **values)

    def faults(self, agreement: Agreement) -> list[str]:
        """Return the figures out of tolerance, one line each; no detection at all is one."""
        if not agreement.detections:
            return ["nothing was detected in any image, which proves nothing; choose images with objects"]
        a = agreement
        shift = None if a.score_shift is None else abs(a.score_shift)
        checks = (
            ("matched detections", a.matched, self.matched, "at least"),
            ("shown by both", a.shown, self.shown, "at least"),
            ("mean box error, of its side", a.relative_error_mean, self.relative_error_mean, "at most"),
            ("mask IoU, mean of images", a.mask_iou_mean, self.mask_iou_mean, "at least"),
            ("mask IoU, worst image", a.mask_iou_worst, self.mask_iou_worst, "at least"),
            ("mean score error", a.score_error_mean, self.score_error_mean, "at most"),
            ("mean shift of scores", shift, self.score_shift, "at most"),
            ("loss of box AP", a.box_ap_loss, self.ap_loss, "at most"),
            ("loss of mask AP", a.mask_ap_loss, self.ap_loss, "at most"),
        )
        return [
            f"{name}: {value:.4g}, expected {relation} {limit:g}"
            for name, value, limit, relation in checks
            # `not` so that a nan is a fault
            if value is not None and not (value >= limit if relation == "at least" else value <= limit)
        ]


TOLERANCES: dict[str, Tolerance] = {
    "fp32": Tolerance(
        matched=0.99,
        shown=0.98,
        relative_error_mean=0.0001,
        mask_iou_mean=0.999,
        mask_iou_worst=0.98,
        score_error_mean=0.0001,
        score_shift=0.0001,
        ap_loss=0.001,
    ),
    "int8": Tolerance(
        matched=0.9,
        shown=0.85,
        relative_error_mean=0.02,
        mask_iou_mean=0.95,
        mask_iou_worst=0.5,
        # a softmax is mostly saturated, where errors vanish; a calibrated sigmoid seldom is
        score_error_mean=0.03,
        score_shift=0.01,
        ap_loss=0.01,
    ),
}
"""Default tolerance of an exported model of each precision against PyTorch in float32."""


def compare(
    reference: Detections,
    other: Detections,
    image_size: int,
    keeps_aspect_ratio: bool = False,
    thresholds: Sequence[float] = (),
) -> ImageComparison:
    """Compare the detections of one image by two models.

    image_size: side of the network's input in pixels, the longer one where it keeps the aspect ratio
    thresholds: the score that a detection of each class must exceed; empty stands for the default

    Detections that score less than half of the threshold are ignored.
    """
    limits = np.array(thresholds or [DEFAULT_THRESHOLD] * len(reference.class_names))
    pairs = _pairs(reference, other, limits)
    errors, relative = _box_errors(reference, other, pairs, image_size, keeps_aspect_ratio)
    masks = None
    if reference.crops is not None and other.crops is not None:
        masks = tuple(_agreement_of_masks(reference.crops[i], other.crops[j]) for i, j in pairs)
    expected, found = (d.scores > limits[d.classes] for d in (reference, other))
    return ImageComparison(
        expected=int(expected.sum()),
        found=int(found.sum()),
        lost=int(expected.sum() - sum(expected[i] for i, _ in pairs)),
        invented=int(found.sum() - sum(found[j] for _, j in pairs)),
        shown_by_both=sum(bool(expected[i] and found[j]) for i, j in pairs),
        box_errors=errors,
        relative_errors=relative,
        mask_ious=masks,
        score_changes=tuple(float(other.scores[j] - reference.scores[i]) for i, j in pairs),
    )


def summarise(images: Sequence[ImageComparison]) -> Agreement:
    """Summarise the comparisons of all images."""
    errors = list(chain.from_iterable(image.box_errors for image in images))
    relative = list(chain.from_iterable(image.relative_errors for image in images))
    scores = list(chain.from_iterable(image.score_changes for image in images))
    ious = [float(np.mean(image.mask_ious)) for image in images if image.mask_ious]
    total = sum(image.expected + image.found for image in images)
    lost, invented = sum(image.lost for image in images), sum(image.invented for image in images)
    both = sum(image.shown_by_both for image in images)
    return Agreement(
        images=len(images),
        detections=sum(image.expected for image in images),
        lost=lost,
        invented=invented,
        matched=1 - (lost + invented) / total if total else None,
        shown=2 * both / total if total else None,
        box_error_mean=_figure(np.mean, errors),
        box_error_worst=_figure(np.max, errors),
        relative_error_mean=_figure(np.mean, relative),
        relative_error_worst=_figure(np.max, relative),
        mask_iou_mean=_figure(np.mean, ious),
        mask_iou_worst=_figure(np.min, ious),
        score_error_mean=_figure(np.mean, np.abs(scores).tolist()),
        score_shift=_figure(np.mean, scores),
    )


def _figure(function: Any, values: Sequence[float]) -> float | None:
    return float(function(values)) if values else None


def _pairs(reference: Detections, other: Detections, limits: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return indices of partners of one class, nearest first; at least one of both exceeds the limit."""
    if not len(reference) or not len(other):
        return []
    # half a pixel larger, so that a box without area, cut off by the frame's edge, overlaps itself
    first, second = (
        torch.from_numpy(d.boxes + np.array([-0.5, -0.5, 0.5, 0.5], np.float32)) for d in (reference, other)
    )
    ious = box_iou(first, second).numpy()
    possible = (ious >= PARTNER_IOU) & (reference.classes[:, None] == other.classes)
    # partners are of one class, so one's limit is the other's
    limit = limits[reference.classes][:, None]
    possible &= np.minimum(reference.scores[:, None], other.scores) >= limit / 2
    possible &= np.maximum(reference.scores[:, None], other.scores) > limit
    rows, columns = np.nonzero(possible)
    pairs: dict[int, int] = {}
    for k in np.argsort(-ious[rows, columns], kind="stable"):
        i, j = int(rows[k]), int(columns[k])
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    return list(pairs.items())


def _box_errors(
    reference: Detections,
    other: Detections,
    pairs: Sequence[tuple[int, int]],
    image_size: int,
    keeps_aspect_ratio: bool,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    height, width = reference.image_size
    if keeps_aspect_ratio:
        height = width = max(height, width)
    scale = image_size / np.array([width, height, width, height])
    first = reference.boxes[[i for i, _ in pairs]].reshape(-1, 4) * scale
    second = other.boxes[[j for _, j in pairs]].reshape(-1, 4) * scale
    errors: NDArray[np.float64] = np.abs(first - second).max(axis=1, initial=0)
    longer = np.maximum(first[:, 2:] - first[:, :2], 1e-6).max(axis=1, initial=0)
    return tuple(errors.tolist()), tuple((errors / longer).tolist())


def _agreement_of_masks(first: MaskCrop, second: MaskCrop) -> float:
    """Return the IoU of two masks; 1 when both are empty."""
    return mask_iou(first, second) if first.area or second.area else 1.0
