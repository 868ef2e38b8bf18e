"""Predictors of any kind, all but the engine on the CPU; torch is loaded for those of tensors alone."""

from __future__ import annotations

from model.base_predictor import Predictor
from model.host.predictor import HostPredictor


def hosted(predictor: Predictor) -> HostPredictor:
    """Return a predictor on the same engine that does everything else on the CPU."""
    if isinstance(predictor, HostPredictor):
        return predictor
    from model.host.torch_host import on_host
    from model.torch_predictor import TorchPredictor

    assert isinstance(predictor, TorchPredictor)
    return on_host(predictor)
