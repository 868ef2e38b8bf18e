"""The project's errors: one small tree, so that a caller can catch as wide or as narrow as it likes."""

from __future__ import annotations


class LiveMaskError(Exception):
    """Something a user can act on. The message says what was got, what was expected and what to do."""


class ConfigError(LiveMaskError):
    """A setting, preset name, class name or threshold that makes no sense."""


class CheckpointError(LiveMaskError):
    """A weights file that is absent, broken, of another model, or not safe to load."""


class DownloadError(LiveMaskError):
    """Weights that could not be fetched, or that are not what they were before."""


class DataError(LiveMaskError):
    """A data set that cannot be read or holds nothing to learn from or to measure."""


class TrainingError(LiveMaskError):
    """A training run that cannot start or go on."""


class SourceError(LiveMaskError):
    """An image, video or camera that cannot be opened or read."""


class StreamLostError(SourceError):
    """A stream that gave pictures, and is gone for good."""


class SinkError(LiveMaskError):
    """A result that cannot be written."""


_OUT_OF_MEMORY = (
    *("not enough memory", "can't allocate memory", "out of memory"),
    *("bad_alloc", "bad allocation"),
)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error says that memory does not suffice, whichever library it comes from.

    Most of them have no exception of their own for it, and say so in a RuntimeError's text.
    """
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _OUT_OF_MEMORY)
