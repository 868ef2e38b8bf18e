"""Post-training quantisation to 8-bit integers by NNCF, with layers that stay in float for accuracy."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from model.engines.openvino_core import refuse_telemetry

if TYPE_CHECKING:
    import openvino

# layers that can be kept in float -> their convolutions as `to_openvino` names them, in the order in which
# they are tried; those that a network lacks are skipped.
#
# Measured on a network with anchors for people, one at a time, on 154 images: the boxes' last convolution
# costs most of what box AP loses, and 0.5 % of the time of a ResNet-50 with 80 classes; that of the classes
# costs three quarters of the error of scores, and 7 % of the time where there are 80; the rest matters
# little.
#
# Measured on livemask_s without anchors, on 16 photographs, as the ratio of signal to noise in the logits of
# classes: 8-bit weights alone leave 25 dB, of which those of the stem and of the first stage cost most (with
# their weights alone in 8 bits 27 dB are left, with those of any other stage, of the neck or of the head
# alone 39 to 50 dB). The two take 5 % of the time when they are kept in bf16.
KEPT_IN_FLOAT: dict[str, str] = {
    "head.bbox_layer": r"head\.bbox_layer(#\d)?",
    "head.output": r"head\.output.*",
    "backbone.stages.0": r"backbone\.(stem|stages\.0)\..*",
    "head.conf_layer": r"head\.conf_layer(#\d)?",
    "backbone.stages.1": r"backbone\.stages\.1\..*",
    "head.mask_layer": r"head\.mask_layer.*",
    "backbone.conv1": r"backbone\.conv1",
    "head.upfeature": r"head\.upfeature.*",
    "protonet": r"protonet\..*",
    "fpn": r"fpn\..*",
    # of proposal networks
    "score": r"network\.head\.score\..*",
    "trunk's first stages": r"network\.trunk\.(stem|conv1|layers\.0|stages\.0)\b.*",
    "finest skips": r"network\.refinement\.horizontal\.3\..*",
}
ALWAYS_KEPT = 3
"""Number of them that are always kept: they cost little time."""

# A box side is the mean of a distribution over whole strides; 8 bits for its summands round the side itself
_TYPES_IN_FLOAT = ["ReduceSum"]


@dataclass(frozen=True, eq=False)
class Quantised:
    """`model` computes in 8-bit integers but for the layers in `kept`, keys of `KEPT_IN_FLOAT`.

    `accepted` is False when no step was accurate enough.
    """

    model: openvino.Model
    kept: tuple[str, ...]
    accepted: bool


def quantise(
    model: openvino.Model,
    images: Collection[Tensor],
    accept: Callable[[openvino.Model], bool],
    tell: Callable[[str], None] = lambda _: None,
) -> Quantised:
    """Quantise a model of `to_openvino`, keeping one layer more in float until `accept` says yes.

    images: [1, 3, S, S] float32 each, as `preprocess` makes them, typical of the network's
            inputs; read more than once
    accept: returns True if a quantised model is accurate enough, measured on other images
    tell:   called with a line of text at each step

    Weights are symmetric, activations asymmetric (NNCF's preset "mixed"), biases corrected.
    """
    layers = _there(model, tuple(KEPT_IN_FLOAT))
    always = _there(model, tuple(KEPT_IN_FLOAT)[:ALWAYS_KEPT])
    for count in range(len(always), len(layers) + 1):
        kept = layers[:count]
        tell(f"quantising all but {', '.join(kept) or 'nothing'}")
        quantised = _quantised(model, images, kept)
        if accept(quantised):
            return Quantised(quantised, kept, accepted=True)
    return Quantised(quantised, kept, accepted=False)


def _there(model: openvino.Model, layers: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys of `KEPT_IN_FLOAT` of which the model has convolutions."""
    names = [node.get_friendly_name() for node in model.get_ops() if node.get_type_name() == "Convolution"]
    return tuple(key for key in layers if any(re.fullmatch(KEPT_IN_FLOAT[key], name) for name in names))


def _quantised(model: openvino.Model, images: Collection[Tensor], kept: tuple[str, ...]) -> openvino.Model:
    refuse_telemetry()
    with _quiet():
        import nncf

        return nncf.quantize(
            model.clone(),
            nncf.Dataset(images, lambda image: image.numpy()),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(images),
            # a network may lack a type
            ignored_scope=nncf.IgnoredScope(
                patterns=[KEPT_IN_FLOAT[k] for k in kept], types=_TYPES_IN_FLOAT, validate=False
            ),
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep NNCF from writing to the standard output, which is for results, and from logging."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)
