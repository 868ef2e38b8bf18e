"""From frames to the network's input: the one place where BGR becomes RGB."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from model.config import YolactConfig


def preprocess(frames: Tensor, config: YolactConfig) -> Tensor:
    """frames: [B, H, W, 3] uint8 BGR. Returns [B, 3, S, S] float32, normalised RGB, on the same device.

    Resized bilinearly without keeping the aspect ratio (half-pixel centres, no antialiasing), as the
    published weights expect. Raises ValueError on another shape or dtype, or on frames without pixels.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != torch.uint8 or frames.numel() == 0:
        raise ValueError(
            f"expected frames [B, H, W, 3] uint8 BGR, got {list(frames.shape)} {str(frames.dtype)[6:]}"
        )
    # [B, H, W, 3] BGR -> [B, 3, H, W] RGB
    rgb = frames.permute(0, 3, 1, 2).flip(1).float()
    size = (config.image_size, config.image_size)
    return normalise(F.interpolate(rgb, size=size, mode="bilinear", align_corners=False), config)


def normalise(images: Tensor, config: YolactConfig) -> Tensor:
    """images: [B, 3, H, W] RGB, 0..255, any dtype. Returns the network's input, float32, same shape."""
    mean = images.new_tensor(config.pixel_mean, dtype=torch.float32).view(3, 1, 1)
    std = images.new_tensor(config.pixel_std, dtype=torch.float32).view(3, 1, 1)
    return (images.float() - mean) / std
