"""Options of tracking, checked once; neither torch nor NumPy is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from model.errors import ConfigError
from model.names import did_you_mean
from pipeline.tracking import TRACKERS

STABILISE_KINDS = ("off", "light", "strong")
MOST_KEYFRAMES = 30


@dataclass(frozen=True)
class FollowOptions:
    """Options of tracking instances from frame to frame.

    tracker:     a key of `TRACKERS`
    stabilise:   one of `STABILISE_KINDS`: "off" leaves detections as they are
    keyframes:   the network looks at one of so many frames at least; on those between, what was found is
    moved
                 along. 1 for every frame
    reuse_still: the network does not look at a frame that does not differ from the last one that it saw
    """

    tracker: str = "bytetrack"
    stabilise: str = "off"
    keyframes: int = 1
    reuse_still: bool = False

    @property
    def skips(self) -> bool:
        """True where the network need not look at every frame."""
        return self.keyframes > 1 or self.reuse_still

    def check(self) -> None:
        """Raise ConfigError on a choice that there is not."""
        _check("tracker", self.tracker, tuple(TRACKERS))
        _check("strength of stabilising", self.stabilise, STABILISE_KINDS)
        if not 1 <= self.keyframes <= MOST_KEYFRAMES:
            raise ConfigError(f"one of 1 to {MOST_KEYFRAMES} frames is a key frame, got {self.keyframes}")


def _check(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
        raise ConfigError(f"no {what} is named {name!r}; {hint}")
