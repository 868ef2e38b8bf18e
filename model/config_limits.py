"""Check configurations that come from files."""

from __future__ import annotations

import dataclasses
from typing import Any

from model.config import AnchorConfig, AnchorFreeConfig, DetectionConfig, LossConfig, YolactConfig
from model.errors import ConfigError
from model.input_shape import PADDED_TO

MAX_ANCHORS = 4_000_000
# sides of the network's input, in pixels
SMALLEST_INPUT, LARGEST_INPUT = 32, 4096
# the mask IoU network halves a map of prototypes five times, without padding
_SMALLEST_RESCORED_INPUT = 249


def smallest_input(config: YolactConfig) -> int:
    """Return the smallest side of the input, in pixels, that a network of this configuration can take."""
    return _SMALLEST_RESCORED_INPUT if config.mask_iou else SMALLEST_INPUT


def check_input_size(config: YolactConfig, image_size: int, name: str = "the input size") -> None:
    """Raise ConfigError when a network of this configuration cannot take an input of this side.

    `name` is what the message calls it.
    """
    smallest = smallest_input(config)
    if config.keeps_aspect_ratio and _whole(image_size, smallest, LARGEST_INPUT) and image_size % PADDED_TO:
        near = max(round(image_size / PADDED_TO) * PADDED_TO, smallest)
        raise ConfigError(
            f"{name} must be a multiple of {PADDED_TO} pixels, such as {near}, got {image_size}"
        )
    if not _whole(image_size, smallest, LARGEST_INPUT):
        reason = f" ({config.name} re-scores masks)" if config.mask_iou else ""
        raise ConfigError(f"{name} must be {smallest} to {LARGEST_INPUT} pixels{reason}, got {image_size!r}")


def check_limits(config: YolactConfig) -> None:
    """Raise ConfigError when no network of reasonable size can be built from a configuration.

    The message names the first bad setting.
    """
    checks = {
        "name": isinstance(config.name, str) and len(config.name) <= 200,
        "class_names": are_class_names(config.class_names),
        "backbone.name": isinstance(config.backbone.name, str),
        "backbone.width": _whole(config.backbone.width, 8, 256),
        "backbone.deformable_interval": _whole(config.backbone.deformable_interval, 0, 64),
        "fpn_channels": _whole(config.fpn_channels, 1, 2048),
        "protonet_channels": _whole(len(config.protonet_channels), 0, 16)
        and all(_whole(width, 1, 2048) for width in config.protonet_channels),
        "protonet_out_channels": _whole(config.protonet_out_channels, 1, 2048),
        "num_prototypes": _whole(config.num_prototypes, 1, 1024),
        "batch_norm": isinstance(config.batch_norm, bool),
        "mask_iou": isinstance(config.mask_iou, bool),
        "pixel_mean": len(config.pixel_mean) == 3 and all(_number(v, -1e6, 1e6) for v in config.pixel_mean),
        "pixel_std": len(config.pixel_std) == 3 and all(_number(v, 1e-6, 1e6) for v in config.pixel_std),
    }
    checks["anchors"] = (config.anchors is None) != (config.anchor_free is None)
    if config.anchors is not None:
        checks |= _anchor_checks(config.anchors)
    if config.anchor_free is not None:
        checks |= _anchor_free_checks(config.anchor_free)
    checks |= _loss_checks(config.loss)
    checks |= _detection_checks(config.detection, config.class_names)
    for setting, good in checks.items():
        if not good:
            raise ConfigError(f"config: {setting} is out of range or of a wrong type")
    check_input_size(config, config.image_size, "config: image_size")
    if config.anchors is not None:
        _check_anchor_count(config.anchors, config.image_size)


def _check_anchor_count(config: AnchorConfig, image_size: int) -> None:
    from model.anchors import grid_sides  # here: the command line wants the limits without PyTorch

    anchors = sum(cells**2 for cells in grid_sides(image_size)) * config.per_cell
    if anchors > MAX_ANCHORS:
        raise ConfigError(f"config: {anchors} anchors are too many; expected {MAX_ANCHORS} at most")


def _anchor_checks(config: AnchorConfig) -> dict[str, bool]:
    levels = config.sides
    return {
        "anchors.reference_size": _whole(config.reference_size, SMALLEST_INPUT, LARGEST_INPUT),
        "anchors.square": isinstance(config.square, bool),
        "anchors.sides": len(levels) == 5
        and len({len(level) for level in levels}) == 1
        and 1 <= len(levels[0]) <= 20
        and all(_number(side, 1e-3, 8192) for level in levels for side in level),
        "anchors.ratios": 1 <= len(config.ratios) <= 20 and all(_number(r, 1e-2, 1e2) for r in config.ratios),
    }


def _anchor_free_checks(config: AnchorFreeConfig) -> dict[str, bool]:
    return {
        "anchor_free.bins": _whole(config.bins, 2, 64),
        "anchor_free.mask_channels": _whole(config.mask_channels, 1, 2048),
        "anchor_free.fine_layers": _whole(config.fine_layers, 0, 16),
    }


def _loss_checks(config: LossConfig) -> dict[str, bool]:
    settings = dataclasses.asdict(config)
    box_loss = settings.pop("box_loss")
    return {
        "loss.box_loss": box_loss in ("smooth_l1", "giou"),
        **{f"loss.{name}": _number(value, 0, 1e6) for name, value in settings.items()},
    }


def _detection_checks(config: DetectionConfig, class_names: tuple[str, ...]) -> dict[str, bool]:
    return {
        "detection.class_thresholds": isinstance(config.class_thresholds, tuple)
        and len(config.class_thresholds) in (0, len(class_names))
        and all(_number(threshold, 0, 1) for threshold in config.class_thresholds),
        "detection.confidence_threshold": _number(config.confidence_threshold, 0, 1),
        "detection.nms_iou_threshold": _number(config.nms_iou_threshold, 0, 1),
        "detection.double_iou_threshold": _number(config.double_iou_threshold, 0, 1),
        "detection.nms_top_k": _whole(config.nms_top_k, 1, 1000),
        "detection.max_detections": _whole(config.max_detections, 1, 1000),
    }


def are_class_names(value: Any) -> bool:
    """Return True for a tuple of 1 to 10 000 strings of at most 200 characters."""
    return (
        isinstance(value, tuple)
        and 1 <= len(value) <= 10_000
        and all(isinstance(name, str) and len(name) <= 200 for name in value)
    )


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(value: Any, low: float, high: float) -> bool:
    # also False for nan, which compares as False with anything
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
