"""Self-training: a trained network predicts masks of objects that are labelled by their box only.

The network looks at a cut-out around each box, in which the object is large and in the middle: what it does
best. Of all its anchors those count that find the box that a person drew, and their mask becomes a label
only where its extent agrees with that box.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.config import YolactConfig
from model.detections import MaskCrop
from model.host.boxes import decode, decode_distances, pairwise_iou
from model.host.detection import in_frame
from model.host.masks import MaskPatch, assemble, resized, sigmoid
from model.host.outputs import Floats, ImageOutputs
from model.host.predictor import HostPredictor

Frame = NDArray[np.uint8]
Box = NDArray[np.float64]

CONTEXT = 1.3
"""The side of a cut-out, as a multiple of its box's longer side."""
SMALLEST_SIDE = 6.0
"""Pixels: the mask of an object that is thinner would be no more than its box."""
ANCHORS = 5
"""Number of anchors that are asked: the mean of some is steadier than the best alone."""
LEAST_FIT = 0.1
"""Of the best anchor: the IoU of its box with the labelled one, times the root of its score."""
MANY = 3
"""Of a box around so many others nobody can say whose mask is meant."""
INSIDE = 0.4
"""The probability from which a pixel counts; at 0.5 the masks of small objects come out thin."""


def masks_for_boxes(
    frame: Frame, boxes: Box, classes: Sequence[int], predictor: HostPredictor, agreement: float = 0.8
) -> list[MaskCrop | None]:
    """Return a mask inside each box; None for crowds, and where the network finds none that fits.

    frame:     [H, W, 3] uint8 BGR
    boxes:     [N, 4], x1 y1 x2 y2 in frame pixels, as they were labelled
    classes:   N indices into the predictor's class names
    agreement: the least IoU, 0..1, of a labelled box and the extent of the mask found in it
    """
    many = hold_many(boxes)
    return [
        None if many[i] else _mask_for(frame, boxes[i], classes[i], predictor, agreement)
        for i in range(len(boxes))
    ]


def hold_many(boxes: Box) -> NDArray[np.bool_]:
    """Return [N] bool, True for boxes that hold the centres of `MANY` others: most likely crowds."""
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2  # [N, 2]
    within = (middles > boxes[:, None, :2]) & (middles < boxes[:, None, 2:])  # [N, N, 2]
    return np.asarray(within.all(axis=2).sum(axis=1) > MANY)  # one middle is the box's own


def _mask_for(
    frame: Frame, box: Box, index: int, predictor: HostPredictor, agreement: float
) -> MaskCrop | None:
    if min(box[2:] - box[:2]) < SMALLEST_SIDE:
        return None
    x, y, cut = _cut_out(frame, box)
    within = box - (x, y, x, y)
    pixels = (_probability(cut, within, index, predictor) > INSIDE) & _inside(within, cut.shape[:2])
    mask = MaskCrop(x, y, pixels)
    return mask if mask.area and _iou(np.array(mask.tight().box, np.float64), box) >= agreement else None


def _cut_out(frame: Frame, box: Box) -> tuple[int, int, Frame]:
    """Return the top left corner in the frame and a contiguous copy of the pixels, square but at edges."""
    height, width = frame.shape[:2]
    x1, y1, x2, y2 = box
    half = CONTEXT * max(x2 - x1, y2 - y1) / 2
    left, right = _span((x1 + x2) / 2, half, width)
    top, bottom = _span((y1 + y2) / 2, half, height)
    return left, top, np.ascontiguousarray(frame[top:bottom, left:right])


def _span(middle: float, half: float, length: int) -> tuple[int, int]:
    """Return a range of whole pixels around `middle`, at least one and within 0..length."""
    start = min(max(int(np.floor(middle - half)), 0), length - 1)
    return start, max(min(int(np.ceil(middle + half)), length), start + 1)


def _probability(cut: Frame, box: Box, index: int, predictor: HostPredictor) -> NDArray[np.float32]:
    """Return each pixel's probability to be the object's, [h, w]; mean of picture and mirror image."""
    height, width = cut.shape[:2]
    mirrored_box = np.array([width - box[2], box[1], width - box[0], box[3]])
    both = predictor.engine.start(predictor.prepare([cut, np.ascontiguousarray(cut[:, ::-1])]))()
    wanted = (np.stack([box, mirrored_box]) / (width, height, width, height)).astype(np.float32)
    decoder = predictor.decoder
    straight, mirrored = (
        _of_anchors(*in_frame(outputs, decoder, (height, width)), one, decoder.config, index)
        for outputs, one in zip(both, wanted, strict=True)
    )
    mean = np.asarray((straight + mirrored[:, ::-1]) / 2, np.float32)
    whole = MaskPatch(mean, 0, 0, (0.0, 0.0, float(mean.shape[1]), float(mean.shape[0])))
    return resized(whole, (mean.shape[0], mean.shape[1]), (height, width))[2]


def _of_anchors(
    outputs: ImageOutputs, anchors: Floats, box: Floats, config: YolactConfig, index: int
) -> Floats:
    """Return the mask [Hp, Wp] that the anchors which find this box make together, empty when none does.

    outputs, anchors: as `in_frame` returns them; box: [4] x1 y1 x2 y2, relative
    """
    assert outputs.prototypes is not None
    logits = outputs.class_logits
    if config.anchor_free is not None:
        found, score = decode_distances(outputs.box_deltas, anchors), sigmoid(logits[:, index])
    else:
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        found, score = decode(outputs.box_deltas, anchors), powers[:, index + 1] / powers.sum(axis=1)
    fit = pairwise_iou(found, box[None])[:, 0] * np.sqrt(score)
    best = np.argsort(-fit, kind="stable")[:ANCHORS]
    if fit[best[0]] < LEAST_FIT:
        return np.zeros(outputs.prototypes.shape[:2], np.float32)
    share = fit[best] ** 4 / (fit[best] ** 4).sum()
    coefficients = (outputs.mask_coefficients[best] * share[:, None]).sum(axis=0)
    return sigmoid(assemble(outputs.prototypes, coefficients[None], box[None])[0])


def _inside(box: Box, size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return [h, w], the whole pixels that the box touches."""
    inside = np.zeros(size, bool)
    x1, y1 = np.floor(box[:2]).astype(int).clip(min=0)
    x2, y2 = np.ceil(box[2:]).astype(int)
    inside[y1:y2, x1:x2] = True
    return inside


def _iou(a: Box, b: Box) -> float:
    shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    union = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared
    return float(shared / union)
