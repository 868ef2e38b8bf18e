"""Random changes of colour (SSD, as in the published training): brightness, contrast, saturation, hue."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from model.training.augment import AugmentConfig


def distort_colours(image: Tensor, config: AugmentConfig, rng: np.random.Generator) -> Tensor:
    """Colour changes of [3, H, W] uint8 RGB, each with `config.colour_probability`; a new tensor or itself.

    Brightness adds, contrast multiplies, saturation and hue change S and H of HSV and leave V alone.
    """
    happens = rng.random(4) < config.colour_probability
    brightness = rng.uniform(-config.brightness, config.brightness)
    contrast = rng.uniform(*config.contrast)
    saturation = rng.uniform(*config.saturation)
    hue = rng.uniform(-config.hue, config.hue)
    if not happens.any() or image.numel() == 0:
        return image
    pixels = image.to(torch.float32)
    if happens[0]:
        pixels.add_(brightness)
    if happens[1]:
        pixels.mul_(contrast)
    pixels.clamp_(0, 255)
    if happens[2]:
        value = pixels.amax(dim=0)
        pixels = value.sub(pixels).mul_(-saturation).add_(value).clamp_(0, 255)
    if happens[3]:
        pixels = F.adjust_hue(pixels.div_(255), hue / 360).mul_(255)
    return pixels.round_().clamp_(0, 255).to(torch.uint8)
