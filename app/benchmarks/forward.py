"""The forward pass alone: the same network and image through each engine in turn, batch 1."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from app.benchmarks.figures import Figure, Setup, at_least, missing
from app.benchmarks.timing import milliseconds
from model.config import preset
from model.detection.raw_outputs import RawOutputs, raw_outputs
from model.engines.base import YolactEngine
from model.engines.compiled_cache import compile_options
from model.engines.openvino_core import openvino_core
from model.engines.openvino_engine import OpenVinoEngine
from model.engines.torch_engine import TorchEngine
from model.exporting.exported import Facts, write_openvino
from model.exporting.int8 import quantise
from model.exporting.openvino_model import to_openvino
from model.input_shape import input_shape
from model.network.yolact import Yolact, build_yolact
from model.preprocessing import preprocess
from model.project import ROOT
from pipeline.sources.images import find_media, read_image

if TYPE_CHECKING:
    import openvino

CONFIGS = ("yolact_resnet50", "livemask_n", "livemask_s", "livemask_m")
VIDEO = (1080, 1920)  # height and width of the frames that the input is for
TARGETS = {("yolact_resnet50", "bf16"): 7.0, ("yolact_resnet50", "int8"): 11.0}
PHOTOS = ROOT / "assets" / "photos"


def run(setup: Setup) -> list[Figure]:
    """PyTorch fp32 against OpenVINO. The weights are random, which costs what trained ones do."""
    try:
        openvino_core()
    except ImportError:
        return [missing("forward", "OpenVINO is not installed")]
    return [figure for name in CONFIGS for figure in _measure(name, setup)]


def _measure(name: str, setup: Setup) -> list[Figure]:
    network = random_network(name)
    height, width = input_shape(network.config, VIDEO).padded
    image = torch.randn(1, 3, height, width)
    engines = {"torch fp32": TorchEngine(network, torch.device("cpu")), **_openvino_engines(network)}

    def forward(engine: YolactEngine) -> RawOutputs:
        return engine.start(image)()

    taken = milliseconds({key: partial(forward, one) for key, one in engines.items()}, setup.seconds)
    figures = [Figure(f"{name} at {width} x {height} px, {key}", ms, "ms") for key, ms in taken.items()]
    for precision in ("fp32", "bf16", "int8"):
        ratio = taken["torch fp32"] / taken[f"openvino {precision}"]
        title = f"{name}, torch fp32 / openvino {precision}"
        target = TARGETS.get((name, precision))
        figures.append(Figure(title, ratio, "x") if target is None else at_least(title, ratio, target))
    return figures


def _openvino_engines(network: Yolact) -> dict[str, YolactEngine]:
    model = to_openvino(network)
    parts = {"fp32": (model, "fp32"), "bf16": (model, "bf16"), "int8": (_quantised(network), "bf16")}
    return {
        f"openvino {precision}": OpenVinoEngine[Tensor, RawOutputs](
            _Compile(part, floats), precision, raw_outputs
        )
        for precision, (part, floats) in parts.items()
    }


class _Compile:
    """Compiles afresh each time: a benchmark leaves no trace in the user's cache."""

    def __init__(self, model: openvino.Model, float_precision: str) -> None:
        self._model = model
        self._float_precision = float_precision

    def __call__(self, shape: Sequence[int] | None) -> openvino.CompiledModel:
        model = self._model.clone()
        if shape is not None:
            model.reshape(list(shape))
        return openvino_core().compile_model(model, "CPU", compile_options(self._float_precision, streams=1))


def _quantised(network: Yolact) -> openvino.Model:
    """Quantise in a process of its own, since NNCF may leave the caller's threads tied to a core."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.xml"
        arguments = f"{network.config.name!r}, {str(path)!r}"
        code = f"from app.benchmarks.forward import write_int8; write_int8({arguments})"
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
        # the file is mapped into memory, and is about to vanish
        return openvino_core().read_model(path.read_bytes(), path.with_suffix(".bin").read_bytes())


def write_int8(config: str, path: str) -> None:
    """Write a model calibrated on the demo photographs: enough for its speed, if not its accuracy."""
    network = random_network(config)
    frames = [read_image(photo) for photo in find_media(PHOTOS).images]
    images: list[Tensor] = [preprocess(torch.from_numpy(frame)[None], network.config) for frame in frames]
    model = quantise(to_openvino(network), images, accept=lambda _: True).model
    write_openvino(model, Path(path), Facts(network.config, digest="", precision="int8"))


def random_network(config: str) -> Yolact:
    """The same random weights in every process."""
    torch.manual_seed(0)
    return build_yolact(preset(config)).eval()
