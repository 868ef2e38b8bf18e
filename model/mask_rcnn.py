"""Mask R-CNN of torchvision as a predictor: a two-stage model to compare YOLACT with.

He, Gkioxari, Dollár, Girshick, "Mask R-CNN", ICCV 2017. Masks are predicted within each box, where YOLACT's
prototypes know no boxes: section 5 of the YOLACT paper claims that this is why two-stage masks are less
stable from frame to frame.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.transform import resize_boxes

from model.checkpoints.mask_rcnn import MaskRcnnConfig, empty_network, read_mask_rcnn
from model.config import DEFAULT_THRESHOLD
from model.config_limits import LARGEST_INPUT, SMALLEST_INPUT
from model.detections import Detections, MaskCrop
from model.engines.choice import EngineChoice, select_device
from model.engines.device import Device
from model.errors import ConfigError
from model.options import MIN_MASK_REGION, NMS_KINDS, class_indices

Frame = NDArray[np.uint8]

MOST_DETECTIONS = 100  # as published
_NMS_KINDS = ("fast", "exact")


class MaskRcnnPredictor:
    """Turns BGR frames into detections. See `model.instance_predictor.InstancePredictor`.

    The figures are those that torchvision's own call gives: boxes, scores and masks, of which a pixel belongs
    to an instance from a probability of 0.5 on. Masks are pasted within their boxes only, so that a large
    frame with many instances needs little memory. Detections of the numbers that COCO gave up are dropped.
    """

    def __init__(
        self,
        network: MaskRCNN,
        config: MaskRcnnConfig,
        score_threshold: float | None = None,
        max_detections: int = MOST_DETECTIONS,
        classes: tuple[int, ...] | None = None,
        with_masks: bool = True,
    ) -> None:
        """network: in evaluation mode, used by this predictor only; classes: indices, None for all.

        score_threshold: 0..1, None for `DEFAULT_THRESHOLD`, as the weights bring none of their own

        Raises ConfigError when an option is out of range.
        """
        if score_threshold is None:
            score_threshold = DEFAULT_THRESHOLD
        _check_range(score_threshold, max_detections)
        self.config = config
        self.score_threshold = score_threshold
        self.max_detections = max_detections
        self.with_masks = with_masks
        self.device = next(network.parameters()).device
        self.choice: EngineChoice | None = None
        self._network = network
        self._network.roi_heads.score_thresh = score_threshold
        if not with_masks:
            self._network.roi_heads.mask_roi_pool = None  # torchvision looks for masks no more
        self._indices = _index_of_labels(config, classes)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the weights' classes, without background."""
        return self.config.class_names

    @overload
    def __call__(self, frames: Frame) -> Detections: ...

    @overload
    def __call__(self, frames: Sequence[Frame]) -> list[Detections]: ...

    def __call__(self, frames: Frame | Sequence[Frame]) -> Detections | list[Detections]:
        """Detect objects in one frame, [H, W, 3] uint8 BGR, or in a list of frames of any sizes.

        Those of one size go in as one batch; otherwise each goes alone, for the network sees the margin that
        fills up a smaller one. Raises ValueError on another shape or dtype.
        """
        if isinstance(frames, np.ndarray):
            return self._predict([frames])[0]
        alike = len({frame.shape for frame in frames}) == 1
        batches = [frames] if alike else [[frame] for frame in frames]
        return [found for batch in batches for found in self._predict(batch)]

    @torch.inference_mode()
    def _predict(self, frames: Sequence[Frame]) -> list[Detections]:
        network = self._network
        images, _ = network.transform([self._prepare(frame) for frame in frames])
        features = network.backbone(images.tensors)
        proposals, _ = network.rpn(images, features)
        found, _ = network.roi_heads(features, proposals, images.image_sizes)
        return [
            self._record(one, resized, (frame.shape[0], frame.shape[1]))
            for one, resized, frame in zip(found, images.image_sizes, frames, strict=True)
        ]

    def _prepare(self, frame: Frame) -> Tensor:
        """Convert [H, W, 3] uint8 BGR to [3, H, W] float32 RGB, 0..1, on the device."""
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or frame.size == 0:
            raise ValueError(f"expected a frame [H, W, 3] uint8 BGR, got {list(frame.shape)} {frame.dtype}")
        pixels = torch.from_numpy(np.require(frame, requirements=["C", "W"])).to(self.device)
        return pixels.flip(-1).permute(2, 0, 1).float() / 255

    def _record(
        self, found: dict[str, Tensor], resized: tuple[int, int], image_size: tuple[int, int]
    ) -> Detections:
        """Return detections. found: boxes in pixels of the resized frame, best first, masks [N, 1, M, M]."""
        height, width = image_size
        boxes = resize_boxes(found["boxes"], list(resized), list(image_size)).cpu()
        classes = self._indices[found["labels"].cpu()]
        # a score is compared again: the network's own comparison is of another precision
        wanted = (classes >= 0) & (found["scores"].cpu() > self.score_threshold)
        rows = wanted.nonzero().squeeze(1)[: self.max_detections]
        scores = found["scores"].cpu()[rows].numpy()
        crops = None
        if self.with_masks:
            masks = found["masks"].cpu()[rows, 0]
            crops = tuple(paste(*one, height, width) for one in zip(masks, boxes[rows], strict=True))
        limits = torch.tensor([width, height, width, height], dtype=boxes.dtype)
        return Detections(
            image_size=image_size,
            boxes=torch.minimum(boxes[rows].clamp(min=0), limits).numpy(),
            scores=scores,
            classes=classes[rows].numpy(),
            class_names=self.class_names,
            crops=crops,
            box_scores=scores,
        )


