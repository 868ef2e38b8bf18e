"""What is costly to make and the same for all tests of engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from model.exporting.interface import without_masks
from model.exporting.openvino_model import to_openvino
from tests.small_networks import TINY, small_network


@pytest.fixture(scope="session")
def converted() -> Callable[..., Any]:
    """The tiny network as an OpenVINO model, a copy at each call; `with_masks` is an argument."""
    model = to_openvino(small_network(TINY))
    return lambda with_masks=True: model.clone() if with_masks else without_masks(model)
