"""Random changes of colour (SSD, as in the published training): brightness, contrast, saturation, hue."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from model.training.data.augment import AugmentConfig


def distort_colours(image: Tensor, config: AugmentConfig, rng: np.random.Generator) -> Tensor:
    """Change the colours of [3, H, W] uint8 RGB, each change with `config.colour_probability`.

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
        pixels = turn_hue(pixels.div_(255), hue / 360).mul_(255)
    return pixels.round_().clamp_(0, 255).to(torch.uint8)


def turn_hue(image: Tensor, turn: float) -> Tensor:
    """Turn the hue of [3, H, W] float32 RGB in 0..1 by a share of the circle, -0.5 to 0.5.

    To the bit what torchvision's `adjust_hue` gives in a fraction of its time: what depends on a pixel is
    chosen by factors that are 0 or 1, since a choice by masks or indices costs twenty times a product.
    """
    image = image.contiguous()
    value, least = image.amax(dim=0), image.amin(dim=0)
    span = value - least
    coloured = span.ceil()
    grey = 1 - coloured
    saturation = span / (value * coloured).add_(grey)
    to_red, to_green, to_blue = ((value - image) / span.add_(grey)).unbind(0)
    not_red, not_green = to_red.ceil(), to_green.ceil()  # 0 where that channel is the largest
    hue = (to_blue - to_green).mul_(1 - not_red)
    hue.add_((to_red + 2).sub_(to_blue).mul_(1 - not_green).mul_(not_red))
    hue.add_((to_green + 4).sub_(to_red).mul_(not_green).mul_(not_red))
    hue.mul_(1 / 6).add_(1)
    hue.sub_(hue.floor()).add_(turn)
    hue.sub_(hue.floor())
    return _rgb(hue, saturation, value)


def _rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Convert HSV planes [H, W], each 0..1, to RGB [3, H, W]; `hue` and `saturation` are overwritten.

    In each of the six sectors of hue one channel is the largest, one the least, and one on its way.
    """
    rest = hue.mul_(6)
    sector = rest.floor()
    rest.sub_(sector)
    unsaturated = 1 - saturation
    part = saturation.mul_(rest)
    falling = (1 - part).mul_(value).clamp_(0, 1)
    rising = part.add_(unsaturated).mul_(value).clamp_(0, 1)
    least = unsaturated.mul_(value).clamp_(0, 1)
    sector.sub_((sector - 5).clamp_(min=0).mul_(6))  # a hue of 1 is one of 0
    odd = sector - (sector / 2).floor_().mul_(2)
    between = falling.mul_(odd).add_(rising.mul_(1 - odd))
    rgb = torch.empty(3, *value.shape)
    # red is largest in the sectors 5 and 0 and least in 2 and 3; green and blue follow two sectors later
    for channel, place in enumerate((2.5, 4.5, 0.5)):
        away = (sector - place).abs_()
        away = torch.minimum(away, 6 - away)
        largest, smallest = (away - 1.5).clamp_(0, 1), (1.5 - away).clamp_(0, 1)
        on_its_way = (1 - largest).sub_(smallest)
        torch.mul(value, largest, out=rgb[channel])
        rgb[channel].add_(on_its_way.mul_(between)).add_(smallest.mul_(least))
    return rgb
