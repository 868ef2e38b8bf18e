"""Engines run a network's forward pass behind one protocol (`model.engines.base`).

This module names what there is and imports none of it; `model.engines.choice` says what a machine can use.
"""

from __future__ import annotations

from dataclasses import dataclass

# name -> what it is
ENGINES = {
    "torch": "PyTorch, on CUDA devices and on the CPU",
    "openvino": "OpenVINO, the fastest on a CPU",
}
# name -> what most of the arithmetic is done in
PRECISIONS = {
    "fp32": "32-bit floating point",
    "bf16": "16-bit floating point with the range of 32 bits",
    "fp16": "16-bit floating point",
    "int8": "8-bit integers, for weights that `export --int8` made",
}


@dataclass(frozen=True)
class Option:
    """One way to run a network: keys of `ENGINES` and `PRECISIONS`, and a kind of device, cpu or cuda."""

    engine: str
    device: str
    precision: str

    def __str__(self) -> str:
        return f"{self.engine} {self.precision} on {self.device}"


# fastest first, as measured; bf16 of PyTorch on a CPU comes last, since few CPUs are fast at it
OPTIONS = (
    Option("torch", "cuda", "fp16"),
    Option("torch", "cuda", "bf16"),
    Option("torch", "cuda", "fp32"),
    Option("openvino", "cpu", "int8"),
    Option("openvino", "cpu", "bf16"),
    Option("openvino", "cpu", "fp32"),
    Option("torch", "cpu", "fp32"),
    Option("torch", "cpu", "bf16"),
)
