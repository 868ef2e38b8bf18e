"""The window's tests once more on an X server, where mouse, keyboard and windows are real."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 900.0  # seconds


@pytest.fixture
def display() -> Iterator[str]:
    """A screen of this test's own, such as ":1"."""
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("Xvfb is not installed, so there is no screen to test on")
    read, write = os.pipe()
    command = [server, "-displayfd", str(write), "-screen", "0", "1920x1080x24", "-nolisten", "tcp"]
    with (
        os.fdopen(read) as told,
        subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as running,
    ):
        os.close(write)
        try:
            yield f":{told.readline().strip()}"
        finally:
            running.terminate()


@pytest.mark.slow
def test_the_window_does_the_same_on_an_x_server(display: str) -> None:
    command = [sys.executable, "-m", "pytest", "-m", "not slow", "-p", "no:cacheprovider", "tests/ui"]
    screen = {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
    run = subprocess.run(
        command, cwd=ROOT, env=os.environ | screen, capture_output=True, text=True, timeout=PATIENCE
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
