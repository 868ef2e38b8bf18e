"""Detection on the CPU, from raw outputs to detections: scores, boxes, NMS, masks, re-scoring, threshold.

It gives what `model.detection.postprocessing` gives for tensors, but for rounding, image by image and without
PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.anchors import make_cells
from model.config import YolactConfig
from model.detections import Detections, MaskCrop
from model.host.boxes import decode, decode_distances
from model.host.mask_windows import MaskWindow, at_frame_size
from model.host.masks import MaskPatch, assemble, crop_bounds, inside, patches, sigmoid
from model.host.nms import NMS, KeptRows, doubles
from model.host.outputs import Floats, HostDecoder, ImageOutputs, MaskIoU
from model.host.regions import without_small_regions
from model.input_shape import CONTENT_STEP, InputShape, input_shape
from model.options import DetectOptions

Windows: TypeAlias = Sequence[MaskWindow | None]

_ROUNDING = 1e-3  # far more than the softmax rounds


class HostFound(NamedTuple):
    """N detections of one image before masks are made of them, best first.

    boxes:        [N, 4] float32, x1 y1 x2 y2 relative to the image, not clipped
    scores:       [N] float32, re-scored where the network does
    box_scores:   [N] float32, the class probability
    classes:      [N] int64
    coefficients: [N, K] float32, or None in boxes-only mode
    track_ids:    [N] int64, -1 for none; None without tracking
    logits:       [N, Hp, Wp] float32, `model.host.masks.assemble` of these boxes and coefficients; None where
                  they were not needed yet
    """

    boxes: Floats
    scores: Floats
    box_scores: Floats
    classes: NDArray[np.int64]
    coefficients: Floats | None
    track_ids: NDArray[np.int64] | None = None
    logits: Floats | None = None

    def select(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> HostFound:
        """Return the detections of these rows, in their order."""
        return HostFound._make(part if part is None else part[rows] for part in self)

    def with_logits(self, prototypes: Floats) -> HostFound:
        """Return the same with logits of these prototypes [Hp, Wp, K], which must be those of the image."""
        if self.logits is not None or self.coefficients is None:
            return self
        return self._replace(logits=assemble(prototypes, self.coefficients, self.boxes))


def in_frame(
    outputs: ImageOutputs, decoder: HostDecoder, frame_size: tuple[int, int]
) -> tuple[ImageOutputs, Floats]:
    """Return the outputs of a letterboxed frame without the padding, and the cells or anchors for them.

    frame_size: (height, width) in pixels

    Where frames are stretched to a square the outputs are returned as they are.
    """
    if not decoder.config.keeps_aspect_ratio:
        return outputs, decoder.anchors
    shape = input_shape(decoder.config, frame_size)
    if outputs.prototypes is not None:
        rows, columns = (side // CONTENT_STEP for side in shape.content)
        outputs = outputs._replace(prototypes=outputs.prototypes[:rows, :columns])
    return outputs, _cells(shape)


@lru_cache(maxsize=16)
def _cells(shape: InputShape) -> Floats:
    return make_cells(shape)


def suppress(
    outputs: ImageOutputs, anchors: Floats, config: YolactConfig, options: DetectOptions
) -> HostFound:
    """Return the detections without masks, decoded, suppressed and over their thresholds.

    outputs, anchors: as `in_frame` returns them
    """
    least = _least_score(config, options)
    rows = _promising(outputs.class_logits, config, least)
    boxes, scores = _decoded(outputs, anchors[rows], rows, config)
    # a box that is not finite is invalid, and must not suppress others
    candidates = np.nan_to_num(boxes, nan=0.0, posinf=0.0, neginf=0.0)
    limits = replace(config.detection, confidence_threshold=least)
    if options.classes is None:
        kept = NMS[options.nms](candidates, scores, limits)
    else:
        chosen = np.array(sorted(set(options.classes)))
        kept = NMS[options.nms](candidates, scores[:, chosen], limits)
        kept = kept._replace(classes=chosen[kept.classes])
    picked = boxes[kept.anchors]
    valid = kept.scores > np.array(options.thresholds(config), np.float32)[kept.classes]
    valid &= np.isfinite(picked).all(axis=1)
    if config.detection.double_iou_threshold < 1:
        valid &= ~_doubles(candidates[kept.anchors], kept, config, options)
    coefficients = None if outputs.prototypes is None else outputs.mask_coefficients[rows[kept.anchors]]
    found = HostFound(picked, kept.scores, kept.scores, kept.classes, coefficients)
    # re-scoring changes the order, and the cut comes last
    re_scored = config.mask_iou and outputs.prototypes is not None
    return found.select(valid).select(slice(None if re_scored else options.max_detections))


def _decoded(
    outputs: ImageOutputs, anchors: Floats, rows: NDArray[np.int64], config: YolactConfig
) -> tuple[Floats, Floats]:
    """Return boxes [R, 4] and the scores [R, C] of each foreground class."""
    deltas, logits = outputs.box_deltas[rows], outputs.class_logits[rows]
    if config.anchor_free is None:
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return decode(deltas, anchors), (powers / powers.sum(axis=1, keepdims=True))[:, 1:]
    scores = sigmoid(logits)
    # cells in the padding belong to no frame, and must not suppress others
    scores[(anchors[:, :2] > 1).any(axis=1)] = 0
    return decode_distances(deltas, anchors), scores


def _promising(class_logits: Floats, config: YolactConfig, threshold: float) -> NDArray[np.int64]:
    """Return the rows, [R], that can change the result; see `model.detection.postprocessing`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        margin = float(np.log(np.float64(threshold)) - np.log1p(-np.float64(threshold))) - _ROUNDING
        if config.anchor_free is not None:
            ahead = class_logits > np.float32(margin)
        else:
            ahead = class_logits[:, 1:] - class_logits[:, :1] > np.float32(margin)
        return np.flatnonzero(ahead.any(axis=1))


