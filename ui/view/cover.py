"""The rule by which the view hides the whole picture for privacy."""

from __future__ import annotations

MOST_SILENCE = 1.0  # seconds that a result may be late before the picture is hidden


class PrivacyCover:
    """Decide whether the shown picture may stay visible. Times are `time.monotonic()`.

    A live source has to deliver results all the time. A played one has to once its position has changed: a
    filtered picture may stay visible for any time while the playback is paused.
    """

    def __init__(self, privacy: bool) -> None:
        self._privacy = privacy
        self._since = float("-inf")  # time at which privacy was switched on
        self._captured = self._came = 0.0  # times of the newest picture
        self._position = 0.0  # of the playback
        self._went_on: float | None = None  # time at which the position changed after the newest picture

    def privacy_set(self, privacy: bool, now: float) -> None:
        """Note that privacy was switched; pictures captured before it was switched on may show people."""
        if privacy and not self._privacy:
            self._since = now
        self._privacy = privacy

    def result_came(self, now: float, captured_at: float) -> None:
        """Note that a newer picture arrived."""
        self._came, self._captured = now, captured_at
        self._went_on = None

    def played_to(self, now: float, position: float) -> None:
        """Note the position of the playback; called before `result_came` for a result up to it."""
        if position != self._position:
            self._position = position
            self._went_on = now if self._went_on is None else self._went_on

    def reason(self, now: float, is_open: bool, is_live: bool) -> str:
        """Return the reason why the picture has to be hidden, for the user; "" while it may be shown."""
        if not self._privacy:
            return ""
        if self._captured < self._since:
            return "Hidden until privacy has been applied"
        if not is_open:
            return "Hidden: the source has ended, and privacy is on"
        due = self._came if is_live else self._went_on
        if due is not None and now - due > MOST_SILENCE:
            return "Hidden: people cannot be detected at the moment, and privacy is on"
        return ""
