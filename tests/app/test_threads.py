"""How the cores are shared between the libraries that want them."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from app.gui import CoreSharing
from app.predictors import share_cores


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize(("engine", "threads"), [("openvino", 1), ("torch", 3)])
def test_pytorch_leaves_the_cores_to_openvino_where_that_runs_the_network(engine: str, threads: int):
    predictor: Any = SimpleNamespace(choice=SimpleNamespace(engine=engine))
    share_cores(predictor)
    assert torch.get_num_threads() == threads


@pytest.mark.usefixtures("three_threads")
def test_pytorchs_threads_come_back_with_its_own_engine():
    sharing = CoreSharing()
    counts = []
    for engine in ("torch", "openvino", "openvino", "torch", "openvino"):
        sharing(cast("Any", SimpleNamespace(choice=SimpleNamespace(engine=engine))))
        counts.append(torch.get_num_threads())
    assert counts == [3, 1, 1, 3, 1]
