"""The network in use: loaded in the background, set differently at once, and safe for privacy."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections
from model.errors import ConfigError
from pipeline.frame import Frame
from pipeline.live.events import Event, Loaded, Loading
from pipeline.live.network.comparison import ComparisonStatus, LiveComparison
from pipeline.live.network.fitting import (
    LoadNetwork,
    configured,
    description,
    own_thresholds,
    tracking_options,
    wanted_rows,
    warm_up,
    weights_path,
    with_known_classes,
    with_proposal_settings,
)
from pipeline.live.warnings import failed
from pipeline.settings import DetectionSettings, ProposalSettings

if TYPE_CHECKING:
    from pipeline.detectors.switchable import SwitchableDetector
    from pipeline.live.network.fitting import LiveNetwork


class Networks:
    """The network in use. `load` is for a thread that may take its time; any other may call the rest.

    comparison: learns of every change, for the other side of it goes by this one
    closing:    once it is set nothing is loaded any more, and what was just loaded is not made ready
    """

    def __init__(
        self,
        load: LoadNetwork,
        emit: Callable[[Event], None],
        settings: DetectionSettings,
        private: bool,
        comparison: LiveComparison | None = None,
        closing: threading.Event | None = None,
    ) -> None:
        self._load = load
        self._closing = closing or threading.Event()
        self._emit = emit
        self._lock = threading.RLock()  # guards all that follows
        self._wanted = settings
        self._tried: DetectionSettings | None = None  # loaded last, or about to be
        self._loading = False
        self._failed = False
        self._network: LiveNetwork | None = None
        self._network_settings = settings  # those that it was loaded with
        self._applied = settings  # those that frames are looked at with
        self._proposals = ProposalSettings()
        self._thresholds: Mapping[str, float] = {}  # of its own, by class
        self._privacy_asked = private
        self._private = private  # whether the detector looks for everybody
        self._private_since = -math.inf if private else math.inf
        self._detector: SwitchableDetector | None = None
        self._comparison = comparison
        self._loaded: Loaded | None = None

    @property
    def loaded(self) -> Loaded | None:
        """The network in use."""
        with self._lock:
            settings = self.in_use
            if self._loaded is None or settings is None:
                return None
            return replace(self._loaded, settings=settings)

    @property
    def in_use(self) -> DetectionSettings | None:
        """The settings of the network in use; None without one."""
        with self._lock:
            if self._network is None:
                return None
            return self._applied.with_network_of(self._network_settings)

    @property
    def wanted(self) -> DetectionSettings:
        """The settings that were asked for last."""
        with self._lock:
            return self._wanted

    def attach(self, detector: SwitchableDetector) -> None:
        """Give the network to this detector from now on; the former one keeps its own."""
        with self._lock:
            self._detector = detector
            if self._network is not None:
                self._use(self._network, self._network_settings, self._applied)

    @property
    def missing(self) -> bool:
        """True if there is no network yet and none is being loaded."""
        with self._lock:
            return self._network is None and not self._loading

    @property
    def proposals(self) -> ProposalSettings:
        """The settings of networks that propose objects."""
        with self._lock:
            return self._proposals

    def want(self, settings: DetectionSettings) -> bool:
        """Set the wanted settings and return True if `load` has to be called for them; `apply` does the rest.

        A network that could not be used with the settings of then is tried again with whatever is wanted
        next. One that could not be read is not, whatever else is wanted, until another one was wanted.
        """
        with self._lock:
            self._wanted = settings
            if self._network is not None and not settings.needs_reload(self._network_settings):
                self._tried, self._failed = settings, False
                return False
            if self._tried is not None and not self._failed and not settings.needs_reload(self._tried):
                return False  # it is on its way
            self._tried = settings
            return True

    def apply(self, proposals: ProposalSettings | None = None) -> None:
        """Look at frames as is wanted now, with the network that there is.

        proposals: the settings of networks that propose objects, from now on; None for those before

        Raises ConfigError on what this network cannot do, unless another one is on its way.
        """
        with self._lock:
            self._proposals = proposals or self._proposals
            if self._network is None:
                return
            try:
                self._use(self._network, self._network_settings, self._wanted)
            except ConfigError:
                if not self._wanted.needs_reload(self._network_settings):
                    raise

    def load(self) -> None:
        """Load what is wanted and use it from then on; the network before goes on meanwhile.

        Raises what loading raises; the network before stays in use then. Where there is none, which is at the
        start with settings of another day, the default one is loaded in the place of the one that fails.
        """
        try:
            self._load_wanted()
        except Exception as error:
            if not self._fall_back():
                raise
            told = failed("network", error)
            self._emit(replace(told, message=f"{told.message}; the default network is loaded instead"))
            self._load_wanted()

    def _load_wanted(self) -> None:
        with self._lock:
            settings = self._tried = self._wanted
            if self._network is not None and not settings.needs_reload(self._network_settings):
                return
            self._loading, self._failed = True, False
        self._emit(Loading(weights_path(settings).name))
        network = None
        try:
            network = self._load(settings)
            if self._closing.is_set():  # to make it ready takes as long again
                return
            warm_up(network)
            loaded = self._replace(network, settings)
        except BaseException:
            with self._lock:
                self._failed = network is not None
            raise
        finally:
            with self._lock:
                self._loading = False
        if loaded is not None:
            self._emit(loaded)

    def _fall_back(self) -> bool:
        """Want the default network; False where that, or a newer one, was wanted."""
        with self._lock:
            if self._closing.is_set():
                return False
            default = self._wanted.with_network_of(DetectionSettings())
            tried = self._tried
            newer = tried is None or self._wanted.needs_reload(tried)  # it is on its way
            if self._network is not None or newer or self._wanted == default:
                return False
            self._wanted = default
            return True

    def ask_privacy(self, private: bool) -> None:
        """Announce a call of `keep_private`; takes effect at once, see `must_hide`."""
        self._privacy_asked = private

    def keep_private(self, private: bool, show: Callable[[], None]) -> None:
        """Set whether every person is detected, see `configured`. One thread at a time may call this.

        show: switches what is shown; called while everybody is looked for already, or still
        """
        if private and not self._private:
            self._look_for_everybody(True)
        if not private:
            self._private_since = math.inf
        show()
        if private:
            self._private_since = min(self._private_since, monotonic())
        elif self._private:
            self._look_for_everybody(False)

    @property
    def compared(self) -> ComparisonStatus:
        """The status of the comparison with it."""
        return ComparisonStatus() if self._comparison is None else self._comparison.status

    def compared_broke(self, error: Exception) -> None:
        """Report that the right side of the comparison has failed with a frame."""
        if self._comparison is not None:
            self._comparison.broke(error)

    def overlooked(self, frame: Frame) -> bool:
        """Return True if a person may have been missed in this frame: it was captured before every person
        was to be detected."""
        return self._private and frame.captured_at < self._private_since

    def must_hide(self, frame: Frame) -> bool:
        """Return True if a frame must not be shown: privacy was asked for, and people may be missed in it.
        This holds from the moment of the request on, even while `keep_private` waits."""
        return self._privacy_asked and frame.captured_at < self._private_since

    def wanted_rows(self, detections: Detections) -> NDArray[np.int64]:
        """See the function of that name. Never waits."""
        return wanted_rows(self._applied, detections, self._private, self._thresholds)

    def _look_for_everybody(self, private: bool) -> None:
        with self._lock:
            self._private = private
            if self._network is not None:
                self._use(self._network, self._network_settings, self._applied)

    def _replace(self, network: LiveNetwork, settings: DetectionSettings) -> Loaded | None:
        """Use a network that was loaded; returns what is in use then, None when another one will be."""
        with self._lock:
            if self._wanted.needs_reload(settings):  # another choice was made meanwhile
                is_back = self._network is not None and not self._wanted.needs_reload(self._network_settings)
                return self.loaded if is_back else None
            self._use(network, settings, self._wanted)
            self._network, self._network_settings = network, settings
            self._loaded = description(network, self._applied)
            return self._loaded

    def _use(self, network: LiveNetwork, loaded_with: DetectionSettings, settings: DetectionSettings) -> None:
        network = with_proposal_settings(network, self._proposals)
        predictor = configured(network, settings, self._private)
        follow = tracking_options(settings, self._private)
        settings = with_known_classes(settings, network.class_names)
        self._applied, self._thresholds = settings, own_thresholds(network)
        if self._detector is not None:
            self._detector.use(predictor, follow)
        if self._comparison is not None:
            left = settings.with_network_of(loaded_with)
            self._comparison.set_left(network, left, self._private, self._detector)
