"""Starts a network from weights that were trained for something else."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from model.catalog import resolve_weights
from model.checkpoint import read_checkpoint
from model.errors import CheckpointError
from model.nanodet import load_nanodet
from model.yolact import Yolact

GRAPH_SUFFIX = ".json"


def initialise_from(network: Yolact, source: str) -> None:
    """Replace a network's weights by those of `source`, for other classes too.

    source: a NanoDet-g graph (`.json`), a checkpoint, or a name of the catalogue

    Of a checkpoint everything must fit but the layers that tell classes apart: there, classes of the same
    name keep their weights and the others keep those that the network came with.

    Raises CheckpointError, with the network as it was, naming the first weight that does not fit.
    """
    if source.lower().endswith(GRAPH_SUFFIX):
        load_nanodet(network, Path(source))
        return
    path = resolve_weights(source)
    checkpoint = read_checkpoint(path)
    theirs, ours = checkpoint.config.class_names, network.config.class_names
    own = network.state_dict()
    state: dict[str, Tensor] = {}
    for key, value in own.items():
        given = checkpoint.state.get(key)
        if (
            given is not None
            and given.shape == value.shape
            and (theirs == ours or not _tells_classes(network, key))
        ):
            state[key] = given.to(value.dtype)
        elif given is not None and _tells_classes(network, key):
            state[key] = _merged(value, given.to(value.dtype), ours, theirs, _offset(network))
        else:
            got = "none" if given is None else str(list(given.shape))
            raise CheckpointError(
                f"{path}: {key}: expected {list(value.shape)} for {network.config.name}, got {got}; start "
                f"from weights of the same network, these are of {checkpoint.config.name}"
            )
    network.load_state_dict(state)


def _tells_classes(network: Yolact, key: str) -> bool:
    return key.startswith(("head.output.", "head.conf_layer", "semantic_head"))


def _offset(network: Yolact) -> int:
    """Rows before those of the first class: the background's, which an anchor-free head does not have."""
    return 0 if network.config.anchor_free is not None else 1


def _merged(
    own: Tensor, given: Tensor, ours: tuple[str, ...], theirs: tuple[str, ...], offset: int
) -> Tensor:
    raise CheckpointError("not yet")
