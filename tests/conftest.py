"""Fixtures of all tests: none of them ever touches a user's own cache or a proxy."""

import pytest

from model import catalog
from tests.weights_server import certify


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The folder that stands for the user's cache, not made yet."""
    folder = tmp_path / "home"
    monkeypatch.setenv("LIVEMASK_HOME", str(folder))
    monkeypatch.delenv("LIVEMASK_OFFLINE", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    return folder


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
