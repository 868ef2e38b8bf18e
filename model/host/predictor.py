"""Predictor on the CPU, in arrays; imports no torch."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from model.base_predictor import Frame, Predictor
from model.detections import Detections
from model.host.detection import HostFound, Windows, add_masks, in_frame, suppress, to_detections
from model.host.outputs import Floats, HostDecoder, HostEngine, ImageOutputs
from model.host.preparing import prepare
from model.input_shape import input_shape
from model.options import DetectOptions

if TYPE_CHECKING:
    from model.sharpmask.sharpener import Sharpener


class HostPredictor(Predictor):
    """Turns BGR frames into detections on the CPU, each frame by itself. See `Predictor`.

    engine:    returns levels where a sharpener is used
    sharpener: refines the masks of objects of middling size; None for none
    """

    engine: HostEngine
    decoder: HostDecoder
    sharpener: Sharpener | None = None

    @property
    def sharpen(self) -> str | None:
        """See `Predictor.sharpen`."""
        return None if self.sharpener is None else self.sharpener.name

    def with_sharpener(self, sharpener: Sharpener) -> Self:
        """See `Predictor.with_sharpener`."""
        other = copy.copy(self)
        other.sharpener = sharpener
        return other

    def without_sharpener(self) -> Self:
        """See `Predictor.without_sharpener`."""
        other = copy.copy(self)
        other.sharpener = None
        return other

    def prepare(self, frames: Sequence[Frame]) -> Floats:
        """Convert frames, each [H, W, 3] uint8 BGR, to the engine's input: [B, 3, h, w] float32.

        At least one frame is needed; where the aspect ratio is kept all must have one size. Raises ValueError
        on another shape or dtype, and where the sizes would need inputs of several shapes.
        """
        self._check_one_shape(frames)
        return prepare(frames, self.config)

    def suppress(
        self, outputs: ImageOutputs, frame_size: tuple[int, int], options: DetectOptions
    ) -> HostFound:
        """Return what the outputs of a frame of (height, width) pixels show, before masks are made.

        options: in the place of the predictor's own
        """
        inner, anchors = in_frame(outputs, self.decoder, frame_size)
        return suppress(inner, anchors, self.config, options)

    def add_masks(self, found: HostFound, outputs: ImageOutputs, frame_size: tuple[int, int]) -> HostFound:
        """Return what was found in the outputs with masks on the prototypes' grid, re-scored by them."""
        inner = self.in_frame(outputs, frame_size)
        return add_masks(found, inner, self.decoder, self.options)

    def to_detections(
        self, found: HostFound, outputs: ImageOutputs, frame_size: tuple[int, int]
    ) -> Detections:
        """Return the detections of a frame of (height, width) pixels, with masks, sharpened if wanted."""
        windows: Windows | None = None
        if self.sharpener is not None and self.options.crop_masks and found.logits is not None:
            content = input_shape(self.config, frame_size).content
            windows = self.sharpener.windows(found.boxes, outputs, content)
        return to_detections(found, self.config, frame_size, self.options, windows)

    def in_frame(self, outputs: ImageOutputs, frame_size: tuple[int, int]) -> ImageOutputs:
        """Return the outputs of a frame of (height, width) pixels without a letterbox's padding."""
        return in_frame(outputs, self.decoder, frame_size)[0]

    def _predict(self, frames: Sequence[Frame]) -> list[Detections]:
        found = []
        for outputs, frame in zip(self.engine.start(self.prepare(frames))(), frames, strict=True):
            size = (frame.shape[0], frame.shape[1])
            here = self.add_masks(self.suppress(outputs, size, self.options), outputs, size)
            found.append(self.to_detections(here, outputs, size))
        return found
