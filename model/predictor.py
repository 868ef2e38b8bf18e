"""A network ready for use: a frame goes in, detections come out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray

from model.catalog import resolve_weights
from model.checkpoint import Checkpoint, build_from, read_checkpoint
from model.config import YolactConfig
from model.config_limits import check_input_size
from model.detections import Detections
from model.errors import ConfigError
from model.options import DetectOptions, class_indices
from model.postprocessing import find, to_detections
from model.preprocessing import preprocess
from model.yolact import Yolact, fuse_batch_norms

Frame = NDArray[np.uint8]


class Predictor:
    """Turns BGR frames into detections. Made by `load_predictor`, or of built parts.

    `network` is in evaluation mode and on `device`; `with_masks` False skips protonet and assembly.
    """

    def __init__(
        self, network: Yolact, device: torch.device, options: DetectOptions, with_masks: bool = True
    ) -> None:
        options.check(network.config)
        self.network = network
        self.device = device
        self.options = options
        self.with_masks = with_masks

    @property
    def config(self) -> YolactConfig:
        """The configuration in use, with the input size in use."""
        return self.network.config

    def with_options(self, with_masks: bool | None = None, **changes: Any) -> Predictor:
        """Another predictor on the same network; `changes` are those of `DetectOptions`.

        Raises ConfigError when one is out of range.
        """
        masks = self.with_masks if with_masks is None else with_masks
        return Predictor(self.network, self.device, dataclasses.replace(self.options, **changes), masks)

    @overload
    def __call__(self, frames: Frame) -> Detections: ...

    @overload
    def __call__(self, frames: Sequence[Frame]) -> list[Detections]: ...

    def __call__(self, frames: Frame | Sequence[Frame]) -> Detections | list[Detections]:
        """One frame, [H, W, 3] uint8 BGR, or a list of frames of any sizes, which go in as one batch.

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
        return self._predict(frames) if frames else []

    @torch.inference_mode()
    def _predict(self, frames: Sequence[Frame]) -> list[Detections]:
        prepared = [preprocess(_as_tensor(frame)[None].to(self.device), self.config) for frame in frames]
        images = torch.cat(prepared)
        raw = self.network(images, with_masks=self.with_masks)
        found = find(raw, self.network, self.options)
        sizes = [(frame.shape[0], frame.shape[1]) for frame in frames]
        return to_detections(found, sizes, self.config.class_names)


def _kind(value: object) -> str:
    return "None (an image that could not be read?)" if value is None else type(value).__name__


def _as_tensor(frame: Frame) -> torch.Tensor:
    # a tensor can neither be read-only nor run backwards; only such frames are copied
    return torch.from_numpy(np.require(frame, requirements=["C", "W"]))


def load_predictor(
    weights: str | Path | None = None,
    device: str = "auto",
    score_threshold: float = 0.3,
    max_detections: int = 100,
    nms: str = "fast",
    classes: Sequence[str] | None = None,
    image_size: int | None = None,
    crop_masks: bool = True,
    with_masks: bool = True,
) -> Predictor:
    """A predictor for weights: a file, a name of the catalogue, or None for the weights that are shipped.

    device:     "auto" takes a GPU where there is one; otherwise a PyTorch device such as "cpu" or "cuda:1"
    classes:    names of the classes to look for, None for all that the weights know
    image_size: side of the square network input in pixels, None for the one that the weights were trained
                with; a smaller one is faster, a larger one finds smaller objects
    The rest is described at `DetectOptions` and `Predictor`.

    Raises ConfigError on settings that make no sense, CheckpointError on weights that cannot be used.
    """
    chosen = select_device(device)
    checkpoint = _resized(read_checkpoint(resolve_weights(weights)), image_size)
    options = DetectOptions(
        score_threshold,
        max_detections,
        nms,
        class_indices(classes, checkpoint.config.class_names),
        crop_masks,
    )
    options.check(checkpoint.config)
    return make_predictor(build_from(checkpoint), chosen, options, with_masks)


def make_predictor(
    network: Yolact, device: torch.device, options: DetectOptions, with_masks: bool = True
) -> Predictor:
    """A predictor on a copy of the network whose batch norms are folded away."""
    fused = fuse_batch_norms(network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Predictor(fused.requires_grad_(False), device, options, with_masks)


def select_device(name: str) -> torch.device:
    """The device of that name; "auto" is the first GPU, or else the CPU.

    Raises ConfigError when the name makes no sense or the device is not there: never a silent fallback.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"no device is named {name!r}; expected auto, cpu, cuda or cuda:N") from error
    if device.type == "cpu" and (device.index or 0) == 0:
        return torch.device("cpu")
    there = torch.cuda.device_count() if device.type == "cuda" else 0
    if (device.index or 0) >= there:
        raise ConfigError(f"device {name!r} is not there; PyTorch sees {there} CUDA devices, and the CPU")
    return device


def _resized(checkpoint: Checkpoint, image_size: int | None) -> Checkpoint:
    if image_size is None:
        return checkpoint
    check_input_size(checkpoint.config, image_size)
    config = dataclasses.replace(checkpoint.config, image_size=image_size)
    return dataclasses.replace(checkpoint, config=config)
