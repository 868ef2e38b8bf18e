"""Ending what a network stream waits for, from another thread."""

from __future__ import annotations

import threading
from time import monotonic

import pytest

from model.errors import SourceError
from pipeline.sources.network import link, stream
from pipeline.sources.network.receiver import Reconnect
from pipeline.sources.network.stream import open_stream
from tests.pipeline.sources.media_server import live, media, silence
from tests.weights_server import fixed, in_turn, serving

PATIENT = {"open_timeout": 20.0, "read_timeout": 20.0}
AT_ONCE = 5.0  # seconds, far less than PATIENT and far more than an idle machine takes

pytestmark = pytest.mark.usefixtures("no_proxy")


@pytest.mark.parametrize("scheme", ["http", "rtsp", "udp"])
def test_opening_can_be_interrupted_from_another_thread(scheme):
    interrupted = threading.Event()
    timer = threading.Timer(0.2, interrupted.set)
    with silence() as port:
        begun = monotonic()
        timer.start()
        with pytest.raises(SourceError, match="interrupted before it was open"):
            open_stream(f"{scheme}://127.0.0.1:{port}/x", interrupted=interrupted, **PATIENT)
        assert monotonic() - begun < AT_ONCE
    timer.join()


def test_a_read_that_waits_can_be_interrupted_from_another_thread():
    with serving(live(media(), stalls=True)) as server:
        source = open_stream(server.address, **PATIENT)
        timer = threading.Timer(0.2, source.interrupt)
        begun = monotonic()
        timer.start()
        frames = list(iter(source.read, None))
        source.close()
        assert monotonic() - begun < AT_ONCE
        timer.join()

    assert 25 <= len(frames) < 30  # in MPEG-TS a picture ends where the next one begins
    assert source.read() is None


def test_the_event_of_the_opening_interrupts_reading_too():
    interrupted = threading.Event()
    with serving(live(media(), stalls=True)) as server:
        source = open_stream(server.address, interrupted=interrupted, **PATIENT)
        timer = threading.Timer(0.2, interrupted.set)
        begun = monotonic()
        timer.start()
        assert len(list(iter(source.read, None))) <= 29
        source.close()
        assert monotonic() - begun < AT_ONCE
        timer.join()


def test_a_wait_between_attempts_can_be_interrupted():
    with serving(in_turn(live(media()), *[fixed(404)] * 3)) as server:
        source = open_stream(server.address, reconnect=Reconnect(first_delay=60, longest_delay=60))
        for _ in range(30):
            source.read()
        begun = monotonic()
        timer = threading.Timer(0.1, source.interrupt)
        timer.start()
        assert source.read() is None
        source.close()
        assert monotonic() - begun < AT_ONCE
        timer.join()


def test_closing_does_not_wait_for_what_cannot_be_interrupted(monkeypatch):
    """As a name server that does not answer: FFmpeg waits for it inside the system."""
    asked, answered = threading.Event(), threading.Event()

    def never_answered(target):
        asked.set()
        answered.wait(30)
        raise OSError("no name server")

    monkeypatch.setattr(link, "_open", never_answered)
    monkeypatch.setattr(stream, "_PATIENCE", 0.1)
    interrupted = threading.Event()
    timer = threading.Timer(0.1, interrupted.set)
    timer.start()
    begun = monotonic()
    with pytest.raises(SourceError, match="interrupted"):
        open_stream("http://camera/x", interrupted=interrupted)
    assert monotonic() - begun < AT_ONCE
    assert asked.is_set()
    answered.set()
    timer.join()
