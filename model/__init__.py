"""YOLACT: configurations, networks, losses, weights, and the predictor that turns a frame into masks.

Names are resolved when they are first used (PEP 562), so that importing this package costs nothing and
the records and configurations can be had without torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.checkpoints.sharpmask import load_sharpmask as load_sharpmask
    from model.checkpoints.yolact import load_checkpoint as load_checkpoint
    from model.config import PRESETS as PRESETS
    from model.config import YolactConfig as YolactConfig
    from model.detection.postprocessing import postprocess as postprocess
    from model.detection.raw_outputs import RawOutputs as RawOutputs
    from model.detections import Detections as Detections
    from model.detections import MaskCrop as MaskCrop
    from model.errors import LiveMaskError as LiveMaskError
    from model.network.yolact import Yolact as Yolact
    from model.network.yolact import build_yolact as build_yolact
    from model.predictor import Predictor as Predictor
    from model.predictor import load_predictor as load_predictor
    from model.preprocessing import preprocess as preprocess
    from model.sharpmask.config import SHARPMASK_PRESETS as SHARPMASK_PRESETS
    from model.sharpmask.config import SharpMaskConfig as SharpMaskConfig
    from model.sharpmask.network import SharpMask as SharpMask
    from model.sharpmask.proposals import propose as propose
    from model.training.data.targets import Targets as Targets
    from model.training.loss import YolactLoss as YolactLoss
    from model.training.proposal_loss import proposal_mask_loss as proposal_mask_loss
    from model.training.proposal_loss import proposal_score_loss as proposal_score_loss

_HOMES = {
    "SHARPMASK_PRESETS": "model.sharpmask.config",
    "SharpMask": "model.sharpmask.network",
    "SharpMaskConfig": "model.sharpmask.config",
    "load_sharpmask": "model.checkpoints.sharpmask",
    "propose": "model.sharpmask.proposals",
    "proposal_mask_loss": "model.training.proposal_loss",
    "proposal_score_loss": "model.training.proposal_loss",
    "Detections": "model.detections",
    "LiveMaskError": "model.errors",
    "MaskCrop": "model.detections",
    "PRESETS": "model.config",
    "Predictor": "model.predictor",
    "RawOutputs": "model.detection.raw_outputs",
    "Targets": "model.training.data.targets",
    "Yolact": "model.network.yolact",
    "YolactConfig": "model.config",
    "YolactLoss": "model.training.loss",
    "build_yolact": "model.network.yolact",
    "load_checkpoint": "model.checkpoints.yolact",
    "load_predictor": "model.predictor",
    "postprocess": "model.detection.postprocessing",
    "preprocess": "model.preprocessing",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
