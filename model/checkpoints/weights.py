"""Compare the weights in a file with the parameters of the network that they are for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from model.errors import CheckpointError


def check_shapes(
    path: Path, weights: Mapping[str, Any], expected: Mapping[str, Tensor], network: str
) -> None:
    """Raise CheckpointError on the first key that is missing, of another shape or kind, or surplus.

    Also raises it when the weights take more bytes than the file has. `network` is a name for the message.
    """
    for key, wanted in expected.items():
        got = weights.get(key)
        if got is None and may_be_absent(key):
            continue
        if not isinstance(got, Tensor):
            found = "it is missing" if got is None else f"got {type(got).__name__}"
            raise CheckpointError(f"{path}: {key}: expected {list(wanted.shape)} for {network}, but {found}")
        if got.shape != wanted.shape or got.is_floating_point() != wanted.is_floating_point():
            raise CheckpointError(
                f"{path}: {key}: expected {_described(wanted)} for {network}, got {_described(got)}"
            )
    surplus = next((key for key in weights if key not in expected), None)
    if surplus is not None:
        raise CheckpointError(
            f"{path}: {surplus}: not a part of {network}; are these weights of another model?"
        )
    claimed, held = sum(value.nbytes for value in weights.values()), path.stat().st_size
    if claimed > held:
        raise CheckpointError(
            f"{path}: its weights claim {claimed} bytes, but the file has {held}; it is truncated or forged"
        )


def check_values(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Raise CheckpointError on the first key whose values are not in the file, or not finite."""
    absent = next((key for key, value in weights.items() if value.is_meta), None)
    if absent is not None:
        raise CheckpointError(f"{path}: {absent}: the file describes it, but does not hold it")
    for key, value in weights.items():
        # as float32: isfinite is not implemented for the 8-bit types
        if value.is_floating_point() and not value.float().isfinite().all():
            raise CheckpointError(
                f"{path}: {key}: it holds values that are not finite; the training diverged"
            )


def may_be_absent(key: str) -> bool:
    """Return True for the batch counts of norms: PyTorch before 0.4.1 and frozen norms keep none."""
    return key.endswith("num_batches_tracked")


def _described(tensor: Tensor) -> str:
    return f"{list(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
