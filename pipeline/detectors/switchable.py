"""A detector whose network is chosen, and chosen anew, while frames come in."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.detections import no_detections
from pipeline.detectors.base import Detector, Pending
from pipeline.frame import Frame, Result
from pipeline.metrics.run import Metrics
from pipeline.tracking.options import FollowOptions

# torch is loaded with the first network: frames are shown before that
if TYPE_CHECKING:
    from model.instance_predictor import InstancePredictor, LoadedPredictor
    from model.predictor import Predictor
    from pipeline.detectors.device_streams import DeviceStreams
    from pipeline.tracking.following import DetectionsFollower, FoundFollower

Adopt = Callable[["Predictor"], None]
"""Makes ready for a network in the thread that uses it: PyTorch's threads are counted by thread."""


@dataclass(frozen=True)
class _Choice:
    """What is to be detected with. predictor: None for not at all."""

    predictor: LoadedPredictor | None = None
    inspect: bool = False
    follow: FollowOptions | None = None


class SwitchableDetector:
    """Lets frames pass with nothing found until a network is there. See `Detector`.

    The network and what is told of it may be changed from any thread, without waiting; the next batch that
    is begun goes by it. One batch is on its way at a time: somebody watches, so that the age of the newest
    frame counts more than the number of frames, and no batch of a former network is left at a change.

    adopt: called before a network's first batch
    """

    slots = 1

    def __init__(self, metrics: Metrics, adopt: Adopt | None = None) -> None:
        self._metrics = metrics
        self._adopt = adopt
        self._lock = threading.Lock()
        self._wanted = _Choice()
        # these belong to the thread that submits
        self._used = self._wanted
        self._detector: Detector = _Nothing()
        self._streams: dict[str, DeviceStreams] = {}
        self._follower: FoundFollower | None = None
        self._plain_follower: DetectionsFollower | None = None  # of what is no network of this project

    @property
    def inspect(self) -> bool:
        """Whether results carry an `Inspection`, where the network makes masks. Costs a copy a frame."""
        return self._wanted.inspect

    @inspect.setter
    def inspect(self, wanted: bool) -> None:
        """From the next batch on."""
        with self._lock:
            self._wanted = dataclasses.replace(self._wanted, inspect=wanted)

    @property
    def follow(self) -> FollowOptions | None:
        """How instances are followed from frame to frame; None for not at all.

        Tracks and their ids go on when the network or its options change, and when these options do as long
        as the tracker is the same one.
        """
        return self._wanted.follow

    @follow.setter
    def follow(self, wanted: FollowOptions | None) -> None:
        """From the next batch on. Raises ConfigError on a choice that there is not."""
        if wanted is not None:
            wanted.check()
        with self._lock:
            self._wanted = dataclasses.replace(self._wanted, follow=wanted)

    def use(self, predictor: LoadedPredictor | None) -> None:
        """Detect with this one from the next batch on, None for not at all; the one before is let go of.

        No other thread may start its engine while this detector does.
        """
        with self._lock:
            self._wanted = dataclasses.replace(self._wanted, predictor=predictor)

    def submit(self, frames: Sequence[Frame]) -> Pending:
        """See `Detector.submit`."""
        wanted = self._wanted
        if wanted is not self._used:
            self._detector = self._build(wanted)
            self._used = wanted
        return self._detector.submit(frames)

    def _build(self, choice: _Choice) -> Detector:
        if choice.predictor is None:
            return _Nothing()
        from model.predictor import Predictor
        from pipeline.detectors.host import HostDetector

        if not isinstance(choice.predictor, Predictor):
            return self._plain(choice.predictor, choice.follow)
        if self._adopt is not None:
            self._adopt(choice.predictor)
        self._follow(choice)
        if choice.predictor.device.type == "cuda" and not choice.inspect:
            return self._on_gpu(choice.predictor)
        return HostDetector(choice.predictor, self._metrics, choice.inspect, self._follower)

    def _follow(self, choice: _Choice) -> None:
        """Make the follower go by this choice."""
        if choice.follow is None:
            self._follower = None
        elif self._follower is None:
            from pipeline.tracking.following import make_follower

            self._follower = make_follower(choice.follow)
        elif choice.follow != self._used.follow or _network(choice) is not _network(self._used):
            self._follower.change(choice.follow)

    def _plain(self, predictor: InstancePredictor, follow: FollowOptions | None) -> Detector:
        """For a predictor that tells nothing of what goes on inside it."""
        from pipeline.detectors.plain import PlainDetector

        if follow is None:
            self._plain_follower = None
        elif self._plain_follower is None:
            from pipeline.tracking.following import make_detections_follower

            self._plain_follower = make_detections_follower(follow)
        elif follow != self._used.follow:
            self._plain_follower.change(follow)
        return PlainDetector(predictor, self._metrics, self._plain_follower)

    def _on_gpu(self, predictor: Predictor) -> Detector:
        """On the same streams each time: memory that was freed is kept for its stream, and adds up."""
        from pipeline.detectors.cuda import CudaDetector
        from pipeline.detectors.device_streams import CudaStreams

        device = str(predictor.device)
        if device not in self._streams:
            self._streams[device] = CudaStreams(predictor.device)
        return CudaDetector(predictor, self._metrics, None, self._streams[device], self._follower)


def _network(choice: _Choice) -> object:
    """What stays the same as long as masks are described in the same way, whatever else is set."""
    return getattr(choice.predictor, "decoder", choice.predictor)


class _Nothing:
    """Finds nothing."""

    slots = 1

    def submit(self, frames: Sequence[Frame]) -> Pending:
        """See `Detector.submit`."""
        return lambda: [Result(frame, no_detections(frame.size, ())) for frame in frames]
