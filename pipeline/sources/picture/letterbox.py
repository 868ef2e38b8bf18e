"""Pictures of any size in one of another shape, as a whole and between black bars."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np

from pipeline.frame import Image


def letterboxed(image: Image, size: tuple[int, int], wider: Fraction = Fraction(1)) -> Image:
    """The picture as large as it fits into (height, width), in the middle: [H, W, 3] uint8 BGR.

    Its shape stays, but for the rounding to whole pixels.

    image: [h, w, 3] uint8 BGR of any size
    wider: width of its pixels to the width of those of the result, which are as high
    """
    height, width = size
    shown = image.shape[1] * float(wider)  # columns of the result's, at the picture's own height
    scale = min(height / image.shape[0], width / shown)
    rows, columns = max(round(image.shape[0] * scale), 1), max(round(shown * scale), 1)
    top, left = (height - rows) // 2, (width - columns) // 2
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    boxed = np.zeros((height, width, 3), np.uint8)
    boxed[top : top + rows, left : left + columns] = cv2.resize(
        image, (columns, rows), interpolation=interpolation
    )
    return boxed


def with_square_pixels(image: Image, aspect: Fraction) -> Image:
    """The picture as it looks, stretched along one axis so that its pixels are square: [H, W, 3] uint8 BGR.

    image: [h, w, 3] uint8 BGR; aspect: width of a pixel to its height
    """
    height, width = image.shape[:2]
    size = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
