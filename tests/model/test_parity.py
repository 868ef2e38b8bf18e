"""The published models, computed here: parameter names, and every step against recorded values.

The recorded values lie beside the project (`../shared/parity`) and are no part of it.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from model.checkpoints.yolact import official_name
from model.config import PRESETS
from model.network.yolact import build_yolact
from tests.source_tree import ROOT

RECORDED = ROOT.parent / "shared" / "parity"
OFFICIAL = [name for name in PRESETS if name.startswith("yolact")]

pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="no recorded values of the published models beside the project (../shared)"
)


def recorded(name: str) -> Path:
    path = RECORDED / name
    if not path.is_file():
        pytest.skip(f"../shared/parity/{name} is not there")
    return path


@pytest.mark.parametrize("name", OFFICIAL)
def test_every_parameter_has_its_published_name_and_shape(name: str):
    published = json.loads(recorded(f"{name}.keys.json").read_text())
    with torch.device("meta"):
        state = build_yolact(PRESETS[name]).state_dict()

    ours = {official_name(key): list(value.shape) for key, value in state.items()}

    assert ours == published


@pytest.mark.slow
@pytest.mark.parametrize("name", ["yolact_resnet50", "yolact_resnet50_pascal"])
def test_every_step_and_loss_is_that_of_the_published_model(name: str):
    recorded(f"{name}.npz")
    done = subprocess.run(
        [sys.executable, str(RECORDED / "check.py"), name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{name}: parity" in done.stdout
