"""Choice of engine, device and precision: the fastest available, unless they are named."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from model.engines import ENGINES, OPTIONS, PRECISIONS, Option
from model.engines.device import CPU, Device
from model.engines.openvino_core import openvino_core
from model.engines.processor import has_int8_instructions, nvidia_gpus
from model.errors import ConfigError
from model.names import did_you_mean

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Machine:
    """Hardware and software of a machine.

    cpu:       name of the processor
    gpus:      number of CUDA devices that PyTorch sees
    openvino:  version of OpenVINO, or None
    fast_bf16: True if the CPU has instructions for bf16
    fast_int8: True if the CPU has instructions for int8
    """

    cpu: str
    gpus: int = 0
    openvino: str | None = None
    fast_bf16: bool = False
    fast_int8: bool = False


@dataclass(frozen=True)
class WeightsFacts:
    """Properties of a weights file on which the choice of an engine depends.

    exported: precision of a file that `export` wrote, fp32 or int8; None for a checkpoint
    int8:     a file that `export` wrote of these very weights, in int8, or None
    """

    path: Path
    exported: str | None = None
    int8: Path | None = None


@dataclass(frozen=True)
class EngineChoice:
    """The chosen engine, device and precision, with the reason in one line of text."""

    engine: str
    device: Device
    precision: str
    reason: str

    def __str__(self) -> str:
        return f"{self.engine} {self.precision} on {self.device}: {self.reason}"


@dataclass(frozen=True)
class Availability:
    """An option, and the reason why it is not available here; None when it is."""

    option: Option
    unavailable_because: str | None


def choose(
    engine: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    weights: WeightsFacts | None = None,
    machine: Machine | None = None,
) -> EngineChoice:
    """Return the fastest option that has the named engine, device and precision; "auto" leaves one open.

    `weights` None stands for a checkpoint without an int8 file, `machine` None for this machine. Raises
    ConfigError when a name is unknown, not available here, or does not go with the others: what is named is
    never replaced by something else.
    """
    _check_name("engine", engine, ENGINES)
    _check_name("precision", precision, PRECISIONS)
    named = None if device == "auto" else _named_device(device)
    machine = machine or detect_machine()
    asked_for = (engine, device, precision)
    passed_over: list[str] = []
    for option in OPTIONS:
        if not _fits(option, engine, named, precision):
            continue
        reason = _obstacle(option, machine, weights) or (
            _no_gain(option, machine) if precision == "auto" else None
        )
        if reason is None:
            chosen = named or Device(option.device)
            return EngineChoice(
                option.engine, chosen, option.precision, _chosen_because(asked_for, passed_over)
            )
        if reason not in passed_over:
            passed_over.append(reason)
    asked = f"engine {engine}, device {device}, precision {precision}"
    if not passed_over:
        there = ", ".join(
            str(one.option) for one in survey(weights, machine) if one.unavailable_because is None
        )
        raise ConfigError(f"{asked}: this does not go together; available here: {there or 'nothing'}")
    raise ConfigError(f"{asked}: this does not go together here: {'; '.join(passed_over)}")


def choose_with_levels(
    engine: str, device: str, precision: str, weights: WeightsFacts, machine: Machine
) -> EngineChoice:
    """Return the fastest option that gives the backbone's levels: on the CPU, of a checkpoint, not in int8.

    Raises ConfigError where something else is named, as `choose` does.
    """
    if device not in ("auto", "cpu") or precision == "int8" or weights.exported is not None:
        raise ConfigError(
            "masks are sharpened on the CPU, on features of a checkpoint's network in floating point; got "
            f"{weights.path.name}, device {device}, precision {precision}"
        )
    choice = choose(engine, "cpu", precision, replace(weights, int8=None), machine)
    return replace(choice, reason="the fastest that gives features to sharpen masks by")


def survey(weights: WeightsFacts | None = None, machine: Machine | None = None) -> list[Availability]:
    """Return all options, fastest first, with what each lacks here; arguments as in `choose`."""
    machine = machine or detect_machine()
    return [Availability(option, _obstacle(option, machine, weights)) for option in OPTIONS]


def detect_machine() -> Machine:
    """Return the properties of this machine. Imports OpenVINO where it is installed."""
    gpus = _gpus()
    try:
        core = openvino_core()
    except ImportError:
        return Machine(platform.processor() or platform.machine(), gpus)
    from openvino import __version__

    return Machine(
        core.get_property("CPU", "FULL_DEVICE_NAME"),
        gpus,
        __version__.partition("-")[0],
        "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"),
        has_int8_instructions(),
    )


def _gpus() -> int:
    """Return the number of CUDA devices that PyTorch sees; it is not loaded where the driver sees none."""
    if not nvidia_gpus():
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def select_device(name: str) -> torch.device:
    """Return the device of that name; "auto" is the first GPU, or the CPU where there is none.

    Raises ConfigError when the name is not valid or the device is not available; there is no fallback.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"no device is named {name!r}; expected auto, cpu, cuda or cuda:N") from error
    if device.type == "cpu" and (device.index or 0) == 0:
        return torch.device("cpu")
    there = torch.cuda.device_count() if device.type == "cuda" else 0
    if (device.index or 0) >= there:
        raise ConfigError(f"device {name!r} is not there; PyTorch sees {there} CUDA devices, and the CPU")
    return device


