"""An untrained Mask R-CNN that finds something, and its weights as torchvision has published them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection import maskrcnn_resnet50_fpn, maskrcnn_resnet50_fpn_v2

PERSON, DOG, GIVEN_UP = 1, 18, 71  # numbers of COCO's; the last one stands for nothing any more
SIDE = 32  # what the shorter side of a frame is resized to: the least that there may be

_BUILDERS = {
    "maskrcnn_resnet50_fpn": maskrcnn_resnet50_fpn,
    "maskrcnn_resnet50_fpn_v2": maskrcnn_resnet50_fpn_v2,
}


def untrained(variant: str = "maskrcnn_resnet50_fpn", outputs: int = 91, seed: int = 0) -> dict[str, Tensor]:
    """A state dict in float16 that finds a few instances of a few classes in pictures of noise."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = _BUILDERS[variant](weights=None, weights_backbone=None, num_classes=outputs)
        state = network.state_dict()
        preferences = torch.randn(outputs, 1024)
        preferences -= preferences.mean(1, keepdim=True)
        for name, value in state.items():
            if name.endswith("bn3.weight"):
                value.fill_(0.2)  # or the sums of the residual blocks grow without bound
            if name.endswith("running_mean"):
                value.uniform_(-0.1, 0.1)
    sure = [label for label in (PERSON, DOG, GIVEN_UP) if label < outputs]
    state["roi_heads.box_predictor.cls_score.bias"][:] = -30.0
    state["roi_heads.box_predictor.cls_score.weight"].zero_()
    for label in sure:
        state["roi_heads.box_predictor.cls_score.weight"][label] = preferences[label] * 3
        state["roi_heads.box_predictor.cls_score.bias"][label] = 1.0 if label == GIVEN_UP else 0.0
    state["roi_heads.box_predictor.cls_score.bias"][0] = 4.0
    state["rpn.head.cls_logits.weight"] *= 30
    state["roi_heads.box_predictor.bbox_pred.weight"] *= 10
    state["roi_heads.mask_predictor.mask_fcn_logits.weight"] *= 20
    return {key: value.half() if value.is_floating_point() else value for key, value in state.items()}


def as_first_published(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The first variant's state as in torchvision's file of 2019: older names, and no counts of batches."""
    old: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.endswith("num_batches_tracked"):
            continue
        name = re.sub(r"(fpn\.(?:inner|layer)_blocks\.\d)\.0\.", r"\1.", key)
        name = name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
        if match := re.fullmatch(r"roi_heads\.mask_head\.(\d)\.0\.(\w+)", name):
            name = f"roi_heads.mask_head.mask_fcn{int(match[1]) + 1}.{match[2]}"
        old[name] = value
    return old


def save_first_published(path: Path, state: dict[str, Tensor]) -> Path:
    """In the container of that time, too."""
    torch.save(as_first_published(state), path, _use_new_zipfile_serialization=False)
    return path


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """[height, width, 3] uint8: soft blobs of colour."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.random((1, 3, 5, 5)))
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    return (smooth[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
