"""Fixtures of downloads."""

import pytest

from tests.weights_server import CONTENT, serving, whole


@pytest.fixture
def server():
    """A server in the clear that gives `CONTENT`."""
    with serving(whole(CONTENT)) as running:
        yield running


@pytest.fixture
def part(tmp_path):
    """Where an unfinished download is kept."""
    return tmp_path / "folder" / "tiny.pth.part"
