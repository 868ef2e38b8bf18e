"""ImageNet weights for a ResNet backbone, from torchvision, where there is a network."""

from __future__ import annotations

from urllib.error import URLError

from torch import nn
from torchvision.models import ResNet18_Weights, ResNet50_Weights, ResNet101_Weights, WeightsEnum

from model.config import BackboneConfig
from model.errors import DownloadError

IMAGENET: dict[str, WeightsEnum] = {
    "resnet18": ResNet18_Weights.IMAGENET1K_V1,
    "resnet50": ResNet50_Weights.IMAGENET1K_V1,
    "resnet101": ResNet101_Weights.IMAGENET1K_V1,
}


def load_imagenet(backbone: nn.Module, config: BackboneConfig) -> None:
    """Replace the backbone's weights by ImageNet's; deformable convolutions take those of the plain ones.

    Raises DownloadError without a network, and where torchvision has no weights for this backbone.
    """
    if config.name not in IMAGENET or config.width != 64:
        raise DownloadError(f"there are no ImageNet weights for a {config.name} of width {config.width}")
    try:
        state = IMAGENET[config.name].get_state_dict(progress=False, check_hash=True)
    except (URLError, OSError) as error:
        raise DownloadError(f"the ImageNet weights of {config.name} could not be fetched: {error}") from error
    renamed = {_rename(k): v for k, v in state.items() if not k.startswith("fc.")}
    missing, surplus = backbone.load_state_dict(renamed, strict=False)
    added = [k for k in missing if "conv_offset_mask" not in k and not k.endswith("conv2.bias")]
    if added or surplus:
        raise DownloadError(f"the ImageNet weights of {config.name} do not fit: {(added + surplus)[0]}")


def _rename(key: str) -> str:
    """torchvision's `layer1.0.conv1` is `layers.0.0.conv1` here."""
    if not key.startswith("layer"):
        return key
    stage, rest = key.removeprefix("layer").split(".", 1)
    return f"layers.{int(stage) - 1}.{rest}"
