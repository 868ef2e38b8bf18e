"""Several drivers on one folder share a batch."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from app.batch.claims import claims_in, me
from app.batch.manifest import Manifest
from app.batch.store import BatchFolder, write_once
from tests.app.batch.conftest import Write
from tests.app.batch.driving import driver, until, video_of, work_off


def test_two_drivers_on_one_folder_make_each_video_once_and_both_know_of_all(
    inputs: Path, out: Path, write: Write
):
    log = inputs / "log"
    for number in range(10):
        write(f"v{number}", f"log {log}", "sleep 0.02")
    with driver(inputs, out, 1) as one, driver(inputs, out, 1) as two:
        told = [process.communicate(timeout=60)[0].split() for process in (one, two)]
    assert sorted(log.read_text().split()) == [f"v{number}.in" for number in range(10)]
    assert len(list(Manifest(BatchFolder(out)).all_finished())) == 10
    assert [failed + left for _, failed, left in told] == ["00", "00"]


def test_a_driver_waits_for_what_another_one_makes_and_takes_it_over_when_that_is_killed(
    inputs: Path, out: Path, write: Write
):
    flag = inputs / "flag"
    write("v", f"once {flag}")
    claims = BatchFolder(out).claims
    with driver(inputs, out, 1) as first:
        until(lambda: claims_in(claims))
        with driver(inputs, out, 1) as second:
            first.kill()
            until(lambda: [claim.number for claim in claims_in(claims).values()] == [2])
            flag.write_text("")
            assert second.communicate(timeout=60)[0].split() == ["1", "0", "0"]
    assert (out / "v.jsonl").is_file()


def test_a_video_of_a_machine_that_is_silent_is_taken_over_after_a_while(
    inputs: Path, out: Path, write: Write
):
    video = video_of(write("v", "hello"))
    claims = BatchFolder(out).claims
    write_once(claims / f"{video.key}.1.json", asdict(replace(me(), machine="elsewhere")))
    assert work_off(inputs, out, 1, lease=0.1).finished == 1
    assert claims_in(claims) == {}


@pytest.mark.parametrize("outcome", ["finished", "failed"])
def test_what_another_machine_brings_to_an_end_counts(inputs: Path, out: Path, write: Write, outcome: str):
    """The other one is this process: it has the claim, and gives it back once the outcome is there."""
    path = write("v", "hello" if outcome == "finished" else "fail")
    with driver(inputs, out, 1) as other:
        other.wait(60)
    manifest, video = Manifest(BatchFolder(out)), video_of(path)
    assert (manifest.finished(video.key) is not None) == (outcome == "finished")
    tally = work_off(inputs, out, 1)
    assert (tally.finished, tally.failed) == (0, [])
