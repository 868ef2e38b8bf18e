"""The benchmarked network: real work in the engine, and then always the same ten instances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from app.benchmarks.scenes import injected
from app.predictors import share_cores
from model.detection.boxes import encode, encode_distances, pairwise_iou, to_corners
from model.detection.decoding import Decoder, for_frames
from model.detection.raw_outputs import RawOutputs
from model.engines.base import YolactEngine
from model.predictor import Predictor, load_predictor

SURE = 12.0  # logit of a class that is certain; the score is 0.99999 where all others are 0 and -12
SCENE = (432, 768)  # height and width that the instances are laid out in


def injecting(weights: Path, **settings: Any) -> Predictor:
    """A predictor that finds ten instances in every frame; `settings` are those of `load_predictor`.

    What they are made of is put into the raw outputs, so that NMS and masks work on them.
    """
    predictor = load_predictor(weights, **settings)
    share_cores(predictor)
    engine = InjectingEngine(predictor.engine, predictor.decoder)
    return Predictor(engine, predictor.decoder, predictor.options, predictor.with_masks, predictor.choice)


class InjectingEngine:
    """Runs another engine and gives raw outputs of `scenes.injected` instead of its own."""

    def __init__(self, engine: YolactEngine, decoder: Decoder) -> None:
        self._engine = engine
        self._decoder = decoder
        self._scene: RawOutputs | None = None
        self.name, self.precision, self.device, self.slots = (
            engine.name, engine.precision, engine.device, engine.slots,
        )  # fmt: skip

    def start(self, images: Tensor) -> Callable[[], RawOutputs]:
        """See `Engine.start`."""
        wait = self._engine.start(images)

        def outputs() -> RawOutputs:
            raw = wait()
            if self._scene is None or len(self._scene.box_deltas) != len(raw.box_deltas):
                self._scene = _scene(raw, self._decoder)
            return self._scene

        return outputs


def _scene(raw: RawOutputs, decoder: Decoder) -> RawOutputs:
    """Raw outputs of the same shapes in which ten anchors, the best for each, make the instances."""
    detections = injected(*SCENE, decoder.config.class_names)
    height, width = SCENE
    boxes = torch.from_numpy(detections.boxes) / torch.tensor([width, height, width, height])
    on_frame, decoder = for_frames(raw, decoder, SCENE)
    anchors = decoder.anchors.cpu()
    chosen = _distinct(pairwise_iou(boxes, to_corners(anchors)))
    deltas, logits, coefficients = (torch.zeros_like(part, device="cpu") for part in raw[:3])
    classes = torch.from_numpy(detections.classes)
    if decoder.config.anchor_free is not None:
        logits -= SURE
        logits[:, chosen, classes] = SURE
        deltas[:, chosen] = encode_distances(boxes, anchors[chosen])
    else:
        logits[..., 0] = SURE
        logits[:, chosen, 0] = 0
        logits[:, chosen, classes + 1] = SURE
        deltas[:, chosen] = encode(boxes, anchors[chosen])
    coefficients[:, chosen, 0] = SURE
    prototypes = None
    if raw.prototypes is not None and on_frame.prototypes is not None:
        covered = np.asarray(detections.masks.any(0))
        prototypes = _prototypes(on_frame.prototypes, covered, raw.prototypes.shape[1:3])
    device = raw.box_deltas.device
    prototypes = None if prototypes is None else prototypes.to(device)
    return RawOutputs(deltas.to(device), logits.to(device), coefficients.to(device), prototypes)


def _distinct(overlap: Tensor) -> Tensor:
    """overlap: [N, A]. For each of N the anchor with the largest overlap that no earlier one has: [N]."""
    chosen: list[int] = []
    for row in overlap:
        row[chosen] = -1
        chosen.append(int(row.argmax()))
    return torch.tensor(chosen)


def _prototypes(like: Tensor, covered: np.ndarray, padded: Sequence[int]) -> Tensor:
    """The first prototype is 1 on the instances and -1 elsewhere, the others and the padding are 0.

    like: [B, Hp, Wp, K], without padding; padded: height and width with it, as an engine gives them
    """
    height, width = like.shape[1:3]
    area = torch.from_numpy(covered)[None, None].float()
    shape = torch.nn.functional.interpolate(area, (height, width), mode="area")[0, 0]  # [Hp, Wp] in 0..1
    prototypes = torch.zeros(len(like), *padded, like.shape[3])
    prototypes[:, :height, :width, 0] = 2 * shape - 1
    return prototypes
