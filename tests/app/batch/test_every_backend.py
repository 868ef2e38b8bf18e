"""The contract of backends, for every entry of `BACKENDS`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.batch.backend import BACKENDS, Backend
from app.batch.manifest import Manifest
from app.batch.records import BUSY, FAILED, FINISHED, LOST, Order, TryOutcome
from app.batch.store import BatchFolder
from tests.app.batch.conftest import Write
from tests.app.batch.driving import TASK, until, video_of

# a cluster takes seconds to start
EVERY = [pytest.param(name, marks=pytest.mark.slow if name == "ray" else ()) for name in BACKENDS]


@pytest.fixture(params=EVERY)
def backend(request: pytest.FixtureRequest, out: Path) -> Iterator[Backend]:
    """With two workers at most, for the stand-in."""
    if request.param == "ray":
        pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-ray.txt")
    module, _, name = BACKENDS[request.param].partition(":")
    made: Backend = getattr(importlib.import_module(module), name)(TASK, out, 2, 4)
    yield made
    made.close()
    made.close()


def outcome(backend: Backend) -> TryOutcome:
    found: list[TryOutcome] = []
    until(lambda: found.extend(backend.wait(0.1)) or found)
    (only,) = found
    return only


def test_every_order_has_one_outcome(backend: Backend, out: Path, write: Write):
    texts = {"good": "hello", "bad": "fail", "poison": "kill"}
    told = {}
    for name, text in texts.items():
        video = video_of(write(name, text))
        backend.submit(Order(str(out), video))
        told[name] = outcome(backend)
        assert told[name].key == video.key
    assert [one.state for one in told.values()] == [FINISHED, FAILED, LOST]
    assert told["good"].frames == 1
    assert "it says that it fails" in told["bad"].reason
    assert told["poison"].reason


def test_after_a_worker_was_lost_as_many_orders_as_before_are_worked_on(
    backend: Backend, out: Path, write: Write
):
    backend.submit(Order(str(out), video_of(write("poison", "kill"))))
    assert outcome(backend).state == LOST
    flag = out.with_name("flag")
    for number in range(backend.slots):
        backend.submit(Order(str(out), video_of(write(f"v{number}", f"once {flag}"))))
    claims = BatchFolder(out).claims
    until(lambda: backend.wait(0.01) == [] and len(list(claims.glob("*.json"))) == backend.slots + 1)
    flag.write_text("")
    found: list[TryOutcome] = []
    until(lambda: found.extend(backend.wait(0.1)) or len(found) == backend.slots)
    assert {one.state for one in found} == {FINISHED}


def test_a_claim_is_taken_over_only_where_the_order_says_so(backend: Backend, out: Path, write: Write):
    video = video_of(write("poison", "kill"))
    backend.submit(Order(str(out), video))
    assert outcome(backend).state == LOST
    backend.submit(Order(str(out), video))
    assert outcome(backend).state == BUSY
    Path(video.source).write_text("mild\n")
    mild = video_of(Path(video.source))
    (BatchFolder(out).claims / f"{video.key}.1.json").rename(BatchFolder(out).claims / f"{mild.key}.1.json")
    backend.submit(Order(str(out), mild, over=1))
    assert outcome(backend).state == FINISHED
    assert Manifest(BatchFolder(out)).finished(mild.key) is not None
