"""The benchmarked network: real work in the engine, and then always the same ten instances."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.benchmarks.scenes import injected
from app.predictors import share_cores
from model.host.boxes import CENTRE_VARIANCE, SIZE_VARIANCE, pairwise_iou
from model.host.detection import in_frame
from model.host.hosting import hosted
from model.host.outputs import Floats, HostDecoder, HostEngine, ImageOutputs
from model.host.predictor import HostPredictor
from model.predictor import load_predictor

SURE = 12.0  # logit of a class that is certain; the score is 0.99999 where all others are 0 and -12
SCENE = (432, 768)  # height and width that the instances are laid out in


def injecting(weights: Path, **settings: Any) -> HostPredictor:
    """A predictor that finds ten instances in every frame; `settings` are those of `load_predictor`.

    What they are made of is put into the raw outputs, so that NMS and masks work on them. What follows the
    engine is done on the CPU.
    """
    predictor = load_predictor(weights, **settings)
    share_cores(predictor)
    on_host = hosted(predictor)
    return on_host.with_engine(InjectingEngine(on_host.engine, on_host.decoder))


class InjectingEngine:
    """Runs another engine and gives raw outputs of `scenes.injected` instead of its own."""

    def __init__(self, engine: HostEngine, decoder: HostDecoder) -> None:
        self._engine = engine
        self._decoder = decoder
        self._scene: ImageOutputs | None = None
        self.name, self.precision, self.device, self.slots = (
            engine.name, engine.precision, engine.device, engine.slots,
        )  # fmt: skip

    def start(self, images: Floats) -> Callable[[], list[ImageOutputs]]:
        """See `Engine.start`."""
        wait = self._engine.start(images)

        def outputs() -> list[ImageOutputs]:
            said = wait()
            if self._scene is None:
                self._scene = _scene(said[0], self._decoder)
            return [self._scene] * len(said)

        return outputs


def _scene(said: ImageOutputs, decoder: HostDecoder) -> ImageOutputs:
    """Raw outputs of the same shapes in which ten anchors, the best for each, make the instances."""
    detections = injected(*SCENE, decoder.config.class_names)
    height, width = SCENE
    boxes = np.asarray(detections.boxes / (width, height, width, height), np.float32)
    on_frame, anchors = in_frame(said, decoder, SCENE)
    chosen = _distinct(pairwise_iou(boxes, _corners(anchors)))
    deltas, logits, coefficients = (
        np.zeros_like(part) for part in (said.box_deltas, said.class_logits, said.mask_coefficients)
    )
    if decoder.config.anchor_free is not None:
        logits -= SURE
        logits[chosen, detections.classes] = SURE
        deltas[chosen] = _distances(boxes, anchors[chosen])
    else:
        logits[:, 0] = SURE
        logits[chosen, 0] = 0
        logits[chosen, detections.classes + 1] = SURE
        deltas[chosen] = _deltas(boxes, anchors[chosen])
    coefficients[chosen, 0] = SURE
    prototypes = None
    if said.prototypes is not None and on_frame.prototypes is not None:
        covered = np.asarray(detections.masks.any(0))
        prototypes = _prototypes(covered, on_frame.prototypes.shape[:2], said.prototypes.shape)
    return ImageOutputs(deltas, logits, coefficients, prototypes)


def _corners(anchors: Floats) -> Floats:
    half = anchors[:, 2:] / 2
    return np.concatenate([anchors[:, :2] - half, anchors[:, :2] + half], axis=1)


def _distances(boxes: Floats, cells: Floats) -> Floats:
    """Return what `decode_distances` makes boxes [N, 4] of."""
    centre, size = cells[:, :2], cells[:, 2:]
    return np.concatenate([(centre - boxes[:, :2]) / size, (boxes[:, 2:] - centre) / size], axis=1)


def _deltas(boxes: Floats, anchors: Floats) -> Floats:
    """Return what `decode` makes boxes [N, 4] of."""
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    moved = (centre - anchors[:, :2]) / (CENTRE_VARIANCE * anchors[:, 2:])
    return np.concatenate([moved, np.log(size / anchors[:, 2:]) / SIZE_VARIANCE], axis=1)


def _distinct(overlap: Floats) -> NDArray[np.int64]:
    """overlap: [N, A]. For each of N the anchor with the largest overlap that no earlier one has: [N]."""
    chosen: list[int] = []
    for row in overlap:
        row[chosen] = -1
        chosen.append(int(row.argmax()))
    return np.array(chosen)


def _prototypes(covered: NDArray[np.bool_], inner: tuple[int, ...], whole: tuple[int, ...]) -> Floats:
    """The first prototype is 1 on the instances and -1 elsewhere, the others and the padding are 0.

    inner: height and width without padding; whole: [Hp, Wp, K] with it, as an engine gives them
    """
    height, width = inner
    shape = cv2.resize(covered.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    prototypes = np.zeros(whole, np.float32)
    prototypes[:height, :width, 0] = 2 * shape - 1
    return prototypes
