"""Load a predictor: a network ready for use, from frames to detections; imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model.base_predictor import Frame as Frame
from model.base_predictor import Predictor as Predictor
from model.checkpoints.catalog import resolve_weights
from model.engines.choice import choose, choose_with_levels, detect_machine
from model.engines.choice import select_device as select_device
from model.errors import ConfigError
from model.loading import open_weights, weights_facts
from model.memory import check_batch
from model.options import MIN_MASK_REGION, DetectOptions, class_indices

if TYPE_CHECKING:
    import torch

    from model.network.yolact import Yolact
    from model.sharpmask.sharpener import Sharpener
    from model.torch_predictor import TorchPredictor


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
    predictor = source.build(streams, batch, options)
    predictor.choice = choice
    return predictor if sharpener is None else predictor.with_sharpener(sharpener)


def _sharpener(sharpen: str, weights: Path) -> Sharpener:
    from model.sharpmask.sharpener import load_sharpener  # here, since other starts need no torchvision

    return load_sharpener(sharpen, weights)


def make_predictor(
    network: Yolact, device: torch.device, options: DetectOptions, with_masks: bool = True
) -> TorchPredictor:
    """Return a predictor on a copy of the network, run by PyTorch in float32."""
    from model.engines.torch_engine import TorchEngine
    from model.torch_predictor import TorchPredictor

    engine = TorchEngine(network, device, with_masks=with_masks)
    return TorchPredictor(engine, engine.network, options, with_masks)
