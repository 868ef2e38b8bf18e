"""One forward pass for two predictors that share an engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from model.base_predictor import Frame, Predictor
from model.host.hosting import hosted
from model.host.outputs import Floats, HostEngine, ImageOutputs
from model.host.predictor import HostPredictor

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
    one, other = hosted(left), hosted(right)
    said = _Remembering(one.engine)
    return one.with_engine(said), _Reader.of(other).with_engine(_Recalling(said))


class _Remembering:
    """An engine that keeps its last outputs, which stay as they are until the next batch is begun."""

    def __init__(self, engine: HostEngine) -> None:
        self._engine = engine
        self.name, self.precision, self.device = engine.name, engine.precision, engine.device
        self.slots = 1
        self.last: list[ImageOutputs] | None = None

    def start(self, images: Floats) -> Callable[[], list[ImageOutputs]]:
        """See `Engine.start`."""
        self.last = None
        wait = self._engine.start(images)

        def remember() -> list[ImageOutputs]:
            self.last = wait()
            return self.last

        return remember


class _Recalling:
    """An engine that returns the last outputs of another one."""

    def __init__(self, said: _Remembering) -> None:
        self._said = said
        self.name, self.precision, self.device, self.slots = said.name, said.precision, said.device, 1

    def start(self, images: Floats) -> Callable[[], list[ImageOutputs]]:
        """See `Engine.start`. images: [B, 0, 0, 0], not used."""
        last = self._said.last
        assert last is not None, "the left side comes first"
        return lambda: last


class _Reader(HostPredictor):
    """A predictor whose engine needs no images."""

    @classmethod
    def of(cls, predictor: HostPredictor) -> _Reader:
        """Return a reader with everything of a predictor."""
        parts = predictor.decoder, predictor.options, predictor.with_masks, predictor.choice
        reader = cls(predictor.engine, *parts)
        reader.sharpener = predictor.sharpener
        return reader

    def prepare(self, frames: Sequence[Frame]) -> Floats:
        """Return [B, 0, 0, 0] float32: without a pixel, but of as many dimensions as images have."""
        return np.empty((len(frames), 0, 0, 0), np.float32)
