"""Weights that are downloaded while somebody watches, from a real server on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from model.checkpoints import catalog, download
from model.checkpoints.catalog import CatalogEntry
from pipeline.live.events import Failed, Progress, Saved
from pipeline.live.network.downloads import Cancelled
from pipeline.live.network.downloads import download as fetch
from tests.pipeline.live.sessions import PATIENCE, Listener, Start
from tests.weights_server import CONTENT, IN_THE_CLEAR, WeightsServer, fixed, serving, stalled, whole

Offer = Callable[[WeightsServer], None]


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Puts what a server gives into the catalogue, as "tiny"."""

    def put(server: WeightsServer) -> None:
        entry = CatalogEntry("tiny", "yolact_base", "MIT", address=server.address)
        monkeypatch.setitem(catalog.CATALOG, "tiny", entry)
        clear = partial(download.download_weights, rules=IN_THE_CLEAR)
        monkeypatch.setattr(download, "download_weights", clear)

    return put


def test_weights_are_fetched_with_progress(offer: Offer, start: Start, listener: Listener) -> None:
    with serving(whole(CONTENT)) as server:
        offer(server)
        start().download("tiny")
        saved = listener.wait_for(Saved)
    assert saved.paths[0].read_bytes() == CONTENT
    assert "licence: MIT" in saved.summary
    told = listener.all(Progress)
    assert (told[-1].task, told[-1].fraction) == ("download", 1.0)
    assert told[-1].detail == "tiny: 0.1 of 0.1 MB"
    assert listener.all(Failed) == []


def test_what_the_server_has_against_it_is_told(offer: Offer, start: Start, listener: Listener) -> None:
    with serving(fixed(404)) as server:
        offer(server)
        start().download("tiny")
        failed = listener.wait_for(Failed)
    assert failed.task == "download"
    assert "404" in failed.message


def test_cancelled_it_installs_nothing(offer: Offer, home: Path) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with serving(whole(CONTENT)) as server:
        offer(server)
        with pytest.raises(Cancelled):
            fetch("tiny", lambda event: None, cancelled)
    assert not (home / "tiny.pth").exists()


def test_a_session_that_closes_does_not_wait_for_a_server_that_does_not_go_on(
    offer: Offer, start: Start, listener: Listener
) -> None:
    with serving(stalled(CONTENT, 0)) as server:
        offer(server)
        session = start()
        session.download("tiny")
        listener.wait_for(Progress)
        assert not session.close(0.2)
        assert session.alive == ("livemask-download",)
    assert session.close(PATIENCE)
    assert listener.all(Failed) == []
