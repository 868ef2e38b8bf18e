"""A small network, and the OpenVINO model that was made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.engines.openvino_core import openvino_core
from model.exporting.openvino_model import to_openvino
from model.network.yolact import Yolact
from tests.confident_network import confident_network

Run = Callable[[Any, torch.Tensor], dict[str, NDArray[np.float32]]]


@pytest.fixture(scope="session")
def network() -> Yolact:
    return confident_network()


@pytest.fixture(scope="session")
def converted(network: Yolact) -> Any:
    """Never changed by a test: ask for a clone of it."""
    return to_openvino(network)


@pytest.fixture(scope="session")
def run() -> Run:
    """The outputs of an OpenVINO model by name, computed in float32."""

    def outputs(model: Any, images: torch.Tensor) -> dict[str, NDArray[np.float32]]:
        compiled = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        found = compiled(images.numpy())
        return {port.get_any_name(): found[port].copy() for port in compiled.outputs}

    return outputs
