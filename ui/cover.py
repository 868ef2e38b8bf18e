"""When the view hides the whole picture for the sake of privacy, and what it says instead."""

from __future__ import annotations

MOST_SILENCE = 1.0  # seconds without a result of a live source, after which nobody knows who is in view


class Cover:
    """Decides whether the picture that is shown may go on being shown. Times are `time.monotonic()`."""

    def __init__(self, privacy: bool) -> None:
        self._privacy = privacy
        self._since = float("-inf")  # when it was switched on
        self._captured = self._came = 0.0  # of the newest picture

    def privacy_set(self, privacy: bool, now: float) -> None:
        """Privacy was switched on or off; on: pictures captured before it may show what must be hidden."""
        if privacy and not self._privacy:
            self._since = now
        self._privacy = privacy

    def result_came(self, now: float, captured_at: float) -> None:
        """There is a newer picture."""
        self._came, self._captured = now, captured_at

    def reason(self, now: float, is_open: bool, is_live: bool) -> str:
        """Why the picture has to be hidden, for people; "" while it may be shown."""
        if not self._privacy:
            return ""
        if self._captured < self._since:
            return "Hidden until privacy has been applied"
        if not is_open:
            return "Hidden: the source has ended, and privacy is on"
        if is_live and now - self._came > MOST_SILENCE:
            return "Hidden: no people can be looked for at the moment, and privacy is on"
        return ""
