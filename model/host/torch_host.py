"""Networks that PyTorch runs, with arrays in and out."""

from __future__ import annotations

from collections.abc import Callable

import torch

from model.detection.decoding import Decoder
from model.detection.raw_outputs import RawOutputs
from model.engines.base import YolactEngine
from model.host.outputs import Floats, HostDecoder, ImageOutputs, MaskIoU, image_outputs
from model.host.predictor import HostPredictor
from model.network.heads import MaskIoUNet
from model.torch_predictor import TorchPredictor


class HostedEngine:
    """An engine of tensors as one of arrays. See `model.host.outputs.HostEngine`."""

    def __init__(self, engine: YolactEngine) -> None:
        self._engine = engine
        self.name, self.precision = engine.name, engine.precision
        self.device, self.slots = engine.device, engine.slots

    def start(self, images: Floats) -> Callable[[], list[ImageOutputs]]:
        """See `Engine.start`. Outputs on another device are downloaded."""
        wait = self._engine.start(torch.from_numpy(images).to(str(self.device)))
        return lambda: _read(wait())


def on_host(predictor: TorchPredictor) -> HostPredictor:
    """Return a predictor that runs the same engine and does everything else on the CPU."""
    return HostPredictor(
        HostedEngine(predictor.engine),
        host_decoder(predictor.decoder),
        predictor.options,
        predictor.with_masks,
        predictor.choice,
    )


def host_decoder(decoder: Decoder) -> HostDecoder:
    """Return the same decoder for arrays."""
    net = decoder.mask_iou_net
    return HostDecoder(
        decoder.config, decoder.anchors.detach().cpu().numpy(), None if net is None else host_mask_iou(net)
    )


def host_mask_iou(network: MaskIoUNet) -> MaskIoU:
    """Return the re-scoring network as a function of arrays."""
    device = next(network.parameters()).device

    @torch.no_grad()
    def predicted(masks: Floats) -> Floats:
        ious: Floats = network(torch.from_numpy(masks).to(device)).cpu().numpy()
        return ious

    return predicted


def _read(raw: RawOutputs) -> list[ImageOutputs]:
    parts = {name: part for name, part in raw._asdict().items() if part is not None}
    return image_outputs({name: part.detach().cpu().numpy() for name, part in parts.items()})
