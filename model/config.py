"""Frozen configurations of the networks and their losses, and the presets by name.

A configuration is a value: change one with `dataclasses.replace`, never in place. It travels inside a
checkpoint as plain numbers and strings (`to_dict`, `from_dict`). This module imports no torch.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from model.classes import COCO_CLASSES, PASCAL_CLASSES
from model.errors import ConfigError


@dataclass(frozen=True)
class BackboneConfig:
    """Configuration of the feature extractor.

    `name` is a key of `model.network.backbones.BACKBONES`; `width` the channels of the stem;
    `deformable_interval` n replaces the 3x3 of blocks 0, n, 2n, … of stages 3..5 by a modulated
    deformable convolution (YOLACT++, section 6.1); 0 means none.
    """

    name: str
    width: int = 64
    deformable_interval: int = 0


@dataclass(frozen=True)
class AnchorConfig:
    """Anchor shapes. A shape of side s and ratio r is s·√r wide and s/√r high.

    `sides` holds one tuple of sides a level, P3 to P7, in pixels of a square input of `reference_size`;
    at another input size anchors keep their size relative to the input. `square` uses the width for the
    height too, as the released models of the first paper do.
    """

    sides: tuple[tuple[float, ...], ...]
    ratios: tuple[float, ...]
    reference_size: int
    square: bool = False

    @property
    def per_cell(self) -> int:
        """Anchors a cell, the same on every level."""
        return len(self.sides[0]) * len(self.ratios)


@dataclass(frozen=True)
class AnchorFreeConfig:
    """NanoDet's neck and head in place of FPN and anchors, with YOLACT's mask branch on top.

    A box side's distribution is over 0 to `bins` - 1 strides; `mask_channels` are those of the 3x3 before
    the mask coefficients, `fine_layers` the 3x3 convolutions of the protonet at stride 4.
    """

    bins: int = 11
    mask_channels: int = 64
    fine_layers: int = 2


@dataclass(frozen=True)
class LossConfig:
    """Weights and rules of the training loss; the defaults are the published ones.

    An anchor is positive from an IoU of `positive_iou`, negative under `negative_iou`, neutral between.
    `min_negatives` is the least number of mined negatives an image (0 as published, where an image
    without objects teaches nothing). `box_loss` "giou" replaces smooth L1 on deltas by 1 - GIoU.
    """

    class_weight: float = 1.0
    box_weight: float = 1.5
    mask_weight: float = 6.125
    semantic_weight: float = 1.0
    mask_iou_weight: float = 25.0
    positive_iou: float = 0.5
    negative_iou: float = 0.4
    crowd_overlap: float = 0.7
    negatives_per_positive: int = 3
    min_negatives: int = 0
    max_masks_per_image: int = 100
    min_mask_iou_area: int = 25
    box_loss: Literal["smooth_l1", "giou"] = "smooth_l1"


PLACE_TERMS = 6
"""Mask coefficients of a polynomial of a pixel's position in the box: 1 u v u² v² uv."""

DEFAULT_THRESHOLD = 0.3
"""The score that a detection must exceed to be shown, where the weights hold no thresholds."""


@dataclass(frozen=True)
class DetectionConfig:
    """Constants of the detection step (paper, section 3.3).

    `class_thresholds` holds the score, 0..1, that a detection of each class exceeds by default; empty stands
    for `DEFAULT_THRESHOLD` for every class. Of two detections of different classes over their thresholds
    whose boxes overlap by more than `double_iou_threshold` the weaker one goes; 1 stands for none.
    """

    confidence_threshold: float = 0.05
    nms_iou_threshold: float = 0.5
    nms_top_k: int = 200
    max_detections: int = 100
    class_thresholds: tuple[float, ...] = ()
    double_iou_threshold: float = 1.0