def paste(mask: Tensor, box: Tensor, height: int, width: int) -> MaskCrop:
    """Resize a mask predicted within a box to the frame: the pixels of 0.5 or more.

    mask: [M, M] float 0..1; box: [4] x1 y1 x2 y2 in frame pixels. As torchvision pastes: the mask gets a rim
    of zeros, the box grows as much about its centre, its corners lose their fractions, and the mask is
    enlarged bilinearly to the pixels from corner to corner, both included. What lies outside the frame is
    left out.
    """
    side = mask.shape[-1]
    grown = (box[2:] - box[:2]) * 0.5 * ((side + 2) / side)
    centre = (box[2:] + box[:2]) * 0.5
    left, top = (int(v) for v in centre - grown)
    right, bottom = (int(v) for v in centre + grown)
    size = (max(bottom - top + 1, 1), max(right - left + 1, 1))
    enlarged = F.interpolate(
        F.pad(mask, (1, 1, 1, 1))[None, None], size, mode="bilinear", align_corners=False
    )
    inside = enlarged[0, 0, max(-top, 0) : max(height - top, 0), max(-left, 0) : max(width - left, 0)]
    return MaskCrop(min(max(left, 0), width), min(max(top, 0), height), (inside >= 0.5).numpy())


def load_mask_rcnn(
    path: Path,
    device: str = "auto",
    score_threshold: float | None = None,
    max_detections: int = MOST_DETECTIONS,
    nms: str = NMS_KINDS[0],
    classes: Sequence[str] | None = None,
    image_size: int | None = None,
    crop_masks: bool = True,
    with_masks: bool = True,
    engine: str = "auto",
    precision: str = "auto",
    streams: int = 1,
    batch: int = 1,
    min_mask_region: float = MIN_MASK_REGION,
    sharpen: str | None = None,
) -> MaskRcnnPredictor:
    """Return a predictor for weights of Mask R-CNN; the keywords are those of `load_predictor`.

    image_size: what the shorter side of a frame is resized to; None for what the weights were trained with
    nms:        the model has one of its own, exact and within each class; "fast" stands for it too

    `streams`, `batch` and `min_mask_region` change nothing. Raises ConfigError on settings that the model
    does not know, CheckpointError on a file that cannot be used.
    """
    _refuse_foreign(nms, crop_masks, engine, precision, sharpen)
    _check_range(score_threshold, max_detections, image_size)
    where = select_device(device)
    config, state = read_mask_rcnn(path)
    if image_size is not None:
        config = dataclasses.replace(config, image_size=image_size)
    indices = class_indices(classes, config.class_names)
    network = empty_network(config)
    network.load_state_dict(state, assign=True)
    network.eval().requires_grad_(False).to(where)
    predictor = MaskRcnnPredictor(network, config, score_threshold, max_detections, indices, with_masks)
    place = Device(where.type, where.index)
    predictor.choice = EngineChoice("torch", place, "fp32", "the only engine for a two-stage model")
    return predictor


def _refuse_foreign(nms: str, crop_masks: bool, engine: str, precision: str, sharpen: str | None) -> None:
    if engine not in ("auto", "torch") or precision not in ("auto", "fp32"):
        raise ConfigError(
            f"Mask R-CNN runs on the torch engine in fp32, got engine {engine}, precision {precision}"
        )
    if nms not in _NMS_KINDS:
        raise ConfigError(
            f"Mask R-CNN removes duplicates within each class, exactly; it knows no {nms!r} NMS"
        )
    if not crop_masks:
        raise ConfigError("Mask R-CNN predicts masks within boxes: they cannot be left uncropped")
    if sharpen is not None:
        raise ConfigError("Mask R-CNN has no features that masks could be sharpened by; leave sharpen out")


def _check_range(score_threshold: float | None, max_detections: int, image_size: int | None = None) -> None:
    if score_threshold is not None and not 0 <= score_threshold <= 1:
        raise ConfigError(f"the score threshold must be 0 to 1, got {score_threshold}")
    if not 1 <= max_detections <= MOST_DETECTIONS:
        raise ConfigError(f"at most 1 to {MOST_DETECTIONS} detections can be asked for, got {max_detections}")
    if image_size is not None and not SMALLEST_INPUT <= image_size <= LARGEST_INPUT:
        raise ConfigError(
            f"the input size must be {SMALLEST_INPUT} to {LARGEST_INPUT} pixels, got {image_size}"
        )


def _index_of_labels(config: MaskRcnnConfig, classes: tuple[int, ...] | None) -> Tensor:
    """Return the class index of each of the network's labels, [outputs] int64; -1 for unwanted ones."""
    indices = torch.full((config.outputs,), -1)
    for index, label in enumerate(config.labels):
        if classes is None or index in classes:
            indices[label] = index
    return indices
