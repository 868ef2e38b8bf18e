"""Postprocessing, from raw outputs to detections: scores, decoding, NMS, masks, re-scoring, threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from model.config import YolactConfig
from model.detection.boxes import decode, decode_distances
from model.detection.decoding import Decoder, for_frames
from model.detection.masks import assemble, crop_bounds, in_place, inside
from model.detection.nms import NMS, doubles, rows_at
from model.detection.raw_outputs import RawOutputs
from model.detections import Detections
from model.host.masks import cut, enlarge
from model.host.regions import without_small_regions
from model.input_shape import input_shape
from model.network.anchors import within_content
from model.network.heads import MaskIoUNet
from model.options import MIN_MASK_REGION, DetectOptions

_ROUNDING = 1e-3  # far more than the softmax rounds


class Found(NamedTuple):
    """D places an image, best first, on the device; `valid` is True where one holds a detection.

    On a GPU D depends on the options only, so that no synchronisation is needed; on the CPU places at the end
    that no image uses are left out.
    """

    boxes: Tensor  # [B, D, 4] float32, x1 y1 x2 y2 relative to the image, not clipped
    scores: Tensor  # [B, D] float32, re-scored where the network does
    box_scores: Tensor  # [B, D] float32, the class probability
    classes: Tensor  # [B, D] int64
    valid: Tensor  # [B, D] bool
    coefficients: Tensor | None  # [B, D, K] float32; `add_masks` drops them
    masks: Tensor | None  # [B, D, Hp, Wp] float32 probabilities, cropped; None before or in boxes-only mode
    bounds: Tensor | None  # [B, D, 4] float32, the crops in prototype pixels
    track_ids: Tensor | None = None  # [B, D] int64, -1 for none; None without tracking


def postprocess(
    raw: RawOutputs,
    network: Decoder,
    image_sizes: Sequence[tuple[int, int]],
    score_threshold: float | None = None,
    max_detections: int = 100,
    nms: str = "fast",
    classes: tuple[int, ...] | None = None,
    crop_masks: bool = True,
    min_mask_region: float = MIN_MASK_REGION,
) -> list[Detections]:
    """Return one `Detections` an image. image_sizes: (height, width) of each frame in pixels.

    The other arguments are those of `DetectOptions`. Raises ConfigError when one is out of range, and
    ValueError when frames are letterboxed and of several shapes.
    """
    options = DetectOptions(
        score_threshold, max_detections, nms, classes, crop_masks, min_mask_region=min_mask_region
    )
    options.check(network.config)
    if len({input_shape(network.config, size) for size in image_sizes}) > 1:
        raise ValueError(f"frames of one batch are of one shape; got {list(image_sizes)}")
    if image_sizes:
        raw, network = for_frames(raw, network, image_sizes[0])
    found = find(raw, network, options)
    return to_detections(found, image_sizes, network.config.class_names, options)


def find(raw: RawOutputs, decoder: Decoder, options: DetectOptions) -> Found:
    """Run the part on the device: `suppress`, then `add_masks`."""
    return add_masks(suppress(raw, decoder, options), raw, decoder, options)


@torch.no_grad()
def suppress(raw: RawOutputs, decoder: Decoder, options: DetectOptions) -> Found:
    """Decode, suppress and threshold, without masks. Does not wait for a GPU unless the NMS is exact."""
    if raw.class_logits.device.type == "cpu":
        rows = _promising(raw.class_logits, decoder.config, options)
        promising = RawOutputs(
            raw.box_deltas[:, rows], raw.class_logits[:, rows], raw.mask_coefficients[:, rows], raw.prototypes
        )
        found = _suppress(promising, decoder.anchors[rows], decoder.config, options)
    else:
        found = _suppress(raw, decoder.anchors, decoder.config, options)
    # re-scoring changes the order, and the cut comes last
    re_scored = raw.prototypes is not None and decoder.mask_iou_net is not None
    return without_empty_places(found if re_scored else _best(found, options))


def _suppress(raw: RawOutputs, anchors: Tensor, config: YolactConfig, options: DetectOptions) -> Found:
    if config.anchor_free is not None:
        boxes = decode_distances(raw.box_deltas, anchors)
        scores = raw.class_logits.sigmoid().transpose(1, 2)  # [B, A, C] -> [B, C, A]
        # cells in the padding belong to no frame, and must not suppress others
        scores = scores.masked_fill(~within_content(anchors), 0.0)
    else:
        boxes = decode(raw.box_deltas, anchors)
        # [B, A, C + 1] -> [B, C, A], background left out
        scores = raw.class_logits.softmax(-1)[..., 1:].transpose(1, 2)
    # a box that is not finite is invalid, and must not suppress others
    candidates = boxes.nan_to_num(0.0, 0.0, 0.0)
    limits = replace(config.detection, confidence_threshold=_least_score(config, options))
    if options.classes is None:
        kept = NMS[options.nms](candidates, scores, limits)
    else:
        chosen = _class_index(options.classes, scores.device)
        kept = NMS[options.nms](candidates, scores[:, chosen], limits)
        kept = kept._replace(classes=chosen[kept.classes])
    picked = rows_at(boxes, kept.anchors)
    thresholds = _per_class(options.thresholds(config), scores.device)
    valid = kept.valid & (kept.scores > thresholds[kept.classes]) & picked.isfinite().all(-1)
    if config.detection.double_iou_threshold < 1:
        own = _per_class(
            DetectOptions(threshold_scale=options.threshold_scale).thresholds(config), scores.device
        )
        sure = kept.valid & (kept.scores > own[kept.classes])
        picked_well = rows_at(candidates, kept.anchors)
        valid &= ~doubles(picked_well, kept, sure, config.detection.double_iou_threshold)
    found = Found(picked, kept.scores, kept.scores, kept.classes, valid, None, None, None)
    if raw.prototypes is None:
        return found
    return found._replace(coefficients=rows_at(raw.mask_coefficients, kept.anchors))


def _promising(class_logits: Tensor, config: YolactConfig, options: DetectOptions) -> Tensor:
    """Return the rows, [R] int64 and at least one, that can change the result of any image.

    A detection below the threshold is not shown, and suppresses only detections of lower scores.
    A class scores over t only if its logit exceeds the background's, or 0 where there is none, by more than
    the logit of t.
    """
    threshold = _least_score(config, options)
    margin = float(torch.tensor(threshold).logit())
    if config.anchor_free is not None:
        ahead = class_logits.amax(-1)  # [B, A]
    else:
        ahead = class_logits[..., 1:].amax(-1) - class_logits[..., 0]
    rows = (ahead > margin - _ROUNDING).any(0).nonzero().squeeze(1)
    return rows if len(rows) else rows.new_zeros(1)


def _least_score(config: YolactConfig, options: DetectOptions) -> float:
    """Return the score that a detection of any class must exceed to be shown."""
    thresholds = options.thresholds(config)
    wanted = thresholds if options.classes is None else [thresholds[c] for c in options.classes]
    return max(min(wanted), config.detection.confidence_threshold)


@torch.no_grad()
def add_masks(
    found: Found,
    raw: RawOutputs,
    decoder: Decoder,
    options: DetectOptions,
) -> Found:
    """Assemble, crop and re-score masks for the detections that `suppress` found in the same outputs.

    Does nothing in boxes-only mode, and never waits for a GPU. Coefficients are dropped.
    """
    if raw.prototypes is None or found.coefficients is None:
        return found
    masks = assemble(*in_place(raw.prototypes, found.coefficients, found.boxes))
    return _best(
        _with_masks(found._replace(coefficients=None), masks, options, decoder.mask_iou_net), options
    )


def _best(found: Found, options: DetectOptions) -> Found:
    return _map(found, lambda part: part[:, : options.max_detections])


def without_empty_places(found: Found) -> Found:
    """Drop the places at the end that no image uses; none on a GPU, which would have to be waited for."""
    if found.valid.device.type != "cpu":
        return found
    used = found.valid.any(0).nonzero()
    places = int(used[-1]) + 1 if len(used) else 0
    return _map(found, lambda part: part[:, :places])


def to_detections(
    found: Found,
    image_sizes: Sequence[tuple[int, int]],
    class_names: tuple[str, ...],
    options: DetectOptions | None = None,
) -> list[Detections]:
    """Run the part on the host: download the detections and resize masks to the frame.

    Small regions of cropped masks are removed, see `DetectOptions`; without options none are.
    """
    host = _map(found, lambda part: part.cpu())
    least = options.min_mask_region if options is not None and options.crop_masks else 0.0
    return [
        _record(host, image, size, class_names, least)
        for image, size in zip(range(len(host.scores)), image_sizes, strict=True)
    ]


def _map(found: Found, change: Callable[[Tensor], Tensor]) -> Found:
    """Apply a function to every part that is not None."""
    return Found._make(part if part is None else change(part) for part in found)


@lru_cache(maxsize=8)
def _class_index(classes: tuple[int, ...], device: torch.device) -> Tensor:
    """Return the classes as a tensor; cached, because each upload would wait for the device."""
    return torch.tensor(sorted(set(classes)), device=device)


@lru_cache(maxsize=8)
def _per_class(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Return [C] float32; cached, because each upload would wait for the device."""
    with torch.inference_mode(False):
        return torch.tensor(values, dtype=torch.float32, device=device)


