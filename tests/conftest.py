"""Fixtures of all tests: none of them ever touches a user's own cache or a proxy."""

import threading
import time

import pytest
import tqdm

from model.checkpoints import catalog
from tests.weights_server import certify

tqdm.tqdm.monitor_interval = 0  # PyTorch shows progress with it, and the thread that looks after that stays


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The folder that stands for the user's cache, not made yet."""
    folder = tmp_path / "home"
    monkeypatch.setenv("LIVEMASK_HOME", str(folder))
    monkeypatch.delenv("LIVEMASK_OFFLINE", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    return folder


GRACE = 20.0  # seconds that a thread has to end after its test; one that imports PyTorch may take some


@pytest.fixture(autouse=True)
def no_thread_is_left():
    """Fails a test that leaves a thread behind, a daemon too: it would work on through the next tests."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + GRACE
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left, f"the test leaves threads behind: {sorted(thread.name for thread in left)}"


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A folder of bundled weights that is the test's own."""
    folder = tmp_path / "bundled"
    folder.mkdir()
    monkeypatch.setattr(catalog, "BUNDLED_FOLDER", folder)
    return folder


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for the server on loopback."""
    return certify(tmp_path_factory.mktemp("tls"))
