"""Predictor: a network ready for use, from frames to detections."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from numpy.typing import NDArray

from model.checkpoints.catalog import resolve_weights
from model.config import YolactConfig
from model.detection.decoding import Decoder, for_frames
from model.detection.postprocessing import find, to_detections
from model.detections import Detections
from model.engines.base import YolactEngine
from model.engines.choice import EngineChoice, choose, choose_with_levels, detect_machine
from model.engines.choice import select_device as select_device
from model.errors import ConfigError
from model.input_shape import InputShape, input_shape
from model.loading import open_weights, weights_facts
from model.memory import check_batch
from model.options import MIN_MASK_REGION, DetectOptions, class_indices
from model.preprocessing import preprocess

if TYPE_CHECKING:
    from model.detection.postprocessing import Found
    from model.detection.raw_outputs import RawOutputs
    from model.network.yolact import Yolact
    from model.sharpmask.sharpener import Sharpener

Frame = NDArray[np.uint8]


class Predictor:
    """Turns BGR frames into detections. Created by `load_predictor`, or from built parts.

    engine:     returns prototypes unless `with_masks` is False
    decoder:    of the engine's outputs, on its device
    choice:     the choice of the engine and its reason, set by `load_predictor`
    sharpener:  refines cropped masks; the engine returns levels then
    """

    def __init__(
        self,
        engine: YolactEngine,
        decoder: Decoder,
        options: DetectOptions,
        with_masks: bool = True,
        choice: EngineChoice | None = None,
        sharpener: Sharpener | None = None,
    ) -> None:
        options.check(decoder.config)
        self.engine = engine
        self.decoder = decoder
        self.options = options
        self.with_masks = with_masks
        self.choice = choice
        self.sharpener = sharpener

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
    def device(self) -> torch.device:
        """Device of prepared images and raw outputs."""
        return self.engine.device

    def with_options(self, **changes: Any) -> Predictor:
        """Return a predictor on the same engine with other values of `DetectOptions`.

        Raises ConfigError when one is out of range.
        """
        options = dataclasses.replace(self.options, **changes)
        return Predictor(self.engine, self.decoder, options, self.with_masks, self.choice, self.sharpener)

    def without_sharpener(self) -> Predictor:
        """Return a predictor on the same engine whose masks are the network's own."""
        return Predictor(self.engine, self.decoder, self.options, self.with_masks, self.choice)

    @torch.no_grad()
    def prepare(self, frames: Sequence[Frame]) -> torch.Tensor:
        """Convert frames, each [H, W, 3] uint8 BGR, to the engine's input: [B, 3, h, w] float32.

        At least one frame is needed; where the aspect ratio is kept all must have one size. The
        result is on the engine's device and shares no memory with the frames. Raises ValueError on another
        shape or dtype, and where the sizes would need inputs of several shapes.
        """
        if len({self._shape(frame) for frame in frames if frame.ndim == 3}) > 1:
            sizes = ", ".join(sorted({f"{frame.shape[1]} x {frame.shape[0]}" for frame in frames}))
            raise ValueError(
                f"frames of one batch are of one size where the aspect ratio is kept, got {sizes}"
            )
        prepared = [preprocess(_as_tensor(frame)[None].to(self.device), self.config) for frame in frames]
        return prepared[0] if len(prepared) == 1 else torch.cat(prepared)

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

    def _shape(self, frame: Frame) -> InputShape | None:
        """Return the input shape of a frame; None if it is not a frame, which `prepare` refuses."""
        return (
            input_shape(self.config, (frame.shape[0], frame.shape[1]))
            if min(frame.shape[:2], default=0)
            else None
        )

    def _predict(self, frames: Sequence[Frame]) -> list[Detections]:
        sizes = [(frame.shape[0], frame.shape[1]) for frame in frames]
        raw, decoder = for_frames(self.engine.start(self.prepare(frames))(), self.decoder, sizes[0])
        if self.device.type != "cpu":
            return self.finish(find(raw, decoder, self.options), raw, sizes)
        alone = [raw.image(number) for number in range(len(frames))]
        return [
            self.finish(find(one, decoder, self.options), one, [size])[0]
            for one, size in zip(alone, sizes, strict=True)
        ]

    def finish(
        self, found: Found, raw: RawOutputs, image_sizes: Sequence[tuple[int, int]]
    ) -> list[Detections]:
        """Return the detections of each image with their masks at the frame's size, sharpened if wanted.

        found, raw: of the same images, whose (height, width) lead to one input shape
        """
        windows = None
        if self.sharpener is not None and self.options.crop_masks and found.masks is not None:
            content = input_shape(self.config, image_sizes[0]).content
            windows = self.sharpener.windows(found, raw, content)
        return to_detections(found, image_sizes, self.config.class_names, self.options, windows)


