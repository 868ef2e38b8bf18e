"""Detection on a GPU: upload, inference and download side by side, each on a stream of its own.

    upload       frames ▸ device ▸ network's input ─┐
    inference                                       └▸ forward ▸ NMS ▸ masks ▸ overlay ─┐
    download                                                                            └▸ results ─┐
    host         frames ▸ pinned memory                                waits, once a batch, ◂───────┘

Each bend is an event. A batch's memory is a slot of a ring: pinned memory either way and the device's copy
of the frames, which are used again, and the tensors of this batch. No stream waits for memory to become
free: a slot is used again, and its tensors go back to the allocator, only after the host has waited for
the download's event, which comes after everything that was done with them. So `record_stream` is not
needed either, although tensors are made on one stream and read on another.

This order is proved on the CPU with streams that are put off and run in unkind orders
(`tests/pipeline/deferred_streams.py`). It was never run on a GPU so far: that it gives the CPU's results
there, overlaps, and waits only once are claims to be tested.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from model.detection.decoding import for_frames
from model.detection.postprocessing import Found, add_masks, suppress, to_detections
from model.preprocessing import preprocess
from model.torch_predictor import TorchPredictor
from pipeline.detectors.base import Pending, StageClock
from pipeline.detectors.device_buffers import Buffer, Layout
from pipeline.detectors.device_clock import DeviceClock, DeviceLaps
from pipeline.detectors.device_streams import DeviceEvent, DeviceStreams
from pipeline.frame import Frame, Image, Result
from pipeline.metrics.run import Metrics
from pipeline.overlay.device import draw_masks
from pipeline.overlay.draw import OverlayStyle

if TYPE_CHECKING:
    from pipeline.detectors.device_following import DeviceFollower

SLOTS = 3  # one batch is uploaded, one goes through the network and one is downloaded

UPLOAD, INFERENCE, DOWNLOAD = "upload", "inference", "download"


class CudaDetector:
    """Detection on a GPU, `SLOTS` batches at a time. See `Detector`.

    The host waits once a batch, when it is collected; exact NMS, whose shapes depend on values, waits on
    its own account as well. Frames of a batch are of one size. The first batch, and every one that is
    larger than all before, also waits for memory.

    Instances are followed on the host: `submit` waits for the forward pass and the NMS then, for masks are
    made after it, and the next batch is uploaded only meanwhile.
    """

    def __init__(
        self,
        predictor: TorchPredictor,
        metrics: Metrics,
        style: OverlayStyle | None,
        streams: DeviceStreams,
        follower: DeviceFollower | None = None,
    ) -> None:
        """style: what is drawn on the device, all but text: results come with `annotated`, an array of their
        own for whoever adds labels. None draws nothing. follower: gives tracks.
        """
        self._predictor = predictor
        self._metrics = metrics
        self._style = style
        self._follower = follower
        self._streams = streams
        self._clock = DeviceClock(metrics)
        self._ring = deque(_Slot(streams, torch.device(str(predictor.device))) for _ in range(SLOTS))

    @property
    def slots(self) -> int:
        """Number of streams to keep busy."""
        return SLOTS

    @torch.no_grad()
    def submit(self, frames: Sequence[Frame]) -> Pending:
        """See `Detector.submit`."""
        slot = self._ring[0]
        self._ring.rotate(-1)
        slot.wait()  # for a batch that was forgotten; one that was collected is over
        slot.free()
        host = StageClock(self._metrics, frames)
        slot.stage([frame.image for frame in frames])
        host.lap("prepare")
        laps = DeviceLaps(self._streams)
        with self._streams.stream(UPLOAD):
            laps.start("gpu upload")
            pictures = slot.upload()
            images = self._prepare(pictures)
            uploaded = laps.lap("prepare")
        with self._streams.stream(INFERENCE):
            uploaded.wait()
            laps.start("gpu inference")
            found = self._find(images, frames, laps)
            painted = self._draw(pictures, found, laps)
        with self._streams.stream(DOWNLOAD):
            laps.last.wait()
            laps.start("gpu download")
            slot.download(images, found, painted)
            slot.done = laps.lap("masks")
        return lambda: self._collect(frames, slot, host, laps)

    def _prepare(self, pictures: Sequence[Tensor]) -> Tensor:
        """Frames [H, W, 3] uint8 BGR -> [B, 3, h, w] float32."""
        config = self._predictor.config
        prepared = [preprocess(picture[None], config) for picture in pictures]
        return prepared[0] if len(prepared) == 1 else torch.cat(prepared)

    def _find(self, images: Tensor, frames: Sequence[Frame], laps: DeviceLaps) -> Found:
        options = self._predictor.options
        raw = self._predictor.engine.start(images)()
        raw, decoder = for_frames(raw, self._predictor.decoder, frames[0].size)
        laps.lap("forward")
        follower = self._follower
        found = suppress(raw, decoder, options if follower is None else follower.widened(options))
        laps.lap("nms")
        if follower is not None:
            found = follower(found, raw, options.thresholds(decoder.config), frames)
            laps.lap("track")
        found = add_masks(found, raw, decoder, options)
        laps.lap("masks")
        return found

    def _draw(self, pictures: Sequence[Tensor], found: Found, laps: DeviceLaps) -> list[Tensor]:
        if self._style is None:
            return []
        painted = [draw_masks(picture, found, i, self._style) for i, picture in enumerate(pictures)]
        laps.lap("overlay")
        return painted

    def _collect(
        self, frames: Sequence[Frame], slot: _Slot, host: StageClock, laps: DeviceLaps
    ) -> list[Result]:
        slot.wait()
        host.restart(monotonic())
        sizes = [frame.size for frame in frames]
        detections = to_detections(
            slot.found, sizes, self._predictor.config.class_names, self._predictor.options
        )
        host.lap("masks")
        annotated: Sequence[Image | None] = [None] * len(frames)
        if self._style is not None:
            # the slot's memory is written to again while the result is still on its way
            annotated = [picture.numpy().copy() for picture in slot.painted]
            host.lap("overlay")
        slot.free()
        timings = _sum(host.timings(), self._clock.report(laps, frames))
        results = zip(frames, detections, annotated, strict=True)
        return [Result(frame, found, timings, picture) for frame, found, picture in results]


def _sum(host: Mapping[str, float], device: Mapping[str, float]) -> Mapping[str, float]:
    """Seconds by stage: some stages work in both places."""
    return MappingProxyType(
        {stage: host.get(stage, 0.0) + device.get(stage, 0.0) for stage in {**host, **device}}
    )


class _Slot:
    """The memory of one batch. What the device works on is left alone until `wait` has returned."""

    def __init__(self, streams: DeviceStreams, device: torch.device) -> None:
        self._staged = Buffer(streams.pinned)
        self._frames = Buffer(lambda size: torch.empty(size, dtype=torch.uint8, device=device))
        self._results = Buffer(streams.pinned)
        self._layouts: list[Layout] = []
        self._kept: tuple[object, ...] = ()
        self.done: DeviceEvent | None = None  # the end of the batch that is on its way
        self.found: Found
        self.painted: Sequence[Tensor]

    def stage(self, images: Sequence[Image]) -> None:
        """Copy frames, each [H, W, 3] uint8, into pinned memory."""
        self._layouts = [Layout(image.shape, torch.uint8) for image in images]
        for place, image in zip(self._staged.pack(self._layouts).tensors, images, strict=True):
            np.copyto(place.numpy(), image, casting="no")

    def upload(self) -> Sequence[Tensor]:
        """The staged frames on the device, on the current stream, in one copy."""
        packed = self._frames.pack(self._layouts)
        packed.memory.copy_(self._staged.pack(self._layouts).memory, non_blocking=True)
        return packed.tensors

    def download(self, images: Tensor, found: Found, painted: Sequence[Tensor]) -> None:
        """Copy what was found and drawn into pinned memory, on the current stream.

        The tensors that other streams read than the one that made them are kept: dropped now, their memory
        would be given to that stream's next work while this is still going on.
        """
        self._kept = images, found, painted
        there = [part for part in (*found, *painted) if part is not None]
        packed = self._results.pack([Layout(tuple(part.shape), part.dtype) for part in there]).tensors
        for here, part in zip(packed, there, strict=True):
            here.copy_(part, non_blocking=True)
        copies = iter(packed)
        self.found = Found._make(None if part is None else next(copies) for part in found)
        self.painted = list(copies)

    def wait(self) -> None:
        """Wait for the batch in flight, if any: the one synchronisation with the host."""
        if self.done is not None:
            self.done.synchronize()
        self.done = None

    def free(self) -> None:
        """Mark the batch as finished."""
        self._kept = ()
