"""Fast NMS against exact NMS: the same 200 candidates for each of 80 classes."""

from __future__ import annotations

import dataclasses
from functools import partial

import torch
from torch import Tensor

from app.benchmarks.figures import Figure, Setup, missing
from app.benchmarks.timing import milliseconds
from model.config import preset
from model.detection.nms import NMS

CLASSES = 80
CANDIDATES = 200


def run(setup: Setup) -> list[Figure]:
    """Median time of each kind on the CPU, and on the GPU where there is one."""
    figures = _measure(torch.device("cpu"), setup)
    if not torch.cuda.is_available():
        return [*figures, missing("NMS on a GPU", "PyTorch sees no CUDA device")]
    return figures + _measure(torch.device("cuda"), setup)


def _measure(device: torch.device, setup: Setup) -> list[Figure]:
    boxes, scores = (part.to(device) for part in candidates())
    config = dataclasses.replace(
        preset("yolact_resnet50").detection, nms_top_k=CANDIDATES, confidence_threshold=0.05
    )

    def call(kind: str) -> None:
        NMS[kind](boxes, scores, config)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    taken = milliseconds({kind: partial(call, kind) for kind in NMS}, setup.seconds)
    where = "GPU" if device.type == "cuda" else "CPU"
    figures = [Figure(f"NMS, {kind}, {where}", ms, "ms") for kind, ms in taken.items()]
    ratio = taken["exact"] / taken["fast"]
    return [*figures, Figure(f"exact NMS / Fast NMS, {where}", ratio, "x")]


def candidates() -> tuple[Tensor, Tensor]:
    """[1, A, 4] boxes and [1, C, A] scores: each class has 200 boxes of its own, around 20 objects."""
    generator = torch.Generator().manual_seed(0)
    count = CLASSES * CANDIDATES
    centres = torch.rand(CLASSES, 20, 1, 2, generator=generator)
    sides = 0.05 + 0.2 * torch.rand(CLASSES, 20, 1, 2, generator=generator)
    shifts = 0.15 * torch.randn(CLASSES, 20, CANDIDATES // 20, 2, generator=generator)
    middle = centres + shifts * sides
    boxes = torch.cat([middle - sides / 2, middle + sides / 2], dim=-1).view(1, count, 4)
    scores = torch.zeros(CLASSES, CLASSES, CANDIDATES)
    own = torch.arange(CLASSES)
    scores[own, own] = 0.1 + 0.9 * torch.rand(CLASSES, CANDIDATES, generator=generator)
    return boxes, scores.view(1, CLASSES, count)
