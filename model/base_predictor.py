"""The common part of predictors, from frames to detections; imports no torch."""

from __future__ import annotations

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol, Self, overload

import numpy as np
from numpy.typing import NDArray

from model.config import YolactConfig
from model.detections import Detections
from model.engines.choice import EngineChoice
from model.engines.device import AnyDevice
from model.errors import ConfigError
from model.input_shape import InputShape, input_shape
from model.options import DetectOptions

if TYPE_CHECKING:
    from model.engines.base import Engine
    from model.sharpmask.sharpener import Sharpener

Frame = NDArray[np.uint8]


class AnyDecoder(Protocol):
    """The common part of decoders of arrays and of tensors."""

    @property
    def config(self) -> YolactConfig:
        """Configuration of the network, with the input size in use."""


class Predictor(ABC):
    """Turns BGR frames into detections. Created by `model.predictor.load_predictor`.

    There are two kinds: `model.host.predictor.HostPredictor` on the CPU, in arrays, and
    `model.torch_predictor.TorchPredictor`, in tensors on any device.

    engine:     runs the network; returns prototypes unless `with_masks` is False
    decoder:    of the engine's outputs; the same object as long as they mean the same
    options:    of the step from outputs to detections
    with_masks: False for boxes alone
    choice:     the choice of the engine and its reason, set by `load_predictor`

    Raises ConfigError on options that are out of range.
    """

    def __init__(
        self,
        engine: Engine[Any, Any],
        decoder: AnyDecoder,
        options: DetectOptions,
        with_masks: bool = True,
        choice: EngineChoice | None = None,
    ) -> None:
        options.check(decoder.config)
        self.engine = engine
        self.decoder = decoder
        self.options = options
        self.with_masks = with_masks
        self.choice = choice

    @property
    def config(self) -> YolactConfig:
        """Configuration, with the input size in use."""
        return self.decoder.config

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the weights' classes, without background."""
        return self.config.class_names

    @property
    def score_threshold(self) -> float:
        """Score that a detection must exceed, 0..1; the lowest one where classes differ."""
        return min(self.options.thresholds(self.config))

    @property
    def device(self) -> AnyDevice:
        """Device that the network is computed on."""
        return self.engine.device

    def with_options(self, **changes: Any) -> Self:
        """Return a predictor on the same engine with other values of `DetectOptions`.

        Raises ConfigError when one is out of range.
        """
        options = dataclasses.replace(self.options, **changes)
        options.check(self.config)
        other = copy.copy(self)
        other.options = options
        return other

    def with_engine(self, engine: Engine[Any, Any]) -> Self:
        """Return a predictor with the same options on another engine, whose outputs mean the same."""
        other = copy.copy(self)
        other.engine = engine
        return other

    @property
    def sharpen(self) -> str | None:
        """Name of the weights that refine masks; None without."""
        return None

    def without_sharpener(self) -> Self:
        """Return a predictor on the same engine whose masks are the network's own."""
        return self

    def with_sharpener(self, sharpener: Sharpener) -> Self:
        """Return a predictor on the same engine, which returns levels, with refined masks.

        Raises ConfigError where masks cannot be refined.
        """
        raise ConfigError(f"masks are sharpened on the CPU, got {self.device}")

    @overload
    def __call__(self, frames: Frame) -> Detections: ...

    @overload
    def __call__(self, frames: Sequence[Frame]) -> list[Detections]: ...

    def __call__(self, frames: Frame | Sequence[Frame]) -> Detections | list[Detections]:
        """Detect objects in one frame, [H, W, 3] uint8 BGR, or in a list of frames of any sizes.

        Returns one `Detections`, or a list of them. Raises ValueError on anything else, such as the None
        that OpenCV gives for a file that it cannot read, and on another shape or dtype.
        """
        if isinstance(frames, np.ndarray):
            return self._predict([frames])[0]
        if not isinstance(frames, Sequence):
            raise ValueError(f"expected a frame, [H, W, 3] uint8 BGR, or a list of them, got {_kind(frames)}")
        for i, frame in enumerate(frames):
            if not isinstance(frame, np.ndarray):
                raise ValueError(f"frame {i}: expected an array [H, W, 3] uint8 BGR, got {_kind(frame)}")
        return [found for _, run in groupby(frames, self._shape) for found in self._predict(list(run))]

    @abstractmethod
    def _predict(self, frames: Sequence[Frame]) -> list[Detections]:
        """Return the detections of frames that lead to one input shape."""

    def _shape(self, frame: Frame) -> InputShape | None:
        """Return the input shape of a frame; None if it is not a frame, which `prepare` refuses."""
        return (
            input_shape(self.config, (frame.shape[0], frame.shape[1]))
            if min(frame.shape[:2], default=0)
            else None
        )

    def _check_one_shape(self, frames: Sequence[Frame]) -> None:
        if len({self._shape(frame) for frame in frames if frame.ndim == 3}) > 1:
            sizes = ", ".join(sorted({f"{frame.shape[1]} x {frame.shape[0]}" for frame in frames}))
            raise ValueError(
                f"frames of one batch are of one size where the aspect ratio is kept, got {sizes}"
            )


def _kind(value: object) -> str:
    return "None (an image that could not be read?)" if value is None else type(value).__name__
