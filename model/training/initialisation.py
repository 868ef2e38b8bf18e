"""Initialise a network from weights that were trained for another purpose."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from model.checkpoints.catalog import resolve_weights
from model.checkpoints.nanodet import load_nanodet
from model.checkpoints.yolact import best_state, read_checkpoint
from model.config import DetectionConfig, LossConfig, YolactConfig
from model.errors import CheckpointError
from model.network.yolact import Yolact

GRAPH_SUFFIX = ".json"


def is_graph(source: str) -> bool:
    """Return True if a source is a graph of NanoDet-g, which holds weights but no classes or settings."""
    return source.lower().endswith(GRAPH_SUFFIX)


def same_network(one: YolactConfig, other: YolactConfig) -> bool:
    """Return True if two configurations have the same weights but for the classes, at any input size."""
    return _network_alone(one) == _network_alone(other)


def initialise_from(network: Yolact, source: str) -> None:
    """Replace a network's weights by those of `source`, for other classes too.

    source: a NanoDet-g graph (`.json`), a checkpoint, or a name of the catalogue

    Of a checkpoint everything must fit but the layers that tell classes apart: there, classes of the same
    name keep their weights and the others keep those that the network came with.

    Raises CheckpointError, with the network as it was, naming the first weight that does not fit.
    """
    if is_graph(source):
        load_nanodet(network, Path(source))
        return
    path = resolve_weights(source)
    checkpoint = read_checkpoint(path)
    given = best_state(checkpoint)
    theirs, ours = checkpoint.config.class_names, network.config.class_names
    state: dict[str, Tensor] = {}
    for key, own in network.state_dict().items():
        found = given.get(key)
        rows = _class_rows(network, key)
        if found is not None and rows is not None and theirs != ours:
            merged = _merged(own, found.to(own.dtype), ours, theirs, rows)
        else:
            merged = found if found is not None and found.shape == own.shape else None
        if merged is None:
            got = "none" if found is None else str(list(found.shape))
            raise CheckpointError(
                f"{path}: {key}: expected {list(own.shape)} for {network.config.name}, got {got}; start "
                f"from weights of the same network, these are of {checkpoint.config.name}"
            )
        state[key] = merged.to(own.dtype)
    network.load_state_dict(state)


class _Rows(NamedTuple):
    """Position of the classes in a layer's output channels: in each of `groups`, after `before` rows."""

    groups: int
    before: int


def _class_rows(network: Yolact, key: str) -> _Rows | None:
    """Return the rows of a parameter that belong to classes; None if none do."""
    config = network.config
    if key.startswith("head.output."):  # behind the classes come the sides' distributions
        return _Rows(1, 0)
    if key.startswith("head.conf_layer.") and config.anchors is not None:  # the background comes first
        return _Rows(config.anchors.per_cell, 1)
    if key.startswith("semantic_head."):
        return _Rows(1, 0)
    if key.startswith("mask_iou_net.") and network.state_dict()[key].shape[0] == config.num_classes:
        return _Rows(1, 0)
    return None


def _merged(
    own: Tensor, given: Tensor, ours: tuple[str, ...], theirs: tuple[str, ...], rows: _Rows
) -> Tensor | None:
    """Return `own` [R, …] with the given rows of common classes, and of everything but classes.

    None where `given` differs in more than its classes.
    """
    groups, before = rows
    others = len(own) - groups * len(ours)
    if own.shape[1:] != given.shape[1:] or len(given) - groups * len(theirs) != others:
        return None
    # [groups · (before + C + after), …] -> [groups, before + C + after, …]
    merged, source = own.clone().unflatten(0, (groups, -1)), given.unflatten(0, (groups, -1))
    merged[:, :before] = source[:, :before]
    merged[:, before + len(ours) :] = source[:, before + len(theirs) :]
    for row, name in enumerate(ours):
        if name in theirs:
            merged[:, before + row] = source[:, before + theirs.index(name)]
    return merged.flatten(0, 1)


def _network_alone(config: YolactConfig) -> YolactConfig:
    return dataclasses.replace(
        config,
        name="",
        image_size=0,
        class_names=(),
        loss=LossConfig(),
        detection=DetectionConfig(),
        pixel_mean=(0.0, 0.0, 0.0),
        pixel_std=(1.0, 1.0, 1.0),
    )
