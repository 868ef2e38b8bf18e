"""Backgrounds behind the instances: the picture itself, the picture blurred, a colour or another picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from model.detections import Detections
from pipeline.frame import Image
from pipeline.settings import Background as Kind
from pipeline.settings import Colour

_SHRINK = 8  # a blurred picture holds nothing that a smaller one does not
_BLUR = 0.025  # standard deviation as a part of the frame's mean side
_SOFT = 3  # pixels over which an instance passes into its background, odd

Mask = NDArray[np.uint8]


class Background:
    """Puts instances before another background.

    kind:    "kept" leaves everything as it is, and so does "picture" where there is none
    colour:  BGR, for "colour"
    picture: [h, w, 3] uint8 BGR of any size; it covers the frame, cut evenly where its shape differs

    Used by one thread at a time, for the picture is kept at the size of the frames.
    """

    def __init__(self, kind: Kind = "kept", colour: Colour = (0, 0, 0), picture: Image | None = None) -> None:
        self._kind: Kind = "kept" if kind == "picture" and picture is None else kind
        self._colour = colour
        self._picture = picture
        self._fitted: Image | None = None

    def __call__(self, image: Image, detections: Detections) -> Image:
        """image: [H, W, 3] uint8 BGR, which stays as it is. Returns a picture of the same size.

        Instances are their masks, or their boxes where there are no masks.
        """
        if self._kind == "kept":
            return image
        instances = foreground(detections)
        picture = blurred(image, instances) if self._kind == "blurred" else self._backdrop(image).copy()
        _put_before(picture, image, instances)
        return picture

    def _backdrop(self, image: Image) -> Image:
        if self._fitted is None or self._fitted.shape != image.shape:
            shape = image.shape[0], image.shape[1]
            if self._picture is not None and self._kind == "picture":
                self._fitted = covering(self._picture, shape)
            else:
                self._fitted = np.full((*shape, 3), self._colour, np.uint8)
        return self._fitted


def foreground(detections: Detections) -> Mask:
    """[H, W] uint8, 255 in every instance, 0 elsewhere."""
    mask = np.zeros(detections.image_size, np.uint8)
    if detections.crops is None:
        for x1, y1, x2, y2 in np.concatenate(
            [np.floor(detections.boxes[:, :2]), np.ceil(detections.boxes[:, 2:])], axis=1
        ).astype(int):
            mask[y1:y2, x1:x2] = 255
        return mask
    for crop in detections.crops:
        h, w = crop.pixels.shape
        window = mask[crop.y : crop.y + h, crop.x : crop.x + w]
        window |= np.ascontiguousarray(crop.pixels).view(np.uint8) * np.uint8(255)
    return mask


def blurred(image: Image, instances: Mask) -> Image:
    """The picture without sharpness, made of what lies outside of the instances: they have no halo."""
    height, width = instances.shape
    small = (max(width // _SHRINK, 1), max(height // _SHRINK, 1))
    colours = cv2.resize(image, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    # a little weight is left to the instances, for a frame that is full of them
    outside = (cv2.resize(instances, small, interpolation=cv2.INTER_AREA) == 0) + np.float32(1e-3)
    sigma = max(_BLUR * (small[0] * small[1]) ** 0.5, 0.5)
    weights = cv2.GaussianBlur(outside, (0, 0), sigma)[..., None]
    soft = cv2.GaussianBlur(colours * outside[..., None], (0, 0), sigma) / weights
    rounded = soft.round().astype(np.uint8)
    return np.asarray(cv2.resize(rounded, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def covering(picture: Image, size: tuple[int, int]) -> Image:
    """The middle of a picture, as large as covers (height, width): [H, W, 3] uint8."""
    height, width = size
    scale = max(height / picture.shape[0], width / picture.shape[1])
    rows, columns = round(height / scale), round(width / scale)  # of the picture that can be seen
    top, left = (picture.shape[0] - rows) // 2, (picture.shape[1] - columns) // 2
    part = picture[top : top + max(rows, 1), left : left + max(columns, 1)]
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (width, height), interpolation=interpolation), np.uint8)


def _put_before(picture: Image, image: Image, instances: Mask) -> None:
    """Show the instances of `image` in `picture`, into which their edges pass softly."""
    x, y, w, h = cv2.boundingRect(instances)
    if not w:
        return
    window = np.s_[max(y - _SOFT, 0) : y + h + _SOFT, max(x - _SOFT, 0) : x + w + _SOFT]
    mask, part = instances[window], picture[window]
    cv2.copyTo(image[window], mask, part)
    edges = cv2.inRange(cv2.blur(mask, (_SOFT, _SOFT)), np.array(1), np.array(254))
    cv2.copyTo(cv2.blur(part, (_SOFT, _SOFT)), edges, part)  # mixed along the edges alone
