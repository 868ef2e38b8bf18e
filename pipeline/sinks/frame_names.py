"""Names of frames, as files in a folder and in lists of tracks."""

from __future__ import annotations

import re

from pipeline.frame import Frame
from pipeline.sources.base import SourceInfo


def harmless(stem: str) -> str:
    """A name without what could lead out of a folder, or what some file systems refuse; may be empty."""
    return re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", stem).strip(". ")


def frames_stem(info: SourceInfo) -> str:
    """Return the stem of the source's file for the names of its frames; "frame" where there is no file."""
    return (harmless(info.path.stem) if info.path else "") or "frame"


def numbered(info: SourceInfo, frame: Frame) -> str:
    """Return the name of a frame that has none of its own, without a suffix: `clip_000041`."""
    return f"{frames_stem(info)}_{frame.index:06d}"
