"""Names of sources as they are shown to the user."""

from __future__ import annotations

from pathlib import PurePath

from pipeline.live.events import Opened
from pipeline.sources import is_camera, which_camera
from pipeline.sources.addresses import is_address, redacted


def label_of(source: str) -> str:
    """Return the name of a source in lists and in the session's events.

    A path stays as it is, an address loses its password, and a camera is called by its number or name.
    """
    return f"Camera {which_camera(source)}".rstrip() if is_camera(source) else redacted(source)


def short_label_of(source: str) -> str:
    """Return the short name of a source: the last part of a path."""
    label = label_of(source)
    return label if is_address(label) or is_camera(source) else PurePath(label).name or label


def name_of(opened: Opened | None) -> str:
    """Return the name by which other events refer to an opened source; "" for None."""
    return "" if opened is None else opened.name or opened.info.name
