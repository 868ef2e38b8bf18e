"""Convert frames to the network's input: the only place where BGR becomes RGB and padding is added."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from model.config import YolactConfig
from model.input_shape import input_shape


def preprocess(frames: Tensor, config: YolactConfig) -> Tensor:
    """Return the network's input for frames of one size: [B, 3, h, w] float32, normalised RGB.

    frames: [B, H, W, 3] uint8 BGR; the result is on the same device

    The published configurations stretch a frame to a square of S x S pixels, bilinearly with half-pixel
    centres and without antialiasing, as their weights expect. Where the configuration keeps the aspect
    ratio, h x w is `input_shape(config, (H, W)).padded`; the frame is resized with antialiasing and padded
    at the right and the bottom with the mean colour. Raises ValueError on another shape or dtype, or on
    frames without pixels.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != torch.uint8 or frames.numel() == 0:
        raise ValueError(
            f"expected frames [B, H, W, 3] uint8 BGR, got {list(frames.shape)} {str(frames.dtype)[6:]}"
        )
    # [B, H, W, 3] BGR -> [B, 3, H, W] RGB, before the bytes become four times as many
    rgb = torch.stack(frames.unbind(-1)[::-1], dim=1).float()
    shape = input_shape(config, (frames.shape[1], frames.shape[2]))
    antialias = config.keeps_aspect_ratio
    resized = F.interpolate(
        rgb, size=shape.content, mode="bilinear", align_corners=False, antialias=antialias
    )
    normalised = _normalise_(resized, config)
    if shape.padded == shape.content:
        return normalised
    below, beside = (full - part for full, part in zip(shape.padded, shape.content, strict=True))
    return F.pad(normalised, (0, beside, 0, below))


def normalise(images: Tensor, config: YolactConfig) -> Tensor:
    """Normalise images [B, 3, H, W], RGB in 0..255 of any dtype: float32 of the same shape."""
    return _normalise_(images.to(torch.float32, copy=True), config)


def _normalise_(images: Tensor, config: YolactConfig) -> Tensor:
    """Normalise float32 images in place."""
    mean = _per_channel(config.pixel_mean, images.device)
    std = _per_channel(config.pixel_std, images.device)
    return images.sub_(mean).div_(std)


@lru_cache(maxsize=8)
def _per_channel(values: tuple[float, float, float], device: torch.device) -> Tensor:
    """Return [3, 1, 1] float32; cached, because each upload would wait for the device."""
    with torch.inference_mode(False):  # training uses it too
        return torch.tensor(values, dtype=torch.float32, device=device).view(3, 1, 1)
