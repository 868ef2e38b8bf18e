"""Feature extractors by name. Each yields C3, C4 and C5, at strides 8, 16 and 32."""

from __future__ import annotations

from collections.abc import Callable

from model.config import BackboneConfig
from model.network.backbones.base import Backbone as Backbone
from model.network.backbones.csp import build_csp
from model.network.backbones.darknet import build_darknet53
from model.network.backbones.resnet import build_resnet18, build_resnet50, build_resnet101

BACKBONES: dict[str, Callable[[BackboneConfig], Backbone]] = {
    "resnet18": build_resnet18,
    "resnet50": build_resnet50,
    "resnet101": build_resnet101,
    "darknet53": build_darknet53,
    "csp": build_csp,
}
