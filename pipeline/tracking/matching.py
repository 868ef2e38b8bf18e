"""Matching of the detections of two frames by their overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pairs(overlap: NDArray[np.float64], least: float) -> dict[int, int]:
    """Column -> row, each used once, the largest values of `overlap` first, as far as they reach `least`."""
    found: dict[int, int] = {}
    rows, columns = np.nonzero(overlap >= least)
    order = np.argsort(-overlap[rows, columns], kind="stable")
    taken: set[int] = set()
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in taken and column not in found:
            found[column] = row
            taken.add(row)
    return found
