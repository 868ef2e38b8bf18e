"""Decoded images that are kept, so that a small data set is read from its files once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BYTES = 256 * 1024 * 1024
"""What one process keeps unless it is told otherwise; about 450 photographs of 512 x 384 pixels."""

Decode = Callable[[Path, bool], NDArray[np.uint8]]


class ImageCache:
    """Decoded images [H, W, 3] uint8 by file, `limit` bytes of them at most.

    The first that come stay: whatever the order in which images are drawn, that saves the share of them
    that fits, where the last to come would push each other out. Nobody may write to what is handed out.
    """

    def __init__(self, decode: Decode, limit: int = BYTES) -> None:
        self._decode = decode
        self._left = limit
        self._kept: dict[tuple[Path, bool], NDArray[np.uint8]] = {}

    def __call__(self, path: Path, upright: bool) -> NDArray[np.uint8]:
        """The image, turned by its EXIF orientation where `upright`. Raises what decoding it raises."""
        kept = self._kept.get((path, upright))
        if kept is not None:
            return kept
        pixels = self._decode(path, upright)
        if pixels.nbytes <= self._left:
            self._left -= pixels.nbytes
            self._kept[path, upright] = pixels
        return pixels
