"""A video that optical flow can follow: a speckled block moves over speckled ground; and its masks."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 96, 128
SIDE = 36
FRAMES = 10


def speckled(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """Smooth noise, [height, width, 3] uint8."""
    rough = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return np.asarray(
        cv2.normalize(cv2.GaussianBlur(rough, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX), np.uint8
    )


def corner(number: int) -> tuple[int, int]:
    """Where the block's upper left corner is in the frame of that number: x, y."""
    return 10 + 3 * number, 30


def frame(number: int) -> NDArray[np.uint8]:
    """[HEIGHT, WIDTH, 3] uint8 BGR."""
    picture = speckled(HEIGHT, WIDTH, 0)
    x, y = corner(number)
    picture[y : y + SIDE, x : x + SIDE] = speckled(SIDE, SIDE, 1)
    return picture


def labels(number: int, value: int = 255) -> NDArray[np.uint8]:
    """[HEIGHT, WIDTH] uint8, `value` where the block is."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    x, y = corner(number)
    mask[y : y + SIDE, x : x + SIDE] = value
    return mask


def write_frames(folder: Path, count: int = FRAMES) -> Path:
    """Frames 0.png, 1.png, …"""
    folder.mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(folder / f"{number}.png"), frame(number))
    return folder


def write_masks(folder: Path, count: int = FRAMES) -> Path:
    """Masks of the same names."""
    folder.mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(folder / f"{number}.png"), labels(number))
    return folder


def write_sequence(folder: Path, count: int = FRAMES) -> Path:
    """A folder with frames/ and masks/."""
    write_frames(folder / "frames", count)
    write_masks(folder / "masks", count)
    return folder
