"""The project's errors, all derived from `LiveMaskError`."""

from __future__ import annotations


class LiveMaskError(Exception):
    """An error that a user can act on: the message says what was got, what was expected and what to do."""


class ConfigError(LiveMaskError):
    """An invalid setting, preset name, class name or threshold."""


class CheckpointError(LiveMaskError):
    """A weights file that is absent, broken, of another model, or not safe to load."""


class DownloadError(LiveMaskError):
    """Weights that could not be downloaded, or that differ from the pinned ones."""


class DataError(LiveMaskError):
    """A data set that cannot be read or holds nothing to train or evaluate on."""


class TrainingError(LiveMaskError):
    """A training run that cannot start or continue."""


class SourceError(LiveMaskError):
    """An image, video or camera that cannot be opened or read."""


class StreamLostError(SourceError):
    """A stream that was lost after its first frames and could not be opened again."""


class SinkError(LiveMaskError):
    """A result that cannot be written."""


_OUT_OF_MEMORY = (
    *("not enough memory", "can't allocate memory", "out of memory"),
    *("bad_alloc", "bad allocation"),
)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return True if an error says that memory is exhausted, whichever library it comes from.

    Most libraries raise a RuntimeError that only its message tells from others.
    """
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _OUT_OF_MEMORY)