@dataclass(frozen=True)
class YolactConfig:
    """Configuration of a network: its architecture, its input and its loss.

    `image_size` is the input's side in pixels, or the longer one where the aspect ratio is kept; exactly
    one of `anchors` and `anchor_free` is given; `pixel_mean` and `pixel_std` are in RGB order and on the
    0..255 scale; `protonet_channels` are those of the 3x3 convolutions before the upsampling and
    `protonet_out_channels` of the one after it; `batch_norm` puts a batch norm behind each convolution
    of FPN, head and protonet but the last ones; `mask_iou` adds the re-scoring network of YOLACT++.
    """

    name: str
    image_size: int
    backbone: BackboneConfig
    anchors: AnchorConfig | None
    class_names: tuple[str, ...] = COCO_CLASSES
    pixel_mean: tuple[float, float, float] = (123.68, 116.78, 103.94)
    pixel_std: tuple[float, float, float] = (58.40, 57.12, 57.38)
    fpn_channels: int = 256
    num_prototypes: int = 32
    protonet_channels: tuple[int, ...] = (256, 256, 256)
    protonet_out_channels: int = 256
    batch_norm: bool = False
    mask_iou: bool = False
    loss: LossConfig = LossConfig()
    detection: DetectionConfig = DetectionConfig()
    anchor_free: AnchorFreeConfig | None = None

    @property
    def keeps_aspect_ratio(self) -> bool:
        """True when frames are resized as a whole and padded, False when stretched to a square."""
        return self.anchor_free is not None

    @property
    def num_coefficients(self) -> int:
        """Mask coefficients of a detection: one a prototype, and `PLACE_TERMS` more without anchors."""
        return self.num_prototypes + (PLACE_TERMS if self.anchor_free is not None else 0)

    @property
    def num_classes(self) -> int:
        """Number of classes, background not counted."""
        return len(self.class_names)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dicts, fit for a checkpoint or json."""
        return _plain(dataclasses.asdict(self))

    @staticmethod
    def from_dict(values: dict[str, Any]) -> YolactConfig:
        """Invert `to_dict`. Raises ConfigError on unknown or missing keys.

        Settings that were added to the format later (`_ADDED_LATER`) may be missing and get their defaults.
        The values are not checked; `model.config_limits` checks those of a file.
        """
        return _build(YolactConfig, values, "config")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, (list, tuple)) else value


_NESTED: dict[str, type] = {
    "backbone": BackboneConfig,
    "anchors": AnchorConfig,
    "anchor_free": AnchorFreeConfig,
    "loss": LossConfig,
    "detection": DetectionConfig,
}


_OPTIONAL = frozenset({"anchors", "anchor_free"})
_ADDED_LATER = frozenset({"anchor_free", "class_thresholds", "double_iou_threshold"})


def _build(kind: type, values: Any, where: str) -> Any:
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: expected a table of settings, got {type(values).__name__}")
    known = {f.name for f in dataclasses.fields(kind)}
    odd_ones = (values.keys() - known) | (known - values.keys() - _ADDED_LATER)
    if odd_ones:
        odd = sorted(odd_ones)[0]
        state = "unknown" if odd in values else "missing"
        raise ConfigError(f"{where}: setting {odd!r} is {state}; were the weights made by another version?")
    parts = {
        key: _build(_NESTED[key], value, f"{where}.{key}")
        if key in _NESTED and (value is not None or key not in _OPTIONAL)
        else _frozen(value)
        for key, value in values.items()
    }
    return kind(**parts)


def _square_anchors(image_size: int) -> AnchorConfig:
    """Return the anchors of the first paper's COCO models: square, sides proportional to the input."""
    sides = tuple((float(side * image_size // 550),) for side in (24, 48, 96, 192, 384))
    return AnchorConfig(sides, ratios=(1.0, 0.5, 2.0), reference_size=image_size, square=True)


_PASCAL_ANCHORS = AnchorConfig(
    sides=((32.0,), (64.0,), (128.0,), (256.0,), (512.0,)), ratios=(1.0, 0.5, 2.0), reference_size=550
)
_PLUS_ANCHORS = AnchorConfig(
    sides=tuple(tuple(side * 2 ** (octave / 3) for octave in range(3)) for side in (24, 48, 96, 192, 384)),
    ratios=(1.0, 0.5, 2.0),
    reference_size=550,
)
_ANCHOR_FREE_LOSS = LossConfig(box_weight=2.0, mask_weight=1.0, semantic_weight=0.2, box_loss="giou")
# of a published detector, on the RGB scale
_NANODET_MEAN, _NANODET_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def _official(name: str, backbone: BackboneConfig, image_size: int = 550, **changes: Any) -> YolactConfig:
    values: dict[str, Any] = {"anchors": _square_anchors(image_size), **changes}
    return YolactConfig(name=name, image_size=image_size, backbone=backbone, **values)


def _anchor_free(name: str, image_size: int) -> YolactConfig:
    return YolactConfig(
        name=name,
        image_size=image_size,
        backbone=BackboneConfig("csp", width=32),
        anchors=None,
        anchor_free=AnchorFreeConfig(),
        pixel_mean=_NANODET_MEAN,
        pixel_std=_NANODET_STD,
        fpn_channels=128,
        protonet_channels=(64, 64),
        protonet_out_channels=64,
        batch_norm=True,
        loss=_ANCHOR_FREE_LOSS,
        detection=DetectionConfig(nms_iou_threshold=0.6, double_iou_threshold=0.7),
    )


PRESETS: dict[str, YolactConfig] = {
    config.name: config
    for config in (
        _official("yolact_base", BackboneConfig("resnet101")),
        _official("yolact_im400", BackboneConfig("resnet101"), image_size=400),
        _official(
            "yolact_im700",
            BackboneConfig("resnet101"),
            image_size=700,
            loss=LossConfig(max_masks_per_image=300),
        ),
        _official("yolact_resnet50", BackboneConfig("resnet50")),
        _official(
            "yolact_darknet53",
            BackboneConfig("darknet53", width=32),
            pixel_mean=(0.0, 0.0, 0.0),
            pixel_std=(255.0, 255.0, 255.0),
        ),
        _official(
            "yolact_resnet50_pascal",
            BackboneConfig("resnet50"),
            anchors=_PASCAL_ANCHORS,
            class_names=PASCAL_CLASSES,
        ),
        _official(
            "yolact_plus_base",
            BackboneConfig("resnet101", deformable_interval=3),
            anchors=_PLUS_ANCHORS,
            mask_iou=True,
        ),
        _official(
            "yolact_plus_resnet50",
            BackboneConfig("resnet50", deformable_interval=1),
            anchors=_PLUS_ANCHORS,
            mask_iou=True,
        ),
        _anchor_free("livemask_n", image_size=320),
        _anchor_free("livemask_s", image_size=416),
        _anchor_free("livemask_m", image_size=512),
    )
}


def preset(name: str) -> YolactConfig:
    """Return the preset of that name. Raises ConfigError with the known names."""
    if name not in PRESETS:
        raise ConfigError(f"no configuration is named {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]
