"""NanoDet-g's published graph: what it becomes here, and which files are no such graph."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model.checkpoints.nanodet import _layers, load_nanodet, read_convolutions
from model.config import preset
from model.errors import CheckpointError
from model.network.yolact import Yolact
from model.preprocessing import normalise
from tests.small_networks import FREE, SMALL, small_network
from tests.source_tree import ROOT

PUBLISHED = ROOT.parent / "shared" / "nanodet"
needs_published = pytest.mark.skipif(
    not (PUBLISHED / "reference.npz").is_file(),
    reason=f"the published graph and its reference outputs are not in {PUBLISHED}",
)


@needs_published
def test_the_published_weights_say_what_the_published_graph_says():
    network = small_network(preset("livemask_s"))
    load_nanodet(network, PUBLISHED / "nanodet.json")
    with np.load(PUBLISHED / "reference.npz") as reference:
        given = {name: torch.from_numpy(reference[name]) for name in reference.files}
    # [H, W, 3] BGR -> [1, 3, H, W] RGB
    images = normalise(given["image"].permute(2, 0, 1).flip(0)[None], network.config)
    # rows of [124, h, w] a level: 80 classes, then 4 sides of 11 bins
    expected = torch.cat([given[f"stride{s}"].float().flatten(1).T for s in (8, 16, 32)])

    with torch.inference_mode():
        raw = network(images)
        network.head.training = True  # gives the distributions; nothing else changes its mode
        said = network(images).box_distribution

    torch.testing.assert_close(raw.class_logits[0], expected[:, :80], atol=1e-3, rtol=0)
    torch.testing.assert_close(said[0].flatten(1), expected[:, 80:], atol=1e-3, rtol=0)
    sides = (expected[:, 80:].unflatten(1, (4, 11)).softmax(-1) * torch.arange(11)).sum(-1)
    torch.testing.assert_close(raw.box_deltas[0], sides, atol=1e-3, rtol=0)


@needs_published
def test_the_published_graph_leaves_the_mask_branch_alone():
    network = small_network(preset("livemask_n"))
    before = {key: value.clone() for key, value in network.state_dict().items()}

    load_nanodet(network, PUBLISHED / "nanodet.json")

    same = {key for key, value in network.state_dict().items() if torch.equal(value, before[key])}
    branch = ("protonet.", "head.mask_tower.", "head.mask_layer.", "semantic_head.")
    masks = {key for key in before if key.startswith(branch)}
    assert same == masks


@needs_published
def test_the_published_graph_is_refused_by_a_network_of_other_widths_which_stays_as_it_was():
    refused(small_network(FREE), PUBLISHED / "nanodet.json", "PartitionedCall/convolution: expected a kernel")


def test_a_graph_of_the_networks_own_shape_is_read_in_order_with_its_channels_turned(tmp_path: Path):
    theirs, ours = small_network(FREE, seed=1), small_network(FREE, seed=2)

    load_nanodet(ours, written(tmp_path, theirs))

    expected = theirs.state_dict()
    layers = [name for name, _ in _layers(ours)]
    for name in layers:
        for part in ("weight", "bias"):
            value, wanted = ours.state_dict()[f"{name}.{part}"], expected[f"{name}.{part}"]
            # the graph stores halves
            torch.testing.assert_close(value, wanted.half().float())
    assert layers[0] == "backbone.stem.0"
    assert layers[-6:] == [f"head.{kind}.{n}" for n in range(3) for kind in ("tower", "output")]


def test_convolutions_are_ordered_by_their_number_and_not_by_their_name(tmp_path: Path):
    read = read_convolutions(written(tmp_path, small_network(FREE)))
    assert [c.name.rpartition("_")[2] for c in read[1:]] == [str(n) for n in range(1, len(read))]


# what is wrong -> (what makes it so of a good graph, what the message says)
FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no json": (lambda graph: graph.unlink(), r"graph\.json: cannot be read: No such file"),
    "a folder": (lambda graph: (graph.unlink(), graph.mkdir()), r"graph\.json: cannot be read: "),
    "truncated json": (lambda graph: shorten(graph, 0.5), "no json, or a truncated one"),
    "empty json": (lambda graph: shorten(graph, 0.0), "no json, or a truncated one"),
    "no text": (lambda graph: graph.write_bytes(b"\xff\xfe\x00\x80" * 9), "no json, or a truncated one"),
    "another json": (lambda graph: graph.write_text("[1, 2]"), "not a TensorFlow.js graph model"),
    "a number": (lambda graph: graph.write_text("7"), "not a TensorFlow.js graph model"),
    "no weights": (
        lambda graph: edit(graph, lambda c: c.pop("weightsManifest")),
        "not a TensorFlow.js graph",
    ),
    "no bin": (lambda graph: graph.with_name("graph.bin").unlink(), r"graph\.bin: cannot be read: .* beside"),
    "truncated bin": (lambda graph: shorten(graph.with_name("graph.bin"), 0.7), "it is truncated"),
    "longer bin": (lambda graph: lengthen(graph.with_name("graph.bin")), "do not belong together"),
    "a convolution less": (
        lambda graph: edit(graph, drop_last),
        "expected 34 convolutions of NanoDet-g, got 33",
    ),
    "no convolutions": (lambda graph: edit(graph, drop_all), "expected 34 convolutions of NanoDet-g, got 0"),
    "a bias less": (lambda graph: edit(graph, drop_bias), "convolution_5: expected a kernel .* and a bias"),
    "a flat kernel": (
        lambda graph: edit(graph, lambda c: reshape(c, 3, lambda s: [s[0] * s[1], *s[2:]])),
        "convolution_3: expected a kernel of four dimensions",
    ),
    "a turned kernel": (
        lambda graph: edit(graph, lambda c: reshape(c, 1, lambda s: [*s[2:], *s[:2]])),
        r"convolution_1: expected a kernel \[8, 8, 3, 3\] for backbone\.stages\.0\.reduce\.0, got",
    ),
    "a negative shape": (
        lambda graph: edit(graph, lambda c: reshape(c, 2, lambda s: [-1, *s[1:]])),
        "makes no sense",
    ),
    "a shape of text": (
        lambda graph: edit(graph, lambda c: reshape(c, 2, lambda s: ["x", *s[1:]])),
        r"graph\.json: ",
    ),
    "an infinite shape": (
        lambda graph: edit(graph, lambda c: reshape(c, 2, lambda s: [math.inf, *s[1:]])),
        "not a TensorFlow.js graph model",
    ),
    "a name with a zero": (
        lambda graph: edit(graph, lambda c: c["weightsManifest"][0].update(paths=["graph\0.bin"])),
        "not a TensorFlow.js graph model",
    ),
    "a number that is none": (
        lambda graph: graph.write_text(graph.read_text().replace("convolution_7", "convolution_x")),
        "not a TensorFlow.js graph model",
    ),
    "json without end": (lambda graph: graph.write_text("[" * 100_000), "no json, or a truncated one"),
    "an enormous shape": (
        lambda graph: edit(graph, lambda c: reshape(c, 2, lambda s: [2**62, 2**62, *s[2:]])),
        "it is truncated",
    ),
    "bytes for floats": (
        lambda graph: edit(graph, store_as("uint8")),
        "weights stored as 'uint8' are not read",
    ),
    "a kind that is a list": (lambda graph: edit(graph, store_as(["float16"])), r"graph\.json: "),
    "nan": (lambda graph: spoil(graph, np.nan), "convolution_1: it holds values that are not finite"),
    "infinity": (lambda graph: spoil(graph, np.inf), "convolution_1: it holds values that are not finite"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_no_such_graph_is_refused_by_name_and_changes_nothing(tmp_path: Path, fault: str):
    spoiled, said = FAULTS[fault]
    graph = written(tmp_path, small_network(FREE, seed=1))
    spoiled(graph)
    refused(small_network(FREE), graph, said)


def test_a_network_with_anchors_has_no_place_for_it(tmp_path: Path):
    refused(small_network(SMALL), written(tmp_path, small_network(FREE)), "fit livemask_n, _s and _m, not")


def test_weights_are_read_from_the_graphs_own_folder_alone(tmp_path: Path):
    inner = tmp_path / "inner"
    inner.mkdir()
    graph = written(inner, small_network(FREE))
    (inner / "graph.bin").rename(tmp_path / "graph.bin")
    edit(graph, lambda c: c["weightsManifest"][0].update(paths=["../graph.bin"]))
    refused(small_network(FREE), graph, r"inner/graph\.bin: cannot be read")


def test_a_json_that_is_far_too_large_is_not_read(tmp_path: Path):
    graph = tmp_path / "graph.json"
    with graph.open("wb") as file:
        file.truncate(17 << 20)
    refused(small_network(FREE), graph, "too large for a graph's json")


def refused(network: Yolact, graph: Path, said: str) -> None:
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(CheckpointError, match=said):
        load_nanodet(network, graph)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def written(folder: Path, network: Yolact) -> Path:
    """A graph as it is published, of a network's own weights, in halves and with BGR in front."""
    nodes: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    content = b""
    for number, (_, layer) in enumerate(_layers(network)):
        name = "PartitionedCall/convolution" + (f"_{number}" if number else "")
        weight = layer.weight.detach().flip(1) if number == 0 else layer.weight.detach()
        for kind, value in (("kernel", weight.permute(2, 3, 1, 0)), ("bias", bias_of(layer))):
            entries.append(
                {
                    "name": f"{name}/{kind}",
                    "shape": list(value.shape),
                    "dtype": "float32",
                    "quantization": {"dtype": "float16", "original_dtype": "float32"},
                }
            )
            content += value.contiguous().half().numpy().tobytes()
        nodes.append({"name": f"{name}/kernel", "op": "Const"})
        nodes.append({"name": name, "op": "Conv2D", "input": ["x", f"{name}/kernel"]})
        nodes.append({"name": f"add_{number}", "op": "Add", "input": [name, f"{name}/bias"]})
    # a constant of the graph that is no weight of the network
    entries.append({"name": "shape", "shape": [2], "dtype": "int32"})
    content += np.array([1, 2], "<i4").tobytes()
    graph = folder / "graph.json"
    manifest = [{"paths": ["graph.bin"], "weights": entries}]
    # by name, as the published one is: _10 comes before _2
    nodes.sort(key=lambda node: str(node["name"]))
    graph.write_text(json.dumps({"modelTopology": {"node": nodes}, "weightsManifest": manifest}))
    graph.with_name("graph.bin").write_bytes(content)
    return graph


