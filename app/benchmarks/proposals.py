"""Proposal networks: the product's own against the published ones, and these among each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from app.benchmarks.figures import Figure, Setup, at_least
from app.benchmarks.forward import PHOTOS
from app.benchmarks.timing import milliseconds
from model.checkpoints.catalog import resolve_weights
from model.engines.choice import WeightsFacts, survey
from model.exporting.exported import int8_beside
from model.sharpmask.config import SHARPMASK_PRESETS
from model.sharpmask.engines import ProposalEngines, torch_engines
from model.sharpmask.loading import load_engines
from model.sharpmask.network import build_sharpmask
from model.sharpmask.predictor import DISPLAY_SCALES, DISPLAY_WINDOWS, Frame
from model.sharpmask.proposals import propose
from pipeline.sources.images import find_media, read_image

LITE = "sharpmask_lite_objects"
REFERENCE = "sharpmask_resnet50"
SIDES = (240, 320)  # height and width of the picture
TIMES_AS_FAST = 10.0
TOP_N = (50, 100, 500, 1000)
# networks of the papers' tables, each with its reading
TABLE = {
    "deepmask_vgg": "DeepMask, VGG-A, W224",
    "w160_p4_d8_vgg": "W160-P4-D8-VGG",
    "w160_p4_d39": "W160-P4-D39",
    "w160_p4_d39_f128": "W160-P4-D39-F128",
    "w112_p4_d39": "W112-P4-D39",
    "w112_p3_d21": "W112-P3-D21",
    "w112_p3_d21_f128": "W112-P3-D21-F128",
    "deepmask_resnet50_a": "head A",
    "deepmask_resnet50_b": "head B",
    "deepmask_resnet50": "head C",
    "sharpmask_resnet50": "SharpMask",
}


def run(setup: Setup) -> list[Figure]:
    """Time of one picture. Weights of published networks are random, which costs what trained ones do."""
    frame = _picture()
    figures = _against_the_published(frame, setup)
    figures += _table(frame, setup)
    return figures + _by_number(frame, setup)


def _against_the_published(frame: Frame, setup: Setup) -> list[Figure]:
    engines = {REFERENCE: _random(REFERENCE), **_own()}
    taken = _milliseconds({name: _displayed(one, frame) for name, one in engines.items()}, setup)
    figures = [Figure(f"{name}, 320 x 240, 4 scales, 50 windows", ms, "ms") for name, ms in taken.items()]
    for name in engines:
        if name != REFERENCE:
            title, ratio = f"{REFERENCE}, torch fp32 / {name}", taken[REFERENCE] / taken[name]
            asked = name.endswith(("bf16", "int8"))
            figures.append(at_least(title, ratio, TIMES_AS_FAST) if asked else Figure(title, ratio, "x"))
    return figures


def _table(frame: Frame, setup: Setup) -> list[Figure]:
    calls = {reading: _displayed(_random(name), frame) for name, reading in TABLE.items()}
    taken = _milliseconds(calls, setup)
    figures = [Figure(f"{reading}, PyTorch fp32", ms, "ms") for reading, ms in taken.items()]
    slowest = taken[TABLE["deepmask_vgg"]]
    return [*figures, at_least("DeepMask, VGG-A / SharpMask with head C", slowest / taken["SharpMask"], 2.0)]


def _by_number(frame: Frame, setup: Setup) -> list[Figure]:
    engines = next(iter(_own().values()))
    calls = {
        f"{LITE}, {top_n} windows, {kind}": _displayed(engines, frame, top_n, kind == "refined")
        for top_n in TOP_N
        for kind in ("coarse", "refined")
    }
    return [Figure(name, ms, "ms") for name, ms in _milliseconds(calls, setup).items()]


def _own() -> dict[str, ProposalEngines]:
    """Return the product's own network on each option of this machine's CPU, fastest first."""
    path = resolve_weights(LITE)
    found = {}
    for one in survey(WeightsFacts(path, int8=int8_beside(path))):
        option = one.option
        if option.device != "cpu" or one.unavailable_because or str(option).startswith("torch bf16"):
            continue
        engines, _ = load_engines(path, option.engine, "cpu", option.precision)
        found[f"{LITE}, {option.engine} {option.precision}"] = engines
    return found


def _random(name: str) -> ProposalEngines:
    network = build_sharpmask(SHARPMASK_PRESETS[name]).eval().requires_grad_(False)
    return torch_engines(network)


def _displayed(
    engines: ProposalEngines, frame: Frame, top_n: int = DISPLAY_WINDOWS, refine: bool = True
) -> Callable[[], object]:
    """Return a call with the settings of display; OpenVINO gets the cores, as in every command."""
    threads = torch.get_num_threads()

    def call() -> None:
        torch.set_num_threads(1 if engines.dense.name == "openvino" else threads)
        propose(engines, frame, DISPLAY_SCALES, top_n, refine)
        torch.set_num_threads(threads)

    return call


def _milliseconds(calls: Mapping[str, Callable[[], object]], setup: Setup) -> dict[str, float]:
    with torch.inference_mode():
        return milliseconds(calls, setup.seconds)


def _picture() -> Frame:
    image = read_image(find_media(PHOTOS).images[0])
    rows = torch.linspace(0, image.shape[0] - 1, SIDES[0]).long()
    columns = torch.linspace(0, image.shape[1] - 1, SIDES[1]).long()
    return torch.from_numpy(image)[rows][:, columns].numpy()