def _with_masks(
    found: Found, masks: Tensor, options: DetectOptions, mask_iou_net: MaskIoUNet | None
) -> Found:
    """Add masks [B, D, Hp, Wp], cropped if the options say so; re-score by the cropped ones."""
    height, width = masks.shape[-2:]
    bounds = crop_bounds(found.boxes, height, width)
    cropped = masks * inside(bounds, height, width)
    if options.crop_masks:
        found = found._replace(masks=cropped, bounds=bounds)
    else:
        whole = torch.zeros_like(bounds)
        whole[..., 2] = width
        whole[..., 3] = height
        found = found._replace(masks=masks, bounds=whole)
    return found if mask_iou_net is None else _rescored(found, cropped, mask_iou_net)


def _rescored(found: Found, cropped: Tensor, mask_iou_net: MaskIoUNet) -> Found:
    """Multiply scores by the predicted mask IoU of the class, and sort again."""
    batch, places = found.scores.shape
    predicted = mask_iou_net(cropped.flatten(0, 1)).view(batch, places, -1)  # [B, D, C]
    scores = found.scores * predicted.gather(2, found.classes[..., None]).squeeze(2)
    order = scores.masked_fill(~found.valid, -1.0).argsort(dim=1, descending=True, stable=True)
    rows = torch.arange(batch, device=order.device)[:, None]
    return _map(found._replace(scores=scores), lambda part: part[rows, order])


def _record(
    found: Found,
    image: int,
    image_size: tuple[int, int],
    class_names: tuple[str, ...],
    min_region: float,
) -> Detections:
    height, width = image_size
    here = found.valid[image]
    limits = torch.tensor([width, height, width, height], dtype=found.boxes.dtype)
    boxes = found.boxes[image][here] * limits
    boxes = torch.minimum(boxes.clamp(min=0), limits)
    crops = None
    if found.masks is not None and found.bounds is not None:
        pairs = zip(found.masks[image][here], found.bounds[image][here].tolist(), strict=True)
        whole = ((without_small_regions(mask.numpy(), min_region), bounds) for mask, bounds in pairs)
        grid = (found.masks.shape[2], found.masks.shape[3])
        crops = tuple(enlarge(cut(mask, tuple(bounds)), grid, image_size) for mask, bounds in whole)
    return Detections(
        image_size=(height, width),
        boxes=boxes.numpy().astype(np.float32),
        scores=found.scores[image][here].numpy(),
        classes=found.classes[image][here].numpy(),
        class_names=class_names,
        crops=crops,
        box_scores=found.box_scores[image][here].numpy(),
        track_ids=None if found.track_ids is None else found.track_ids[image][here].numpy(),
    )