def bias_of(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias.detach()


def shorten(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + bytes(2))


def edit(graph: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(graph.read_text())
    change(content)
    graph.write_text(json.dumps(content))


def drop(content: Any, unwanted: Callable[[dict[str, Any]], bool]) -> None:
    topology = content["modelTopology"]
    topology["node"] = [node for node in topology["node"] if not unwanted(node)]


def drop_last(content: Any) -> None:
    drop(content, lambda node: node["name"] == "PartitionedCall/convolution_33")


def drop_all(content: Any) -> None:
    drop(content, lambda node: node["op"] == "Conv2D")


def drop_bias(content: Any) -> None:
    drop(content, lambda node: node["name"] == "add_5")


def reshape(content: Any, number: int, change: Callable[[list[Any]], list[Any]]) -> None:
    entry = content["weightsManifest"][0]["weights"][2 * number]
    entry["shape"] = change(entry["shape"])


def store_as(kind: Any) -> Callable[[Any], object]:
    return lambda content: content["weightsManifest"][0]["weights"][4].update(quantization={"dtype": kind})


def spoil(graph: Path, value: float) -> None:
    """Put a value into the second kernel."""
    path = graph.with_name("graph.bin")
    content = bytearray(path.read_bytes())
    start = sum(int(np.prod(shape)) for shape in ((3, 3, 3, 8), (8,))) * 2
    content[start : start + 2] = np.array(value, "<f2").tobytes()
    path.write_bytes(bytes(content))
