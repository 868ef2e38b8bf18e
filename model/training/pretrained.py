"""ImageNet weights for a ResNet backbone, downloaded by torchvision."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, ResNet50_Weights, ResNet101_Weights, WeightsEnum

from model.checkpoints.download import is_offline
from model.config import BackboneConfig
from model.errors import DownloadError

IMAGENET: dict[str, WeightsEnum] = {
    "resnet18": ResNet18_Weights.IMAGENET1K_V1,
    "resnet50": ResNet50_Weights.IMAGENET1K_V1,
    "resnet101": ResNet101_Weights.IMAGENET1K_V1,
}
_WIDTH = 64
_SILENCE = 10.0  # seconds without an answer after which there is no network


def load_imagenet(backbone: nn.Module, config: BackboneConfig) -> None:
    """Replace the backbone's weights by ImageNet's; deformable convolutions take those of the plain ones.

    They are fetched once, into torchvision's own cache. Raises DownloadError, with the backbone as it was,
    without a network, when LIVEMASK_OFFLINE forbids it, and where torchvision has none for this backbone.
    """
    if config.name not in IMAGENET or config.width != _WIDTH:
        raise DownloadError(f"there are no ImageNet weights for a {config.name} of width {config.width}")
    state = {_rename(k): v for k, v in _fetch(config.name).items() if not k.startswith("fc.")}
    _require_fit(state, backbone, config)
    backbone.load_state_dict(state, strict=False)


def _fetch(name: str) -> Mapping[str, Tensor]:
    weights = IMAGENET[name]
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    if is_offline() and not cached.is_file():
        raise DownloadError(
            f"the ImageNet weights of {name} are not here, and LIVEMASK_OFFLINE forbids the network"
        )
    try:
        with _patience(_SILENCE):
            return weights.get_state_dict(
                progress=False, check_hash=True, map_location="cpu", weights_only=True
            )
    except (OSError, HTTPException, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise DownloadError(
            f"the ImageNet weights of {name} could not be fetched into {cached} ({error})"
        ) from error


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Limit each wait on a socket, in seconds: torchvision's download has no time limit."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _require_fit(state: Mapping[str, Tensor], backbone: nn.Module, config: BackboneConfig) -> None:
    """Raise DownloadError unless the weights fit, but for the parameters of deformable convolutions."""
    own = backbone.state_dict()
    added = ("conv_offset_mask.weight", "conv_offset_mask.bias", "conv2.bias")
    odd = [key for key, value in state.items() if key not in own or own[key].shape != value.shape]
    odd += [key for key in own if key not in state and not key.endswith(added)]
    if odd:
        raise DownloadError(f"the ImageNet weights of {config.name} do not fit this backbone: {odd[0]}")


def _rename(key: str) -> str:
    """Convert torchvision's `layer1.0.conv1` to `layers.0.0.conv1`."""
    if not key.startswith("layer"):
        return key
    stage, rest = key.removeprefix("layer").split(".", 1)
    return f"layers.{int(stage) - 1}.{rest}"
