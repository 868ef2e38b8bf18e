"""From frames to the network's input: the one place where BGR becomes RGB."""

from __future__ import annotations

from functools import lru_cache

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
    # [B, H, W, 3] BGR -> [B, 3, H, W] RGB, before the bytes become four times as many
    rgb = torch.stack(frames.unbind(-1)[::-1], dim=1).float()
    size = (config.image_size, config.image_size)
    return _normalise_(F.interpolate(rgb, size=size, mode="bilinear", align_corners=False), config)


def normalise(images: Tensor, config: YolactConfig) -> Tensor:
    """images: [B, 3, H, W] RGB, 0..255, any dtype. Returns the network's input, float32, same shape."""
    return _normalise_(images.to(torch.float32, copy=True), config)


def _normalise_(images: Tensor, config: YolactConfig) -> Tensor:
    """The same for float32 images, in place."""
    mean = _per_channel(config.pixel_mean, images.device)
    std = _per_channel(config.pixel_std, images.device)
    return images.sub_(mean).div_(std)


@lru_cache(maxsize=8)
def _per_channel(values: tuple[float, float, float], device: torch.device) -> Tensor:
    """[3, 1, 1] float32; kept, because each upload would wait for the device."""
    with torch.inference_mode(False):  # training uses it too
        return torch.tensor(values, dtype=torch.float32, device=device).view(3, 1, 1)
