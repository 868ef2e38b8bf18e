"""Times and rates as people read them."""

from __future__ import annotations


def clock(seconds: float | None) -> str:
    """Minutes and seconds with tenths (1:05.3), with hours where there are any (1:02:05.3); –:– for None."""
    if seconds is None:
        return "–:–"
    tenths = max(0, int(seconds * 10))
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def elapsed(seconds: float) -> str:
    """Minutes and whole seconds (0:12), with hours where there are any."""
    return clock(seconds).partition(".")[0]


def rate(frames: float) -> str:
    """Frames a second: 29.9 fps; – fps for none."""
    return f"{frames:.1f} fps" if frames > 0 else "– fps"
