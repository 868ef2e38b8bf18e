"""What is found in a frame does not depend on the frames that go through the network with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.engines.choice import detect_machine
from tests.app.conftest import Annotate
from tests.clips import write_clip

BATCHES = (1, 2, 8)  # of 3 frames: whole ones, a rest, and more than there are


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_openvino_gives_the_same_bytes_whatever_the_batch(
    annotate: Annotate, tmp_path: Path, precision: str
) -> None:
    if precision == "bf16" and not detect_machine().fast_bf16:
        pytest.skip("this processor has no instructions for bf16")
    clip = tmp_path / "clip.mp4"
    write_clip(clip, frames=3)
    lines = []
    for batch in BATCHES:
        out = tmp_path / f"{batch}.jsonl"
        how = ("--engine", "openvino", "--precision", precision, "--batch", str(batch), "--nms", "exact")
        assert annotate(clip, "-o", out, "--as", "json", "-q", *how) == 0
        lines.append(out.read_bytes())
    assert lines[0].count(b'"score"') > 3
    assert set(lines) == {lines[0]}
