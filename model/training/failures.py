"""What a person can do about the errors of a machine that end a training run."""

from __future__ import annotations

from model.errors import TrainingError, is_out_of_memory
from model.training.data.loader import worker_died


def explained(error: Exception, iteration: int, batch_size: int) -> TrainingError | None:
    """The error in words, with a way out; None where none is known."""
    if worker_died(error):
        return TrainingError(
            f"iteration {iteration}: a process that prepares images died, as when memory runs out; "
            "start again with fewer --workers"
        )
    if is_out_of_memory(error):
        return TrainingError(
            f"iteration {iteration}: the device has not enough memory for {batch_size} images; "
            "start again with a smaller --batch-size or --image-size"
        )
    return None
