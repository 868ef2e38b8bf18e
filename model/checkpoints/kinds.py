"""Tell which model a weights file is of from the names in it; imports no torch."""

from __future__ import annotations

from pathlib import Path

from model.checkpoints.pickled import pickled
from model.sharpmask.config import FORMAT

_MASK_RCNN_MARK = b"roi_heads.mask_predictor."  # no other model's parameters are called so
_SHARPMASK_MARKS = FORMAT.encode(), b"scoreBranch."


def is_mask_rcnn(path: Path) -> bool:
    """Return True if a weights file names the parameters of a Mask R-CNN; False if it cannot be read.

    Reads the first megabyte of names only, so the file may still be broken.
    """
    try:
        return _MASK_RCNN_MARK in pickled(path)
    except Exception:  # a broken file fails in as many ways as there are bytes; who loads it says how
        return False


def is_sharpmask_file(path: Path) -> bool:
    """Return whether a file is a proposal network's, in the project's own form or under the port's names.

    Only a file in which one of the names occurs is read as a whole, which loads PyTorch.
    """
    try:
        content = pickled(path)
    except Exception:  # as above
        return False
    if not any(mark in content for mark in _SHARPMASK_MARKS):
        return False
    from model.checkpoints.sharpmask import holds_sharpmask

    return holds_sharpmask(path)
