"""The choice of a detector for a predictor and its device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.predictor import Predictor
from pipeline.detectors.base import Detector
from pipeline.detectors.host import HostDetector
from pipeline.detectors.plain import PlainDetector
from pipeline.metrics.run import Metrics
from pipeline.tracking.following import (
    DetectionsFollower,
    FoundFollower,
    make_detections_follower,
    make_follower,
)
from pipeline.tracking.options import FollowOptions

if TYPE_CHECKING:
    from model.instance_predictor import InstancePredictor
    from pipeline.detectors.device_streams import DeviceStreams
    from pipeline.overlay.draw import OverlayStyle


class DetectorBuilder:
    """Builds the detectors of one run, each taking the place of the one before.

    Tracks and their ids go on from one detector to the next of the same kind, and a GPU's streams are used
    again: memory that was freed is kept for its stream, and adds up.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._streams: dict[str, DeviceStreams] = {}
        self._follower: FoundFollower | None = None
        self._plain_follower: DetectionsFollower | None = None  # of what is no network of this project
        self._follow: FollowOptions | None = None  # that the last detector was built with
        self._decoder: object = None  # stays the same as long as masks are described in the same way

    def build(
        self,
        predictor: InstancePredictor,
        follow: FollowOptions | None = None,
        style: OverlayStyle | None = None,
        inspect: bool = False,
    ) -> Detector:
        """Return the detector for the predictor and its device.

        follow:  how instances are followed from frame to frame, None for not at all
        style:   what a GPU draws of YOLACT's results, all but text; None draws nothing
        inspect: results carry an `Inspection` where the network makes masks, which is the CPU's work, or a
                 `ProposalInspection` where it proposes objects

        Raises ConfigError on a choice in `follow` that there is not.
        """
        detector = self._of_every_frame(predictor, follow, style, inspect)
        if follow is None or not follow.skips or inspect:
            return detector
        from pipeline.detectors.keyframes import KeyframeDetector

        return KeyframeDetector(detector, follow, self._metrics)

    def _of_every_frame(
        self,
        predictor: InstancePredictor,
        follow: FollowOptions | None,
        style: OverlayStyle | None,
        inspect: bool,
    ) -> Detector:
        before, self._follow = self._follow, follow
        if not isinstance(predictor, Predictor):
            return self._plain(predictor, self._of_detections(follow, before), inspect)
        follower = self._of_found(follow, before, predictor.decoder)
        return self._of_tensors(predictor, style, follower, inspect)

    def _plain(
        self, predictor: InstancePredictor, follower: DetectionsFollower | None, inspect: bool
    ) -> PlainDetector:
        if inspect:
            from model.sharpmask.predictor import ProposalPredictor
            from pipeline.detectors.inspecting import ProposalInspector

            if isinstance(predictor, ProposalPredictor):
                return ProposalInspector(predictor, self._metrics, follower)
        return PlainDetector(predictor, self._metrics, follower)

    def _of_found(
        self, follow: FollowOptions | None, before: FollowOptions | None, decoder: object
    ) -> FoundFollower | None:
        """Return the follower for a network's stages, which goes by these options from now on."""
        if follow is None:
            self._follower = None
        elif self._follower is None:
            self._follower = make_follower(follow)
        elif follow != before or decoder is not self._decoder:
            self._follower.change(follow)
        self._decoder = decoder
        return self._follower

    def _of_detections(
        self, follow: FollowOptions | None, before: FollowOptions | None
    ) -> DetectionsFollower | None:
        """Return the follower for any other predictor, which goes by these options from now on."""
        if follow is None:
            self._plain_follower = None
        elif self._plain_follower is None:
            self._plain_follower = make_detections_follower(follow)
        elif follow != before:
            self._plain_follower.change(follow)
        return self._plain_follower

    def _of_tensors(
        self, predictor: Predictor, style: OverlayStyle | None, follower: FoundFollower | None, inspect: bool
    ) -> Detector:
        if predictor.device.type != "cuda" or inspect:
            return HostDetector(predictor, self._metrics, inspect, follower)
        from model.torch_predictor import TorchPredictor
        from pipeline.detectors.cuda import CudaDetector
        from pipeline.detectors.device_following import DeviceFollower
        from pipeline.detectors.device_streams import CudaStreams

        assert isinstance(predictor, TorchPredictor)
        device = str(predictor.device)
        if device not in self._streams:
            self._streams[device] = CudaStreams(device)
        following = None if follower is None else DeviceFollower(follower)
        return CudaDetector(predictor, self._metrics, style, self._streams[device], following)


def build_detector(
    predictor: InstancePredictor,
    metrics: Metrics,
    style: OverlayStyle | None = None,
    follow: FollowOptions | None = None,
) -> Detector:
    """Return the detector for the predictor and its device. See `DetectorBuilder.build`."""
    return DetectorBuilder(metrics).build(predictor, follow, style)
