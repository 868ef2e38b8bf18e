"""Pictures in memory that may be lent to native code."""

from __future__ import annotations

import numpy as np

from pipeline.frame import Image

SLACK = 64
"""Bytes behind the last pixel: fast code (of libswscale, of Qt) reads whole registers, beyond it as well."""


def spacious(height: int, width: int) -> Image:
    """A picture [height, width, 3] uint8, not filled yet, with `SLACK` bytes behind it that may be read."""
    size = height * width * 3
    return np.empty(size + SLACK, np.uint8)[:size].reshape(height, width, 3)