def _kind(value: object) -> str:
    return "None (an image that could not be read?)" if value is None else type(value).__name__


def _as_tensor(frame: Frame) -> torch.Tensor:
    # a tensor can neither be read-only nor run backwards; only such frames are copied
    return torch.from_numpy(np.require(frame, requirements=["C", "W"]))


def load_predictor(
    weights: str | Path | None = None,
    device: str = "auto",
    score_threshold: float | None = None,
    max_detections: int = 100,
    nms: str = "fast",
    classes: Sequence[str] | None = None,
    image_size: int | None = None,
    crop_masks: bool = True,
    with_masks: bool = True,
    engine: str = "auto",
    precision: str = "auto",
    streams: int = 1,
    batch: int = 1,
    min_mask_region: float = MIN_MASK_REGION,
    sharpen: str | None = None,
) -> Predictor:
    """Load a predictor. weights: a file, a name of the catalogue, or None for the default weights.

    The file is a checkpoint or one that `export` wrote.

    device:     "auto" takes a GPU where there is one; otherwise a PyTorch device such as "cpu" or "cuda:1"
    engine:     a key of `model.engines.ENGINES`, "auto" for the fastest that there is
    precision:  a key of `model.engines.PRECISIONS`, "auto" likewise
    streams:    how many batches an engine on a CPU computes side by side: 1 for the least delay, as many as
                there are cores for the most frames a second, by a caller that starts as many at a time
    batch:      how many frames will come at a time; other numbers work too, but take longer the first time
    classes:    names of the classes to look for, None for all that the weights know
    score_threshold: what a detection scores more than, 0..1; None for the weights' own for each class
    image_size: side of the network's input in pixels, the longer one where the aspect ratio is kept; None for
                the weights' own. A smaller one is faster, a larger one finds smaller objects
    sharpen:    weights of a SharpMask, a file or a name of the catalogue, that refines the masks of objects
                of middling size on the network's own features: on a CPU, not in int8; None for none
    The rest is described at `DetectOptions` and `Predictor`.

    Raises ConfigError on settings that make no sense, and on a batch that memory cannot hold, CheckpointError
    on weights that cannot be used.
    """
    if streams < 1 or batch < 1:
        raise ConfigError(f"streams and batch must be 1 or more, got {streams} and {batch}")
    facts = weights_facts(resolve_weights(weights), image_size)
    machine = detect_machine()
    if sharpen is None:
        choice = choose(engine, device, precision, facts, machine)
    else:
        choice = choose_with_levels(engine, device, precision, facts, machine)
    sharpener = None if sharpen is None else _sharpener(sharpen, facts.path)
    with_levels = sharpen is not None and with_masks
    source = open_weights(facts, choice, machine, image_size, with_masks, with_levels)
    if choice.device.type == "cpu":
        check_batch(batch, streams, source.config.image_size)
    options = DetectOptions(
        score_threshold,
        max_detections,
        nms,
        class_indices(classes, source.config.class_names),
        crop_masks,
        min_mask_region=min_mask_region,
    )
    options.check(source.config)
    return Predictor(*source.build(streams, batch), options, with_masks, choice, sharpener)


def _sharpener(sharpen: str, weights: Path) -> Sharpener:
    from model.sharpmask.sharpener import load_sharpener  # here, since other starts need no torchvision

    return load_sharpener(sharpen, weights)


def make_predictor(
    network: Yolact, device: torch.device, options: DetectOptions, with_masks: bool = True
) -> Predictor:
    """Return a predictor on a copy of the network, run by PyTorch in float32."""
    from model.engines.torch_engine import TorchEngine

    engine = TorchEngine(network, device, with_masks=with_masks)
    return Predictor(engine, engine.network, options, with_masks)
