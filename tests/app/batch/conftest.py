"""A folder of inputs for the stand-in task, and one for the outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[..., Path]


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def write(inputs: Path) -> Write:
    """Writes the text of an input, a line for each argument."""

    def text(name: str, *lines: str) -> Path:
        path = inputs / f"{name}.in"
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return text
