"""Options of tracking, checked once; neither torch nor NumPy is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from model.errors import ConfigError
from model.names import did_you_mean
from pipeline.tracking import TRACKERS

STABILISE_KINDS = ("off", "light", "strong")


@dataclass(frozen=True)
class FollowOptions:
    """Options of tracking instances from frame to frame.

    tracker:   a key of `TRACKERS`
    stabilise: one of `STABILISE_KINDS`: "off" leaves detections as they are
    """

    tracker: str = "bytetrack"
    stabilise: str = "off"

    def check(self) -> None:
        """Raise ConfigError on a choice that there is not."""
        _check("tracker", self.tracker, tuple(TRACKERS))
        _check("strength of stabilising", self.stabilise, STABILISE_KINDS)


def _check(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
        raise ConfigError(f"no {what} is named {name!r}; {hint}")
