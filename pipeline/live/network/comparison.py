"""The right side of a comparison: what finds its instances, and why there is none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from model.errors import ConfigError
from pipeline.live.events import Event
from pipeline.live.network.fitting import LoadAnyNetwork, configured, tracking_options, warm_up
from pipeline.live.warnings import failed
from pipeline.settings import ComparisonSettings, DetectionSettings

if TYPE_CHECKING:
    from model.instance_predictor import LoadedPredictor
    from pipeline.detectors.switchable import SwitchableDetector
    from pipeline.live.network.fitting import LiveNetwork

TOPIC = "comparison"

State = Literal["off", "waiting", "private", "loading", "failed", "on"]
"""States: not asked for; nothing to compare with yet; not while people are hidden; the other
network is on its way; it cannot be had; it goes on."""


@dataclass(frozen=True)
class ComparisonStatus:
    """A comparison at one moment. left, right: what both sides find instances by; None as long as unknown."""

    state: State = "off"
    left: DetectionSettings | None = None
    right: DetectionSettings | None = None
    problem: str = ""


@dataclass(frozen=True)
class _Broken:
    """Settings that could not be loaded, or failed with a frame, and the message about it."""

    settings: DetectionSettings
    problem: str


@dataclass(frozen=True)
class _Left:
    """The left side. detector: of the source that is shown."""

    network: LiveNetwork
    settings: DetectionSettings
    private: bool
    detector: SwitchableDetector | None


class LiveComparison:
    """Sets the right side by the left one and by what is to differ.

    It uses the left side's own network where only thresholds, NMS or the stabiliser differ, else another
    one, which is given up when it is not compared with any more. With privacy there is no comparison: what
    finds less than everybody must not be shown. `load` is for a thread that may take its time; any other may
    call the rest.
    """

    def __init__(self, load: LoadAnyNetwork, emit: Callable[[Event], None], ask: Callable[[], None]) -> None:
        """ask: called, from any thread, when `load` has to be called; it must return at once."""
        self._load = load
        self._emit = emit
        self._ask = ask
        self._lock = threading.RLock()  # guards all that follows
        self._settings = ComparisonSettings()
        self._left: _Left | None = None
        self._network: LoadedPredictor | None = None
        self._network_settings = DetectionSettings()  # those that it was loaded with, or is to be
        self._broken: _Broken | None = None
        self._status = ComparisonStatus()

    @property
    def status(self) -> ComparisonStatus:
        """The comparison's present status."""
        return self._status

    def choose(self, settings: ComparisonSettings) -> None:
        """Compare like that from the next frame on, or once the other network is loaded."""
        with self._lock:
            self._settings = settings
            self._broken = None  # it is tried again with whatever is chosen next
            self._refresh()

    def set_left(
        self,
        network: LiveNetwork,
        settings: DetectionSettings,
        private: bool,
        detector: SwitchableDetector | None,
    ) -> None:
        """Learn what the left side is from now on."""
        with self._lock:
            self._left = _Left(network, settings, private, detector)
            self._refresh()

    def broke(self, error: Exception) -> None:
        """The right side has failed with a frame: there is none until something else is chosen."""
        with self._lock:
            right = self._status.right
            if self._status.state == "on" and right is not None:
                self._break(error, right)

    def load(self) -> None:
        """Load the network that the right side needs. Raises nothing: what fails is told."""
        with self._lock:
            wanted = self._status.right
            if self._status.state != "loading" or wanted is None:
                return  # something else was chosen meanwhile
        try:
            network = self._load(wanted)
            warm_up(network)
        except Exception as error:
            with self._lock:
                right = self._status.right if self._status.state == "loading" else None
                if right is not None and not right.needs_reload(wanted):  # else something else was chosen
                    self._break(error, right)
            return
        with self._lock:
            self._network, self._network_settings = network, wanted
            self._refresh()

    def _refresh(self) -> None:
        left = self._left
        if left is None or not self._settings.on or left.private:
            self._network = None
            self._set_status(self._idle_state())
            return
        right = self._settings.right_of(left.settings)
        if self._broken is not None and not right.needs_reload(self._broken.settings):
            self._set_status("failed", right, self._broken.problem)
            return
        try:
            predictor = self._predictor(left, right)
            follow = tracking_options(right, private=False)
        except ConfigError as error:
            self._fail(error, right)
            return
        if predictor is None:
            self._set_status("loading", right)
            self._ask()
            return
        self._set_status("on", right)
        if left.detector is not None:
            left.detector.compare(predictor, follow)

    def _predictor(self, left: _Left, right: DetectionSettings) -> LoadedPredictor | None:
        """Return the right side's predictor, or None if it has to be loaded. Raises ConfigError."""
        if not right.needs_reload(left.settings):
            self._network = None
            return configured(left.network, right, private=False)
        if self._network is None or right.needs_reload(self._network_settings):
            return None
        return _reconfigured(self._network, self._network_settings, right)

    def _idle_state(self) -> State:
        if not self._settings.on:
            return "off"
        return "waiting" if self._left is None else "private"

    def _break(self, error: Exception, right: DetectionSettings) -> None:
        self._fail(error, right)
        self._broken = _Broken(right, self._status.problem)

    def _fail(self, error: Exception, right: DetectionSettings) -> None:
        told = failed(TOPIC, error)
        news = (told.message, right) != (self._status.problem, self._status.right)
        self._set_status("failed", right, told.message)
        if news:
            self._emit(replace(told, message=f"The comparison does not work: {told.message}"))

    def _set_status(self, state: State, right: DetectionSettings | None = None, problem: str = "") -> None:
        left = None if self._left is None else self._left.settings
        self._status = ComparisonStatus(state, left, right, problem)
        if state != "on" and self._left is not None and self._left.detector is not None:
            self._left.detector.compare(None)


def _reconfigured(
    network: LoadedPredictor, loaded_with: DetectionSettings, settings: DetectionSettings
) -> LoadedPredictor | None:
    """A network of the right side's own with these settings; None where it has to be loaded for them."""
    from model.mask_rcnn import MaskRcnnPredictor

    if not isinstance(network, MaskRcnnPredictor):
        return configured(network, settings, private=False)
    # it takes its settings when it is loaded, but for those that follow what it finds
    return network if settings.as_followed(loaded_with) == loaded_with else None
