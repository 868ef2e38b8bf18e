"""Times and rates as text."""

from __future__ import annotations


def clock(seconds: float | None) -> str:
    """Return minutes, seconds and tenths (1:05.3), with hours if there are any (1:02:05.3); –:– for None."""
    if seconds is None:
        return "–:–"
    tenths = max(0, int(seconds * 10))
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def elapsed(seconds: float) -> str:
    """Return minutes and whole seconds (0:12), with hours if there are any."""
    return clock(seconds).partition(".")[0]


def rate(frames: float) -> str:
    """Return a rate as text, such as 29.9 fps; – fps for 0."""
    return f"{frames:.1f} fps" if frames > 0 else "– fps"
