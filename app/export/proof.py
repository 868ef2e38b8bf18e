"""Proof that an exported model is the network that it was made from: both see the same photographs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from app.export.images import Labels, ProofSet
from app.labelled_data import read_labelled
from app.terminal import progress_bar
from model.detection.raw_outputs import RawOutputs, raw_outputs
from model.detections import Detections
from model.engines.compiled_cache import compile_options
from model.engines.openvino_core import openvino_core
from model.engines.openvino_engine import OpenVinoEngine
from model.engines.torch_engine import TorchEngine
from model.evaluation.coco_eval import CocoMetrics, CocoResults, coco_results, measure
from model.exporting.comparison import Agreement, ImageComparison, compare, summarise
from model.network.yolact import Yolact
from model.options import DetectOptions
from model.torch_predictor import TorchPredictor

if TYPE_CHECKING:
    import openvino

# pairs of images, and a single one where their number is odd: a batch of any size is claimed
BATCH = 2


@dataclass(frozen=True)
class Proof:
    """The agreement of two models, and the metrics of each where there are labels."""

    agreement: Agreement
    reference: CocoMetrics | None = None
    exported: CocoMetrics | None = None


class Reference:
    """PyTorch in float32, on the CPU: what exported models are compared with."""

    def __init__(self, network: Yolact, with_masks: bool) -> None:
        engine = TorchEngine(network, torch.device("cpu"), with_masks=with_masks)
        self.predictor = TorchPredictor(engine, engine.network, _everything(), with_masks)

    def predictor_of(self, model: openvino.Model, float_precision: str) -> TorchPredictor:
        """An exported model in OpenVINO, whose outputs are read as those of the reference are."""
        compiled = openvino_core().compile_model(model, "CPU", compile_options(float_precision, streams=1))
        engine = OpenVinoEngine[Tensor, RawOutputs](lambda shape: compiled, float_precision, raw_outputs)
        return TorchPredictor(engine, self.predictor.decoder, _everything(), self.predictor.with_masks)

    def prove(self, model: openvino.Model, images: ProofSet, float_precision: str) -> Proof:
        """Compare a model with the reference on every image. Raises SourceError on a broken one."""
        config = self.predictor.config
        exported = self.predictor_of(model, float_precision)
        thresholds = DetectOptions().thresholds(config)
        compared: list[ImageComparison] = []
        counted = _Counted(images.labels), _Counted(images.labels)
        for index, ours, theirs in _both(self.predictor, exported, images):
            counted[0].add(index, ours)
            counted[1].add(index, theirs)
            compared.append(compare(ours, theirs, config.image_size, config.keeps_aspect_ratio, thresholds))
        reference, other = (counter.metrics() for counter in counted)
        return Proof(_with_losses(summarise(compared), reference, other), reference, other)


def _everything() -> DetectOptions:
    """Return detection options that keep every detection, as average precision needs them."""
    return DetectOptions(score_threshold=0.0)


def _both(
    reference: TorchPredictor, exported: TorchPredictor, images: ProofSet
) -> Iterator[tuple[int, Detections, Detections]]:
    """The index of each image, and what both models find in it."""
    starts = range(0, len(images.places), BATCH)
    with progress_bar() as progress:
        for start in progress.track(starts, description="comparing"):
            frames = [read_labelled(place) for place in images.places[start : start + BATCH]]
            for i, (ours, theirs) in enumerate(zip(reference(frames), exported(frames), strict=True)):
                yield start + i, ours, theirs


class _Counted:
    """Detections in the COCO server's format, where there are labels to count them against."""

    def __init__(self, labels: Labels | None) -> None:
        self._labels = labels
        self._parts: list[CocoResults] = []

    def add(self, index: int, detections: Detections) -> None:
        labels = self._labels
        if labels is not None:
            found = [(labels.ids[index], detections)]
            self._parts.append(coco_results(labels.truth, found, labels.classes))

    def metrics(self) -> CocoMetrics | None:
        labels = self._labels
        return None if labels is None else measure(labels.truth, _joined(self._parts), labels.classes)


def _joined(parts: Sequence[CocoResults]) -> CocoResults:
    boxes = [record for part in parts for record in part.boxes]
    if any(part.masks is None for part in parts):
        return CocoResults(boxes, None)
    return CocoResults(boxes, [record for part in parts for record in part.masks or ()])


def _with_losses(agreement: Agreement, reference: CocoMetrics | None, other: CocoMetrics | None) -> Agreement:
    if reference is None or other is None:
        return agreement
    boxes = dataclasses.replace(agreement, box_ap_loss=_loss(reference.boxes.ap, other.boxes.ap))
    if reference.masks is None or other.masks is None:
        return boxes
    return dataclasses.replace(boxes, mask_ap_loss=_loss(reference.masks.ap, other.masks.ap))


def _loss(reference: float | None, other: float | None) -> float | None:
    return None if reference is None or other is None else reference - other
