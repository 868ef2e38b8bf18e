"""Predictor in tensors: on CUDA devices, and wherever a network is trained or compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from model.base_predictor import Frame, Predictor
from model.detection.decoding import Decoder, for_frames
from model.detection.postprocessing import find, to_detections
from model.detections import Detections
from model.engines.base import YolactEngine
from model.preprocessing import preprocess


class TorchPredictor(Predictor):
    """Turns BGR frames into detections, in tensors on the engine's device. See `Predictor`.

    decoder: on the engine's device
    """

    engine: YolactEngine
    decoder: Decoder

    @torch.no_grad()
    def prepare(self, frames: Sequence[Frame]) -> torch.Tensor:
        """Convert frames, each [H, W, 3] uint8 BGR, to the engine's input: [B, 3, h, w] float32.

        At least one frame is needed; where the aspect ratio is kept all must have one size. The
        result is on the engine's device and shares no memory with the frames. Raises ValueError on another
        shape or dtype, and where the sizes would need inputs of several shapes.
        """
        self._check_one_shape(frames)
        device = str(self.device)
        prepared = [preprocess(_as_tensor(frame)[None].to(device), self.config) for frame in frames]
        return prepared[0] if len(prepared) == 1 else torch.cat(prepared)

    def _predict(self, frames: Sequence[Frame]) -> list[Detections]:
        sizes = [(frame.shape[0], frame.shape[1]) for frame in frames]
        raw, decoder = for_frames(self.engine.start(self.prepare(frames))(), self.decoder, sizes[0])
        names, options = self.class_names, self.options
        if self.device.type != "cpu":
            return to_detections(find(raw, decoder, options), sizes, names, options)
        alone = [raw.image(number) for number in range(len(frames))]
        return [
            to_detections(find(one, decoder, options), [size], names, options)[0]
            for one, size in zip(alone, sizes, strict=True)
        ]


def _as_tensor(frame: Frame) -> torch.Tensor:
    # a tensor can neither be read-only nor run backwards; only such frames are copied
    return torch.from_numpy(np.require(frame, requirements=["C", "W"]))
