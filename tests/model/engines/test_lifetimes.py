"""What OpenVINO and PyTorch share memory of may go in any order, and nothing reads what is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source_tree import ROOT

# freed memory is overwritten, so that whoever still reads it finds out
OVERWRITE_FREED = {"MALLOC_PERTURB_": "165"}
CODE = """
import faulthandler, gc, sys
from pathlib import Path
import torch
from model.engines.compiled_cache import CompiledCache, Compiler, ModelKey
from model.detection.raw_outputs import raw_outputs
from model.engines.openvino_engine import OpenVinoEngine
from model.exporting.interface import without_masks
from model.exporting.openvino_model import to_openvino
from tests.confident_network import confident_network

faulthandler.enable()
network = confident_network()
key = ModelKey("ab" * 32, "tiny.pt", None, True, "fp32")
cache = CompiledCache(Path(sys.argv[1]), "here")
models = []

def build():
    models.append(to_openvino(network))
    return models[-1].clone()

def engine(streams):
    return OpenVinoEngine(Compiler(build, key, cache, "fp32", streams), "fp32", raw_outputs, streams)

images = torch.randn(1, 3, 64, 64)
streams = int(sys.argv[2])
wanted = None
for kept in ("made anew", "from the cache"):
    running = engine(streams)
    running.prepare_for((1, 3, 64, 64))
    models.clear()
    gc.collect()
    for raw in [start() for start in [running.start(images.clone()) for _ in range(streams)]]:
        wanted = wanted or [part.clone() for part in raw[:4]]
        assert all(map(torch.equal, wanted, raw)), kept
    running.start(torch.randn(1, 3, 64, 64))  # still on its way when the engine goes
    last = running.start(images.clone())()
    del running
    gc.collect()
    filler = [torch.full((part.numel(),), 7.0) for part in wanted for _ in range(50)]
    assert all(map(torch.equal, wanted, last)), kept

smaller = without_masks(to_openvino(network))
gc.collect()
assert smaller.clone().outputs
del smaller
gc.collect()
"""


@pytest.mark.slow
@pytest.mark.parametrize("streams", [1, 2])
def test_outputs_outlive_their_engine_and_an_engine_what_it_was_made_of(streams: int, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path), str(streams)],
        cwd=ROOT,
        env={**os.environ, **OVERWRITE_FREED},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr
