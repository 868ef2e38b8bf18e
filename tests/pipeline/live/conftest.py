"""Sessions that end with their test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import pipeline.tracking.bytetrack  # noqa: F401 (its libraries take long to load, and sessions end in time)
from pipeline.live.session import LiveSession
from pipeline.settings import DisplaySettings
from pipeline.sources import open_source
from tests.clips import write_clip
from tests.pipeline.live.sessions import PATIENCE, SETTINGS, Listener, Loads, Start


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def loads() -> Loads:
    return Loads()


@pytest.fixture
def start(listener: Listener, loads: Loads) -> Iterator[Start]:
    """Makes sessions, which are closed at the end."""
    made: list[LiveSession] = []

    def make(display: DisplaySettings | None = None, open_source=open_source) -> LiveSession:
        settings = display or DisplaySettings()
        made.append(LiveSession(listener, SETTINGS, settings, open_source, loads, load_other=loads))
        return made[-1]

    yield make
    loads.go_on.set()
    for session in made:
        assert session.close(PATIENCE), session.alive


@pytest.fixture
def clip(tmp_path: Path) -> str:
    """A file of 2 s."""
    write_clip(tmp_path / "clip.mp4", frames=50)
    return str(tmp_path / "clip.mp4")
