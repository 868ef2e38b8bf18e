"""Fixtures of the recorder's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.live.files.recorder import Recorder
from tests.pipeline.live.files.recording_ends import Ends
from tests.pipeline.sinks.recordings import info


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """One that shows a source."""
    made = Recorder()
    made.open(info())
    yield made
    made.close(complete=True)