def _named_device(name: str) -> Device:
    """Return the device as `select_device` does, without PyTorch for the CPU."""
    if name == "cpu":
        return CPU
    device = select_device(name)
    return Device(device.type, device.index)


def _check_name(kind: str, name: str, known: Mapping[str, str]) -> None:
    if name != "auto" and name not in known:
        hint = did_you_mean(name, known)
        raise ConfigError(f"no {kind} is named {name!r};{hint and ' '}{hint} there are {_listed(known)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(["auto", *names])


def _fits(option: Option, engine: str, device: Device | None, precision: str) -> bool:
    return (
        engine in ("auto", option.engine)
        and (device is None or device.type == option.device)
        and precision in ("auto", option.precision)
    )


def _obstacle(option: Option, machine: Machine, weights: WeightsFacts | None) -> str | None:
    """Return the reason why an option cannot be used, or None."""
    if option.device == "cuda" and not machine.gpus:
        return "PyTorch sees no CUDA device"
    if option.engine == "openvino" and machine.openvino is None:
        return "OpenVINO is not installed (`pip install openvino`)"
    if option == Option("openvino", "cpu", "bf16") and not machine.fast_bf16:
        return f"{machine.cpu} has no instructions for bf16"
    return _obstacle_of_weights(option, weights)


def _obstacle_of_weights(option: Option, weights: WeightsFacts | None) -> str | None:
    if weights is not None and weights.exported is not None:
        if option.engine != "openvino":
            return f"{weights.path.name} is an exported model, which only the openvino engine runs"
        if (option.precision == "int8") != (weights.exported == "int8"):
            return f"{weights.path.name} was exported in {weights.exported}"
    elif option.precision == "int8" and (weights is None or weights.int8 is None):
        return (
            f"no int8 model for this input size lies beside {weights.path.name if weights else 'the weights'}"
        )
    return None


def _no_gain(option: Option, machine: Machine) -> str | None:
    """Return the reason why an option is slower than a later one, or None."""
    if option.precision == "int8" and not machine.fast_int8:
        return f"{machine.cpu} has no instructions for int8"
    return None


def _chosen_because(asked_for: tuple[str, ...], passed_over: list[str]) -> str:
    if "auto" not in asked_for:
        return "as named"
    everything = set(asked_for) == {"auto"}
    fastest = "the fastest there is on this machine" if everything else "the fastest of what was asked for"
    return fastest + (f" ({'; '.join(passed_over)})" if passed_over else "")
