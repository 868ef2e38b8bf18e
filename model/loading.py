"""Load a weights file: a predictor of the engine that runs it and the decoder of its outputs.

There are two steps, so that settings can be checked against the configuration before anything costly happens:
a source knows the configuration, and its `build` makes the predictor. Heavy modules are imported where they
are
needed: a start from the cache of compiled models builds no network in PyTorch.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from model.anchors import starting_boxes
from model.checkpoints.pins import sha256_of
from model.config import YolactConfig
from model.config_limits import check_input_size
from model.engines.choice import EngineChoice, Machine, WeightsFacts
from model.engines.compiled_cache import Compiler, ModelKey, compiled_cache
from model.errors import CheckpointError, ConfigError
from model.input_shape import InputShape
from model.options import DetectOptions

if TYPE_CHECKING:
    import openvino

    from model.base_predictor import Predictor
    from model.checkpoints.yolact import Checkpoint
    from model.exporting.exported import Facts
    from model.host.outputs import MaskIoU
    from model.network.heads import MaskIoUNet

EXPORTED_SUFFIXES = (".xml", ".onnx")


class NetworkSource(Protocol):
    """Weights that were opened, with the means to build their engine."""

    @property
    def config(self) -> YolactConfig:
        """The configuration, with the input size in use."""

    def build(self, streams: int, batch: int, options: DetectOptions) -> Predictor:
        """Build the predictor, ready for batches of `batch` images.

        streams: batches that are computed at a time, where the engine can
        """


def weights_facts(path: Path, image_size: int | None) -> WeightsFacts:
    """Return what the choice of an engine depends on. Raises CheckpointError on a broken exported file."""
    if path.suffix.lower() in EXPORTED_SUFFIXES:
        return WeightsFacts(path, exported=_facts(path).precision)
    return WeightsFacts(path, int8=_int8_of(path, image_size))


def open_weights(
    weights: WeightsFacts,
    choice: EngineChoice,
    machine: Machine,
    image_size: int | None,
    with_masks: bool,
    with_levels: bool = False,
) -> NetworkSource:
    """Open weights for the chosen engine. Raises CheckpointError and ConfigError.

    with_levels: for `RawOutputs.levels`, of checkpoints that are not run in int8
    """
    if choice.engine == "torch":
        return _OnTorch(weights.path, choice, image_size, with_masks, with_levels)
    floats = choice.precision
    if floats == "int8":  # precision of the layers that are not int8
        floats = "bf16" if machine.fast_bf16 else "fp32"
    if weights.exported is not None:
        model: _Model = _ExportedModel(weights.path, None, image_size, with_masks)
    elif choice.precision == "int8" and weights.int8 is not None:
        model = _ExportedModel(weights.int8, weights.path, image_size, with_masks)
    else:
        model = _CheckpointModel(weights.path, image_size, with_masks, with_levels)
    return _OnOpenVino(model, choice.precision, floats, with_masks)


class _OnTorch:
    def __init__(
        self, path: Path, choice: EngineChoice, image_size: int | None, with_masks: bool, with_levels: bool
    ) -> None:
        self._checkpoint = _read(path, image_size)
        self._choice = choice
        self._with_masks = with_masks
        self._with_levels = with_levels
        self.config = self._checkpoint.config

    def build(self, streams: int, batch: int, options: DetectOptions) -> Predictor:
        """See `NetworkSource.build`."""
        import torch

        from model.checkpoints.yolact import build_from
        from model.engines.torch_engine import TorchEngine
        from model.host.torch_host import on_host
        from model.torch_predictor import TorchPredictor

        network = build_from(self._checkpoint)
        device, precision = torch.device(str(self._choice.device)), self._choice.precision
        engine = TorchEngine(network, device, precision, self._with_masks, with_levels=self._with_levels)
        predictor = TorchPredictor(engine, engine.network, options, self._with_masks)
        return on_host(predictor) if device.type == "cpu" else predictor


class _OnOpenVino:
    def __init__(self, model: _Model, precision: str, float_precision: str, with_masks: bool) -> None:
        self._model = model
        self._with_masks = with_masks
        self._precision = precision
        self._float_precision = float_precision
        self._cache = compiled_cache()
        self._key = model.key(f"{precision}, {float_precision}")
        kept = self._cache.config(self._key)
        self.config = kept or model.config()
        if kept is None:
            self._cache.keep_config(self._key, self.config)

    def build(self, streams: int, batch: int, options: DetectOptions) -> Predictor:
        """See `NetworkSource.build`."""
        from model.engines.openvino_engine import OpenVinoEngine
        from model.host.outputs import Floats, HostDecoder, ImageOutputs, image_outputs
        from model.host.predictor import HostPredictor

        mask_iou = _hosted(self._model.mask_iou_net()) if self.config.mask_iou else None
        compiler = Compiler(self._model.build, self._key, self._cache, self._float_precision, streams)
        engine = OpenVinoEngine[Floats, list[ImageOutputs]](
            compiler, self._precision, image_outputs, slots=streams
        )
        square = (self.config.image_size, self.config.image_size)
        if not self.config.keeps_aspect_ratio:  # else the first frame decides
            engine.prepare_for((batch, 3, *square))
        anchors = starting_boxes(self.config, InputShape(square, square))
        return HostPredictor(engine, HostDecoder(self.config, anchors, mask_iou), options, self._with_masks)


class _Model(Protocol):
    """Interface of models for OpenVINO, which are read when needed."""

    def key(self, precision: str) -> ModelKey: ...

    def config(self) -> YolactConfig: ...

    def build(self) -> openvino.Model: ...

    def mask_iou_net(self) -> MaskIoUNet: ...


class _CheckpointModel:
    """A model converted from a checkpoint's network."""

    def __init__(self, path: Path, image_size: int | None, with_masks: bool, with_levels: bool) -> None:
        self._path = path
        self._image_size = image_size
        self._with_masks = with_masks
        self._with_levels = with_levels
        self._checkpoint: Checkpoint | None = None

    def key(self, precision: str) -> ModelKey:
        digest = sha256_of(self._path)
        kind = f"{precision}, levels" if self._with_levels else precision
        return ModelKey(digest, self._path.name, self._image_size, self._with_masks, kind)

    def config(self) -> YolactConfig:
        self._checkpoint = _read(self._path, self._image_size)
        return self._checkpoint.config

    def build(self) -> openvino.Model:
        from model.checkpoints.yolact import build_from
        from model.exporting.openvino_model import to_openvino

        # the checkpoint read for the configuration is used once and then freed
        checkpoint, self._checkpoint = self._checkpoint or _read(self._path, self._image_size), None
        return to_openvino(build_from(checkpoint), self._with_masks, self._with_levels)

    def mask_iou_net(self) -> MaskIoUNet:
        return _mask_iou_net(self._checkpoint or _read(self._path, self._image_size))


