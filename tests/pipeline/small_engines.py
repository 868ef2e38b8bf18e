"""Engines and predictors small enough to run over and over, on any device that tensors can be put on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model.detection.decoding import Decoding
from model.detection.raw_outputs import RawOutputs
from model.network.anchors import make_anchors
from model.network.yolact import Yolact
from model.options import DetectOptions
from model.torch_predictor import TorchPredictor
from pipeline.frame import Frame
from tests.small_networks import SPARSE

Put = Callable[[Tensor], Tensor]
"""Brings a tensor to the device."""

CELLS = 8  # the side of the picture that `LinearEngine` looks at, and of its prototypes


def anchors() -> Tensor:
    return make_anchors(SPARSE.anchors, SPARSE.image_size)


class LinearEngine:
    """One matrix from a thumbnail of the image to everything that a network says: it sees, if not much."""

    name = "torch"
    precision = "fp32"
    slots = 2

    def __init__(self, device: torch.device, put: Put, with_masks: bool = True) -> None:
        self.device = device
        self._with_masks = with_masks
        self._rows, self._classes = len(anchors()), SPARSE.num_classes + 1
        width = 4 + self._classes + SPARSE.num_prototypes
        generator = torch.Generator().manual_seed(0)
        self._weights = put(torch.randn(3 * CELLS**2, self._rows * width, generator=generator) / 12)

    @torch.no_grad()
    def start(self, images: Tensor) -> Callable[[], RawOutputs]:
        small = F.adaptive_avg_pool2d(images, CELLS)
        said = (small.flatten(1) @ self._weights).view(len(images), self._rows, -1)
        deltas, logits, coefficients = said.split([4, self._classes, SPARSE.num_prototypes], dim=-1)
        # [B, 3, 8, 8] -> [B, 8, 8, K]
        prototypes = small.relu().permute(0, 2, 3, 1).repeat(1, 1, 1, -(-SPARSE.num_prototypes // 3))
        prototypes = prototypes[..., : SPARSE.num_prototypes] if self._with_masks else None
        outputs = RawOutputs(deltas, 2 * logits, coefficients.tanh(), prototypes)
        return lambda: outputs


class NetworkEngine:
    """A network whose weights were put on the device."""

    name = "torch"
    precision = "fp32"
    slots = 2

    def __init__(self, network: Yolact, device: torch.device, put: Put) -> None:
        self.device = device
        self._network = network
        parts = (*network.named_parameters(), *network.named_buffers())
        self._parts = {name: put(part.detach()) for name, part in parts}

    @torch.no_grad()
    def start(self, images: Tensor) -> Callable[[], RawOutputs]:
        outputs = torch.func.functional_call(self._network, self._parts, (images,))
        return lambda: outputs


def small_predictor(
    device: torch.device, put: Put, options: DetectOptions | None = None, with_masks: bool = True
) -> TorchPredictor:
    """With a `LinearEngine`. Finds something in every frame."""
    engine = LinearEngine(device, put, with_masks)
    options = options or DetectOptions(score_threshold=0.2, max_detections=8)
    return TorchPredictor(engine, Decoding(SPARSE, put(anchors())), options, with_masks)


def small_frames(count: int, sizes: Sequence[tuple[int, int]] = ((40, 60),), seed: int = 0) -> list[Frame]:
    """Frames of blotches, each another one, of these sizes in turn."""
    rng = np.random.default_rng(seed)
    return [_frame(rng, index, *sizes[index % len(sizes)]) for index in range(count)]


def _frame(rng: np.random.Generator, index: int, height: int, width: int) -> Frame:
    blotches = torch.from_numpy(rng.integers(0, 256, (1, 3, 3, 4)).astype(np.float32))
    image = F.interpolate(blotches, (height, width), mode="bilinear")[0].permute(1, 2, 0)
    return Frame(image.to(torch.uint8).numpy().copy(), index, index, Fraction(1, 10), 0.0)
