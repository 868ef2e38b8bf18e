"""Stand-ins for trained networks: they know red things, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from model.detection.boxes import encode
from model.detection.decoding import Decoding
from model.detection.raw_outputs import RawOutputs
from model.host.predictor import HostPredictor
from model.host.torch_host import on_host
from model.input_shape import CONTENT_STEP, InputShape
from model.network.anchors import make_cells
from model.options import DetectOptions
from model.torch_predictor import TorchPredictor
from tests.small_networks import FREE, SPARSE, decoding

PROTOTYPES = 16  # cells a side
KNOWN_CLASS = 1


class SeesRed:
    """An engine whose first anchor is sure of the box and the mask of all that is red in a picture."""

    name = "torch"
    precision = "fp32"
    device = torch.device("cpu")
    slots = 1

    def __init__(self) -> None:
        self.decoder = decoding(SPARSE)

    def start(self, images: Tensor) -> Callable[[], RawOutputs]:
        found = [self._look(image) for image in images]
        return lambda: RawOutputs(*(torch.stack(parts) for parts in zip(*found, strict=True)))

    def _look(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        red = (image[0] - image[1:].amax(dim=0) > 1).float()
        anchors = self.decoder.anchors
        logits = torch.full((len(anchors), SPARSE.num_classes + 1), -10.0)
        deltas = torch.zeros(len(anchors), 4)
        coefficients = torch.zeros(len(anchors), SPARSE.num_prototypes)
        prototypes = torch.zeros(PROTOTYPES, PROTOTYPES, SPARSE.num_prototypes)
        logits[:, 0] = 10
        if red.any():
            rows, columns = red.nonzero().unbind(1)
            low, high = torch.stack([columns.min(), rows.min()]), torch.stack([columns.max(), rows.max()]) + 1
            deltas[0] = encode(torch.cat([low, high]) / SPARSE.image_size, anchors[0])
            logits[0] = torch.tensor([-10.0, -10.0, -10.0, -10.0])
            logits[0, 1 + KNOWN_CLASS] = 10
            coefficients[0, 0] = 1
            cells = F.interpolate(red[None, None], (PROTOTYPES, PROTOTYPES), mode="area")[0, 0]
            prototypes[..., 0] = (cells - 0.5) * 20
        return deltas, logits, coefficients, prototypes


class SeesRedWithoutAnchors:
    """The same without anchors: letterboxed pictures, and the first cell is the one that is sure."""

    name = "torch"
    precision = "fp32"
    device = torch.device("cpu")
    slots = 1

    def __init__(self) -> None:
        self.decoder = Decoding(FREE, make_cells(InputShape((FREE.image_size,) * 2, (FREE.image_size,) * 2)))

    def start(self, images: Tensor) -> Callable[[], RawOutputs]:
        found = [self._look(image) for image in images]
        return lambda: RawOutputs(*(torch.stack(parts) for parts in zip(*found, strict=True)))

    def _look(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        red = (image[0] - image[1:].amax(dim=0) > 1).float()
        height, width = red.shape
        cells = make_cells(InputShape((height, width), (height, width)))
        logits = torch.full((len(cells), FREE.num_classes), -10.0)
        distances = torch.zeros(len(cells), 4)
        coefficients = torch.zeros(len(cells), FREE.num_prototypes)
        prototypes = torch.zeros(height // CONTENT_STEP, width // CONTENT_STEP, FREE.num_prototypes)
        if red.any():
            rows, columns = red.nonzero().unbind(1)
            size = torch.tensor([width, height])
            low = torch.stack([columns.min(), rows.min()]) / size
            high = (torch.stack([columns.max(), rows.max()]) + 1) / size
            centre, stride = cells[0, :2], cells[0, 2:]
            distances[0] = torch.cat([(centre - low) / stride, (high - centre) / stride])
            logits[0, KNOWN_CLASS] = 10
            coefficients[0, 0] = 1
            means = F.interpolate(red[None, None], prototypes.shape[:2], mode="area")[0, 0]
            prototypes[..., 0] = (means - 0.5) * 20
        return distances, logits, coefficients, prototypes


def predictor_that_sees_red(anchors: bool = True) -> HostPredictor:
    engine = SeesRed() if anchors else SeesRedWithoutAnchors()
    return on_host(TorchPredictor(engine, engine.decoder, DetectOptions()))
