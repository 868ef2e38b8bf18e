"""Events of errors: a message, details to copy, and never a password."""

from __future__ import annotations

import re
import traceback

from model.errors import LiveMaskError
from pipeline.live.events import Failed
from pipeline.sources.addresses import redacted

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:[/\\]\S*", re.IGNORECASE)


def failed(task: str, error: BaseException, source: str = "") -> Failed:
    """Return the event of an error.

    source: what was opened, as it was typed; where it is an address, its secrets are left out, as are
            those of any other address in the text
    """
    message = str(error) or type(error).__name__
    if not isinstance(error, LiveMaskError):
        message = f"an unexpected error, which is a fault of the program: {type(error).__name__}: {error}"
    details = "".join(traceback.format_exception(error))
    return Failed(task, without_secrets(message, source), without_secrets(details, source))


def without_secrets(text: str, source: str = "") -> str:
    """The text with every address in it, `source` above all, as it may be shown."""
    if source:
        text = text.replace(source, redacted(source))
    return _ADDRESS.sub(lambda address: redacted(address.group()), text)
