"""Weights of Mask R-CNN on disk: torchvision's published files, and the project's own with class names.

Files are read safely (`model.checkpoints.file`): code in them is never run, and shapes are compared with the
network's before any weight is read. torchvision is imported only when a network is built.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from model.checkpoints.file import load, outline, save
from model.checkpoints.weights import check_shapes, check_values, may_be_absent
from model.classes import COCO_CATEGORY_IDS, COCO_CLASSES
from model.config_limits import LARGEST_INPUT, SMALLEST_INPUT, are_class_names
from model.errors import CheckpointError

if TYPE_CHECKING:
    from torchvision.models.detection import MaskRCNN

FORMAT = "livemask-mask-rcnn"
VERSION = 1
VARIANTS = ("maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2")

_COCO_LABELS = 91  # background, 80 categories, and 10 numbers that COCO gave up
_NORM_EPS = 1e-5
_CLASSIFIER = "roi_heads.box_predictor.cls_score.weight"
_ONLY_V2 = "roi_heads.box_head.0.0.weight"
# parameter names in torchvision's files from before release 0.13
_OLD_NAMES = (
    (
        re.compile(r"backbone\.fpn\.(inner|layer)_blocks\.(\d+)\.(weight|bias)"),
        r"backbone.fpn.\1_blocks.\2.0.\3",
    ),
    (re.compile(r"rpn\.head\.conv\.(weight|bias)"), r"rpn.head.conv.0.0.\1"),
)
_OLD_MASK_HEAD = re.compile(r"roi_heads\.mask_head\.mask_fcn(\d+)\.(weight|bias)")


@dataclass(frozen=True)
class MaskRcnnConfig:
    """Configuration of a torchvision Mask R-CNN.

    variant:     one of `VARIANTS`
    class_names: as for every model, background left out
    labels:      index of each class among the network's outputs; 0 is the background
    outputs:     number of outputs of the network's classifier
    image_size:  length of the shorter side of a resized frame, in pixels
    norm_eps:    of the frozen batch norms, which only the first variant has: 0 in torchvision's published
                 file, which was trained before there was any
    """

    variant: str
    class_names: tuple[str, ...]
    labels: tuple[int, ...]
    outputs: int
    image_size: int = 800
    norm_eps: float = _NORM_EPS

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.variant

    @property
    def longest_side(self) -> int:
        """Maximum length of the longer side of a resized frame, in pixels: torchvision's 1333 to 800."""
        return round(self.image_size * 1333 / 800)


def coco_config(variant: str) -> MaskRcnnConfig:
    """Return the configuration of torchvision's published weights: 80 classes at COCO's own ids."""
    eps = 0.0 if variant == VARIANTS[0] else _NORM_EPS
    return MaskRcnnConfig(variant, COCO_CLASSES, COCO_CATEGORY_IDS, _COCO_LABELS, norm_eps=eps)


def own_config(
    variant: str, class_names: tuple[str, ...], image_size: int = 800, norm_eps: float = _NORM_EPS
) -> MaskRcnnConfig:
    """Return the configuration of a network for other classes, numbered from 1."""
    labels = tuple(range(1, len(class_names) + 1))
    return MaskRcnnConfig(variant, class_names, labels, len(class_names) + 1, image_size, norm_eps)


def read_mask_rcnn(path: Path) -> tuple[MaskRcnnConfig, dict[str, Tensor]]:
    """Return the configuration of a file and its weights, float32 on the CPU, by torchvision's present names.

    The project's files hold their configuration. The keys of torchvision's files tell the variant; as they
    hold no class names, they must have COCO's number of outputs. Raises CheckpointError.
    """
    sketch = outline(path)
    if not isinstance(sketch, dict):
        raise CheckpointError(f"{path}: expected a table of tensors, got {type(sketch).__name__}")
    native = sketch.get("format") == FORMAT
    config = _own(path, sketch) if native else _published(path, sketch)
    expected = empty_network(config).state_dict()
    check_shapes(path, _weights(path, sketch, native), expected, config.name)
    state = _weights(path, load(path), native)
    check_values(path, state)
    counts = {key: torch.zeros((), dtype=torch.int64) for key in expected if may_be_absent(key)}
    return config, counts | {key: value.float() for key, value in state.items()}


