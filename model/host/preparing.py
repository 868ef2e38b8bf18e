"""Frames to the network's input on the CPU, as `model.preprocessing` makes it of tensors.

Where the aspect ratio is kept Pillow resizes, with the antialiasing that such weights were trained with; it
rounds to whole values of a byte, which moves no score by more than a few thousandths. Published
configurations are stretched by OpenCV in float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.config import YolactConfig
from model.host.outputs import Floats
from model.input_shape import input_shape

Frame = NDArray[np.uint8]


def prepare(frames: Sequence[Frame], config: YolactConfig) -> Floats:
    """Return the network's input for frames of one size: [B, 3, h, w] float32, normalised RGB.

    frames: at least one, [H, W, 3] uint8 BGR each

    h x w is `input_shape(config, (H, W)).padded`, and what the frame does not fill is 0, the mean colour.
    Raises ValueError on another shape or dtype, or on frames without pixels.
    """
    for frame in frames:
        if frame.ndim != 3 or frame.shape[-1] != 3 or frame.dtype != np.uint8 or frame.size == 0:
            raise ValueError(f"expected a frame [H, W, 3] uint8 BGR, got {list(frame.shape)} {frame.dtype}")
    shape = input_shape(config, (frames[0].shape[0], frames[0].shape[1]))
    height, width = shape.content
    prepared = np.empty((len(frames), 3, *shape.padded), np.float32)
    prepared[:, :, height:] = 0
    prepared[:, :, :height, width:] = 0
    for image, frame in zip(prepared, frames, strict=True):
        _normalise(
            _resized(frame, height, width, config.keeps_aspect_ratio), image[:, :height, :width], config
        )
    return prepared


def _resized(frame: Frame, height: int, width: int, antialias: bool) -> NDArray[np.uint8] | Floats:
    if not antialias:
        pixels = np.ascontiguousarray(frame).astype(np.float32)
        return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    picture = Image.fromarray(np.ascontiguousarray(frame))  # Pillow does not mind which channel is which
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def _normalise(pixels: NDArray[np.uint8] | Floats, image: Floats, config: YolactConfig) -> None:
    """Write pixels [h, w, 3] BGR into image [3, h, w] RGB."""
    planes = cv2.split(pixels)[::-1]
    for plane, target, mean, std in zip(planes, image, config.pixel_mean, config.pixel_std, strict=True):
        cv2.addWeighted(plane, 1 / std, plane, 0, -mean / std, dst=target, dtype=cv2.CV_32F)
