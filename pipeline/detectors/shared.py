"""One forward pass for two predictors that share an engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from model.detection.raw_outputs import RawOutputs
from model.engines.base import YolactEngine
from model.predictor import Frame, Predictor

if TYPE_CHECKING:
    from model.instance_predictor import LoadedPredictor


def shared(left: LoadedPredictor, right: LoadedPredictor) -> tuple[LoadedPredictor, LoadedPredictor]:
    """Return both predictors, so that the right one reads the left engine's outputs of the same batch.

    Predictors of different networks, or on a GPU, are returned as they are. The left one's results must be
    there before the right one begins with the same frames.
    """
    if not isinstance(left, Predictor) or not isinstance(right, Predictor):
        return left, right
    if left.engine is not right.engine or left.device.type != "cpu":
        return left, right
    said = _Remembering(left.engine)
    return _with_engine(Predictor, left, said), _with_engine(_Reader, right, _Recalling(said))


class _Remembering:
    """An engine that keeps its last outputs, which stay as they are until the next batch is begun."""

    def __init__(self, engine: YolactEngine) -> None:
        self._engine = engine
        self.name, self.precision, self.device = engine.name, engine.precision, engine.device
        self.slots = 1
        self.last: RawOutputs | None = None

    def start(self, images: Tensor) -> Callable[[], RawOutputs]:
        """See `Engine.start`."""
        self.last = None
        wait = self._engine.start(images)

        def remember() -> RawOutputs:
            self.last = wait()
            return self.last

        return remember


class _Recalling:
    """An engine that returns the last outputs of another one."""

    def __init__(self, said: _Remembering) -> None:
        self._said = said
        self.name, self.precision, self.device, self.slots = said.name, said.precision, said.device, 1

    def start(self, images: Tensor) -> Callable[[], RawOutputs]:
        """See `Engine.start`. images: [B, 0, 0, 0], not used."""
        last = self._said.last
        assert last is not None, "the left side comes first"
        return lambda: last


class _Reader(Predictor):
    """A predictor whose engine needs no images."""

    def prepare(self, frames: Sequence[Frame]) -> Tensor:
        """[B, 0, 0, 0] float32: without a pixel, but of as many dimensions as images have."""
        return torch.empty(len(frames), 0, 0, 0)


def _with_engine(kind: type[Predictor], predictor: Predictor, engine: YolactEngine) -> Predictor:
    parts = predictor.decoder, predictor.options, predictor.with_masks, predictor.choice
    return kind(engine, *parts, predictor.sharpener)