def save_mask_rcnn(
    path: Path,
    config: MaskRcnnConfig,
    state: Mapping[str, Tensor],
    licence: str = "",
    notes: str = "",
) -> None:
    """Write a file of the project, with the class names in it.

    config: with labels counted from 1, as `own_config` makes it; state: of torchvision's network. A file of
    that name is replaced only when the new one is complete.
    """
    content = {
        "format": FORMAT,
        "version": VERSION,
        "config": {
            "variant": config.variant,
            "class_names": list(config.class_names),
            "image_size": config.image_size,
            "norm_eps": config.norm_eps,
        },
        "licence": licence,
        "notes": notes,
        "weights": {key: value.detach().cpu().clone() for key, value in state.items()},
    }
    save(path, content)


def empty_network(config: MaskRcnnConfig) -> MaskRCNN:
    """Return torchvision's network with its parameters on the meta device: shapes without memory."""
    from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn_v2
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
    from torchvision.ops import FrozenBatchNorm2d

    sizes: dict[str, Any] = {"min_size": config.image_size, "max_size": config.longest_side}
    with torch.device("meta"):
        if config.variant == VARIANTS[0]:
            backbone = resnet_fpn_backbone(backbone_name="resnet50", weights=None)
            network = MaskRCNN(backbone, config.outputs, **sizes)
        else:
            network = maskrcnn_resnet50_fpn_v2(
                weights=None, weights_backbone=None, num_classes=config.outputs, **sizes
            )
    # anchors are not parameters and would stay on the meta device if they were made there; sizes and ratios
    # of the paper on feature pyramids, one size a level
    network.rpn.anchor_generator = AnchorGenerator(
        tuple((size,) for size in (32, 64, 128, 256, 512)), ((0.5, 1.0, 2.0),) * 5
    )
    for module in network.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = config.norm_eps
    return network


def _own(path: Path, sketch: Mapping[str, Any]) -> MaskRcnnConfig:
    version, told = sketch.get("version"), sketch.get("config")
    if version != VERSION:
        raise CheckpointError(f"{path}: format version {str(version)[:20]!r}, expected {VERSION}")
    if not isinstance(told, dict):
        raise CheckpointError(f"{path}: key 'config' should be a table, got {type(told).__name__}")
    config: dict[str, Any] = dict.fromkeys(("variant", "class_names", "image_size", "norm_eps")) | told
    variant, names = config["variant"], config["class_names"]
    size, eps = config["image_size"], config["norm_eps"]
    checks = {
        "variant": variant in VARIANTS,
        "class_names": isinstance(names, list)
        and are_class_names(tuple(names))
        and all(names)
        and len(set(names)) == len(names),
        "image_size": type(size) is int and SMALLEST_INPUT <= size <= LARGEST_INPUT,
        "norm_eps": isinstance(eps, float) and 0 <= eps <= 1,
    }
    for setting, good in checks.items():
        if not good:
            raise CheckpointError(f"{path}: {setting}: {str(config[setting])[:100]!r} makes no sense")
    return own_config(variant, tuple(names), size, eps)


def _published(path: Path, sketch: Mapping[str, Any]) -> MaskRcnnConfig:
    classifier = sketch.get(_CLASSIFIER)
    outputs = classifier.shape[0] if isinstance(classifier, Tensor) and classifier.ndim == 2 else 0
    if outputs != _COCO_LABELS:
        raise CheckpointError(
            f"{path}: {_CLASSIFIER}: expected the {_COCO_LABELS} outputs of torchvision's COCO weights, got "
            f"{outputs or 'none'}; weights of other classes have to bring their names "
            "(`model.checkpoints.mask_rcnn.save_mask_rcnn`)"
        )
    return coco_config(VARIANTS[_ONLY_V2 in sketch])


def _weights(path: Path, content: Mapping[str, Any], native: bool) -> dict[str, Any]:
    """Return the tensors by present names, without the batch counts that frozen norms do not keep."""
    weights = content.get("weights") if native else content
    if not isinstance(weights, Mapping):
        raise CheckpointError(
            f"{path}: key 'weights' should be a table of tensors, got {type(weights).__name__}"
        )
    return {_present_name(str(key)): value for key, value in weights.items() if not may_be_absent(str(key))}


def _present_name(key: str) -> str:
    for pattern, name in _OLD_NAMES:
        if match := pattern.fullmatch(key):
            return match.expand(name)
    if match := _OLD_MASK_HEAD.fullmatch(key):
        return f"roi_heads.mask_head.{int(match[1]) - 1}.0.{match[2]}"
    return key
