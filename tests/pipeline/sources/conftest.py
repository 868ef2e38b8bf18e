"""Fixtures of the tests of sources."""

import pytest


@pytest.fixture
def no_proxy(monkeypatch):
    """FFmpeg asks for it in small letters."""
    monkeypatch.setenv("no_proxy", "*")
