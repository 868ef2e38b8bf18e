"""Load a proposal network's weights with the engines that run them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from model.checkpoints.pins import sha256_of
from model.checkpoints.sharpmask import load_sharpmask, read_sharpmask_config
from model.engines.choice import EngineChoice, Machine, WeightsFacts, choose, detect_machine
from model.errors import ConfigError
from model.sharpmask.config import SharpMaskConfig
from model.sharpmask.engines import ProposalEngines, dense_outputs, mask_logits, torch_engines
from model.sharpmask.network import SharpMask

if TYPE_CHECKING:
    import openvino
    from torch import Tensor

    from model.engines.openvino_engine import OpenVinoEngine
    from model.sharpmask.network import DenseOutputs

# poolings that round up depend on whether a side is odd, which an exported program cannot
_TORCH_ONLY = ("vgg_a",)


def load_engines(
    path: Path, engine: str = "auto", device: str = "auto", precision: str = "auto"
) -> tuple[ProposalEngines, EngineChoice]:
    """Return the engines of a proposal network's weights, and why they were chosen. See `choose`.

    Raises CheckpointError on a file that cannot be used, ConfigError on what is not available.
    """
    from model.exporting.exported import int8_beside

    config = read_sharpmask_config(path)
    if config.trunk in _TORCH_ONLY:
        if engine not in ("auto", "torch"):
            raise ConfigError(f"{config.name} has poolings that only the torch engine runs, got {engine!r}")
        engine = "torch"
    machine = detect_machine()
    facts = WeightsFacts(path, int8=int8_beside(path))
    choice = choose(engine, device, precision, facts, machine)
    if choice.engine == "torch":
        network = load_sharpmask(path).requires_grad_(False).to(str(choice.device))
        return torch_engines(network, choice.precision), choice
    return _openvino_engines(config, facts, choice, machine), choice


def _openvino_engines(
    config: SharpMaskConfig, weights: WeightsFacts, choice: EngineChoice, machine: Machine
) -> ProposalEngines:
    from model.engines.compiled_cache import Compiler, ModelKey, compiled_cache
    from model.engines.openvino_engine import OpenVinoEngine
    from model.exporting.proposal_models import coarse_model, dense_model, read_dense, refined_model

    kept, digest = compiled_cache(), sha256_of(weights.path)
    floats = "bf16" if machine.fast_bf16 and choice.precision != "fp32" else "fp32"

    @cache
    def network() -> SharpMask:
        return load_sharpmask(weights.path)

    def dense() -> openvino.Model:
        if choice.precision == "int8" and weights.int8 is not None:
            return read_dense(weights.int8)
        return dense_model(network())

    def key(part: str, precision: str) -> ModelKey:
        return ModelKey(digest, weights.path.name, None, True, f"{part}, {precision}, {floats}")

    def masks(part: str) -> OpenVinoEngine[tuple[Tensor, ...], Tensor]:
        convert = {"coarse": coarse_model, "refined": refined_model}[part]
        compiler = Compiler(lambda: convert(network()), key(part, floats), kept, floats)
        return OpenVinoEngine(compiler, floats, mask_logits, any_shape=True)

    made: OpenVinoEngine[Tensor, DenseOutputs] = OpenVinoEngine(
        Compiler(dense, key("dense", choice.precision), kept, floats),
        choice.precision,
        dense_outputs,
        any_shape=True,
    )
    made.prepare_for(None)
    refined = masks("refined") if config.refines else None
    if refined is not None:
        refined.prepare_for(None)
    return ProposalEngines(config, made, masks("coarse"), refined)
