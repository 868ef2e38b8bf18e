"""What every exporter has to do (`model.exporting.EXPORTERS`)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.exporting import EXPORTERS
from model.exporting.exported import Facts, read_exported
from model.network.yolact import Yolact
from model.outputs import BOX_OUTPUTS, OUTPUTS
from tests.source_tree import ROOT

needs = {"onnx": ("onnx", "onnxscript")}


@pytest.mark.parametrize("with_masks", [True, False])
@pytest.mark.parametrize("name", EXPORTERS)
@torch.no_grad()
def test_the_file_computes_what_the_network_computes_and_knows_its_facts(
    network: Yolact, tmp_path: Path, run: Any, name: str, with_masks: bool
):
    if missing := [one for one in needs.get(name, ()) if importlib.util.find_spec(one) is None]:
        pytest.skip(f"{' and '.join(missing)} not installed")
    facts = Facts(network.config, "0" * 64, "fp32", 'free, "as <it> is" & größer')
    path = tmp_path / f"a{EXPORTERS[name].suffix}"

    EXPORTERS[name].load()(network, path, facts, with_masks)

    assert {p.stem for p in tmp_path.iterdir()} == {"a"}
    exported = read_exported(path)
    assert exported.has_masks == with_masks
    assert exported.facts == facts
    for batch in (1, 3):
        images = torch.randn(batch, 3, 64, 64, generator=torch.Generator().manual_seed(batch))
        found = run(exported.model, images)
        assert tuple(found) == (OUTPUTS if with_masks else BOX_OUTPUTS)
        for output, expected in zip(OUTPUTS, network(images)[:4], strict=True):
            if output in found:
                np.testing.assert_allclose(found[output], expected.numpy(), rtol=1e-4, atol=1e-4)
    content = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert str(ROOT).encode() not in content
    assert b"stack_trace" not in content


def test_no_two_formats_share_a_suffix():
    assert len({exporter.suffix for exporter in EXPORTERS.values()}) == len(EXPORTERS)