def _least_score(config: YolactConfig, options: DetectOptions) -> float:
    """Return the score that a detection of any class must exceed to be shown."""
    thresholds = options.thresholds(config)
    wanted = thresholds if options.classes is None else [thresholds[c] for c in options.classes]
    return max(min(wanted), config.detection.confidence_threshold)


def _doubles(
    boxes: Floats, kept: KeptRows, config: YolactConfig, options: DetectOptions
) -> NDArray[np.bool_]:
    own = DetectOptions(threshold_scale=options.threshold_scale).thresholds(config)
    sure = kept.scores > np.array(own, np.float32)[kept.classes]
    return doubles(boxes, kept, sure, config.detection.double_iou_threshold)


def coarse_masks(found: HostFound, step: int) -> NDArray[np.bool_] | None:
    """Return every mask, cropped to its box, on the grid of every `step`-th prototype pixel: [N, h, w] bool.

    found: with logits; None without masks
    """
    if found.logits is None:
        return None
    thinned = found.logits[:, step // 2 :: step, step // 2 :: step]
    height, width = thinned.shape[1:]
    return (thinned > 0) & inside(crop_bounds(found.boxes, height, width), height, width)


def add_masks(
    found: HostFound, outputs: ImageOutputs, decoder: HostDecoder, options: DetectOptions
) -> HostFound:
    """Return what `suppress` found with the logits of its masks, re-scored where the network does.

    outputs: as `in_frame` returns them; its prototypes are read unless `found` has logits already

    Does nothing in boxes-only mode.
    """
    if outputs.prototypes is None:
        return found
    found = found.with_logits(outputs.prototypes)
    return found if decoder.mask_iou is None else _rescored(found, decoder.mask_iou, options.max_detections)


def to_detections(
    found: HostFound,
    config: YolactConfig,
    frame_size: tuple[int, int],
    options: DetectOptions,
    windows: Windows | None = None,
) -> Detections:
    """Return the detections with their masks, if `add_masks` made some, at the frame's size.

    frame_size: (height, width) in pixels
    windows:    for each detection, what sharpens its mask
    """
    height, width = frame_size
    limits = np.array([width, height, width, height], np.float32)
    boxes = np.clip(found.boxes * limits, 0, limits)
    return Detections(
        image_size=frame_size,
        boxes=boxes,
        scores=found.scores,
        classes=found.classes,
        class_names=config.class_names,
        crops=None if found.logits is None else _crops(found, boxes, frame_size, options, windows),
        box_scores=found.box_scores,
        track_ids=found.track_ids,
    )


def _cut(found: HostFound, options: DetectOptions) -> list[MaskPatch]:
    assert found.logits is not None
    height, width = found.logits.shape[1:]
    bounds = crop_bounds(found.boxes, height, width)
    if not options.crop_masks:
        bounds[:] = (0, 0, width, height)
    return patches(found.logits, bounds)


def _crops(
    found: HostFound,
    boxes: Floats,
    frame_size: tuple[int, int],
    options: DetectOptions,
    windows: Windows | None,
) -> tuple[MaskCrop, ...]:
    """Return the masks at the frame's size. boxes: [N, 4] in frame pixels."""
    assert found.logits is not None
    grid = (found.logits.shape[1], found.logits.shape[2])
    least = options.min_mask_region if options.crop_masks else 0.0
    crops, cut = [], _cut(found, options)
    for patch, box, window in zip(cut, boxes.tolist(), windows or [None] * len(cut), strict=True):
        whole = patch._replace(probabilities=without_small_regions(patch.probabilities, least))
        crops.append(at_frame_size(whole, grid, tuple(box), frame_size, window))
    return tuple(crops)


def _rescored(found: HostFound, mask_iou: MaskIoU, count: int) -> HostFound:
    """Multiply scores by the predicted mask IoU of the class, sort again, and keep the best."""
    assert found.logits is not None
    height, width = found.logits.shape[1:]
    cropped = sigmoid(found.logits) * inside(crop_bounds(found.boxes, height, width), height, width)
    if not len(cropped):
        return found
    predicted = mask_iou(cropped)
    scores = found.scores * np.take_along_axis(predicted, found.classes[:, None], axis=1)[:, 0]
    order = np.argsort(-scores, kind="stable")[:count]
    return found._replace(scores=scores).select(order)