class _ExportedModel:
    """A model from a file that `export` wrote; `weights` is the file it was made from, if known."""

    def __init__(self, path: Path, weights: Path | None, image_size: int | None, with_masks: bool) -> None:
        self._path = path
        self._weights = weights
        self._image_size = image_size
        self._with_masks = with_masks

    def key(self, precision: str) -> ModelKey:
        files = [self._path, self._path.with_suffix(".bin")]
        digest = " ".join(sha256_of(file) for file in files if file.is_file())
        return ModelKey(digest, self._path.name, self._image_size, self._with_masks, precision)

    def config(self) -> YolactConfig:
        config = _facts(self._path).config
        if self._image_size is not None and config.keeps_aspect_ratio:
            check_input_size(config, self._image_size)
            return dataclasses.replace(config, image_size=self._image_size)
        if self._image_size not in (None, config.image_size):
            raise ConfigError(
                f"{self._path} was exported for inputs of {config.image_size} pixels, not "
                f"{self._image_size}; export the weights again for that size"
            )
        return config

    def build(self) -> openvino.Model:
        from model.exporting.exported import read_exported
        from model.exporting.interface import without_masks

        exported = read_exported(self._path)
        if self._with_masks and not exported.has_masks:
            raise CheckpointError(f"{self._path}: exported for boxes alone; ask for no masks")
        return exported.model if self._with_masks else without_masks(exported.model)

    def mask_iou_net(self) -> MaskIoUNet:
        if self._weights is None:
            raise CheckpointError(
                f"{self._path}: its configuration re-scores masks, which an exported file does not hold the "
                "network for; use the weights that it was made from"
            )
        return _mask_iou_net(_read(self._weights, self._image_size))


def _read(path: Path, image_size: int | None) -> Checkpoint:
    from model.checkpoints.yolact import read_checkpoint

    checkpoint = read_checkpoint(path)
    if image_size is None:
        return checkpoint
    check_input_size(checkpoint.config, image_size)
    config = dataclasses.replace(checkpoint.config, image_size=image_size)
    return dataclasses.replace(checkpoint, config=config)


def _mask_iou_net(checkpoint: Checkpoint) -> MaskIoUNet:
    from model.checkpoints.yolact import build_from

    network = build_from(checkpoint).mask_iou_net
    assert network is not None
    return network.requires_grad_(False)


def _hosted(network: MaskIoUNet) -> MaskIoU:
    from model.host.torch_host import host_mask_iou

    return host_mask_iou(network)


def _facts(path: Path) -> Facts:
    """Read the metadata of an exported file. Raises CheckpointError."""
    from model.exporting.exported import read_exported, read_facts

    if path.suffix.lower() != ".xml":
        return read_exported(path).facts
    try:
        return read_facts(path)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _int8_of(weights: Path, image_size: int | None) -> Path | None:
    """Return the int8 file made from these weights for this input size, or None."""
    from model.exporting.exported import int8_beside

    path = int8_beside(weights)
    if path is None:
        return None
    config = _facts(path).config
    if config.keeps_aspect_ratio:
        return path
    wanted = image_size or _own_image_size(weights)
    return path if config.image_size == wanted else None


def _own_image_size(weights: Path) -> int:
    """Return the input size of a checkpoint; cached, because reading it takes a second."""
    from model.checkpoints.yolact import read_config

    cache = compiled_cache()
    key = ModelKey(sha256_of(weights), weights.name, None, with_masks=True, precision="its own")
    config = cache.config(key)
    if config is None:
        config = read_config(weights)
        cache.keep_config(key, config)
    return config.image_size
