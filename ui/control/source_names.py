"""What to call a source that somebody has asked for."""

from __future__ import annotations

from pathlib import PurePath

from pipeline.live.events import Opened
from pipeline.sources import is_camera, which_camera
from pipeline.sources.addresses import is_address, redacted


def label_of(source: str) -> str:
    """A source as it stands in a list, and as the session's events call it: a path as it is, an address
    without its password, a camera by its number or name."""
    return f"Camera {which_camera(source)}".rstrip() if is_camera(source) else redacted(source)


def short_label_of(source: str) -> str:
    """The same in short: of a path the last part."""
    label = label_of(source)
    return label if is_address(label) or is_camera(source) else PurePath(label).name or label


def name_of(opened: Opened | None) -> str:
    """What the other events call a source that was opened; "" for none."""
    return "" if opened is None else opened.name or opened.info.name
