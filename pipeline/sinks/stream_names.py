"""Metadata of a container's tracks and parts: names, languages, chapters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from av.stream import Stream

if TYPE_CHECKING:
    from av.container.core import Chapter

_MOST_CHAPTERS = 255  # that mp4 and mov take
# placeholders that programs write where there is no name
_NO_NAME = re.compile(
    r"\x0b?(video|sound|audio|subtitle|data|text|metadata)\s*(media)?\s*(handle?r?)?|.*\bhandler|vide|soun"
    r"|core media .*|.*\bgpac\b.*|.*produced by.*|l-smash .*|mainconcept.*",
    re.IGNORECASE,
)
_THREE_LETTERS = re.compile(r"[a-z]{3}")


def name_of(metadata: Mapping[str, str]) -> str:
    """Return the name of a track, in any container; "" where it has none."""
    told = {key.lower(): value.strip() for key, value in metadata.items()}
    for key in ("title", "name", "handler_name"):
        name = told.get(key, "")
        if name and not (key == "handler_name" and _NO_NAME.fullmatch(name)):
            return name
    return ""


def carry_names(source: Stream, target: Stream, format_name: str) -> str:
    """Give a track the name and the language of another; returns the language where it cannot be kept."""
    if name := name_of(source.metadata):
        target.metadata["title"] = name  # stored as `name` by mp4
        if format_name in ("mp4", "mov"):
            target.metadata["handler_name"] = name
    language = source.metadata.get("language", "")
    if not language or language == "und":
        return ""
    target.metadata["language"] = language
    kept = format_name not in ("mp4", "mov") or _THREE_LETTERS.fullmatch(language)
    return "" if kept else language


def moved_chapters(chapters: Sequence[Chapter], origin: Fraction, end: Fraction | None) -> list[Chapter]:
    """Chapters, as PyAV has them, in a time that begins at `origin`; only those that begin before `end`."""
    kept = []
    for chapter in chapters:
        base = chapter["time_base"] or Fraction(1)
        begin, stop = chapter["start"] * base - origin, chapter["end"] * base - origin
        if end is not None:
            stop = min(stop, end)
        if stop > max(begin, Fraction(0)) or (begin >= 0 and end is None):
            start, stop = max(begin, Fraction(0)), max(begin, stop, Fraction(0))
            moved = chapter.copy()
            moved["start"], moved["end"] = round(start / base), round(stop / base)
            kept.append(moved)
    return kept


def held_chapters(chapters: Sequence[Chapter], format_name: str) -> Sequence[Chapter]:
    """Return the chapters that a container of that format can hold."""
    return chapters[:_MOST_CHAPTERS] if format_name in ("mp4", "mov") else chapters
