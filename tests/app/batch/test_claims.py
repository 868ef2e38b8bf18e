"""Claims: one owner at a time, whatever becomes of owners."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from app.batch import claims
from app.batch.claims import ClaimWatch, HeldClaim, Holder, claims_in, holder_of, is_abandoned, me
from app.batch.cleaning import sweep
from app.batch.store import BatchFolder, write_once
from tests.app.batch.driving import until
from tests.source_tree import ROOT

KEY = "name-key"


def of_another_process(folder: Path) -> subprocess.Popen[str]:
    """A process that has claimed the key, and waits."""
    code = f"""
import pathlib, sys, time
from app.batch.claims import HeldClaim
assert HeldClaim.take(pathlib.Path({str(folder)!r}), {KEY!r})
print("claimed", flush=True)
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def claim_of_another_machine(folder: Path) -> None:
    write_once(folder / f"{KEY}.1.json", asdict(replace(me(), machine="elsewhere", host="elsewhere")))


def test_a_claim_has_one_owner_until_it_is_given_back(tmp_path: Path):
    first = HeldClaim.take(tmp_path, KEY)
    assert first is not None
    assert HeldClaim.take(tmp_path, KEY) is None
    first.release()
    assert list(tmp_path.iterdir()) == []
    assert HeldClaim.take(tmp_path, KEY) is not None


def test_a_claim_whose_process_was_killed_is_dead_at_once(tmp_path: Path):
    watch = ClaimWatch(tmp_path)
    process = of_another_process(tmp_path)
    try:
        claim = watch.look()[KEY]
        assert not watch.is_dead(claim)
        assert not is_abandoned(tmp_path, claim)
    finally:
        end(process)
    assert watch.is_dead(claim)
    assert is_abandoned(tmp_path, claim)


def test_a_process_that_has_the_number_of_an_ended_one_does_not_pass_for_it(tmp_path: Path):
    if not Path("/proc/self/stat").exists():
        pytest.skip("the system does not tell when a process was started")
    mine = me()
    assert not mine.is_gone
    assert replace(mine, born=mine.born - 1).is_gone


def test_a_claim_of_another_machine_is_dead_once_nobody_keeps_it_up(tmp_path: Path):
    claim_of_another_machine(tmp_path)
    watch = ClaimWatch(tmp_path, lease=0.05)
    path = tmp_path / f"{KEY}.1.json"
    for beat in range(1, 4):  # kept up, by a clock that is days behind
        os.utime(path, (beat, beat))
        assert not watch.is_dead(watch.look()[KEY])
    until(lambda: watch.is_dead(watch.look()[KEY]))


def test_whoever_takes_over_leaves_the_frozen_owner_out(tmp_path: Path):
    frozen = HeldClaim.take(tmp_path, KEY)
    assert frozen is not None
    assert frozen.is_last
    heir = HeldClaim.take(tmp_path, KEY, over=frozen.number)
    assert heir is not None
    assert (frozen.is_last, heir.is_last) == (False, True)
    assert HeldClaim.take(tmp_path, KEY, over=frozen.number) is None
    frozen.release()
    assert heir.is_last
    heir.release()
    assert claims_in(tmp_path) == {}


def test_a_claim_is_kept_up_by_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(claims, "BEAT", 0.01)
    held = HeldClaim.take(tmp_path, KEY)
    assert held is not None
    os.utime(tmp_path / f"{KEY}.1.json", (1, 1))
    with held.kept_up():
        until(lambda: claims_in(tmp_path)[KEY].beaten > 10**9)


def test_a_stopped_process_loses_its_claim_by_silence(tmp_path: Path):
    watch = ClaimWatch(tmp_path, lease=0.05)
    process = of_another_process(tmp_path)
    try:
        process.send_signal(signal.SIGSTOP)
        until(lambda: watch.is_dead(watch.look()[KEY]))
    finally:
        end(process)


def test_a_claim_tells_who_has_it(tmp_path: Path):
    HeldClaim.take(tmp_path, KEY)
    holder = holder_of(tmp_path, claims_in(tmp_path)[KEY])
    assert isinstance(holder, Holder)
    assert holder.pid == os.getpid()
    assert not holder.is_gone


def test_cleaning_removes_parts_and_claims_of_the_dead_and_nothing_of_the_living(tmp_path: Path):
    folder = BatchFolder(tmp_path)
    living = HeldClaim.take(folder.claims, "living-key")
    claim_of_another_machine(folder.claims)
    end(of_another_process_for(folder, "dead-key"))
    for name in ("living-key.1.a", "dead-key.1.b", f"{KEY}.1.c", "unclaimed-key.1.d"):
        (folder.work / name).mkdir(parents=True)
        (folder.work / name / "part.mp4").write_bytes(bytes(1000))

    swept = sweep(folder, drafts=True)

    assert (swept.parts, swept.size, swept.claims, swept.busy) == (2, 2000, 1, 2)
    assert sorted(one.name for one in folder.work.iterdir()) == ["living-key.1.a", f"{KEY}.1.c"]
    assert living is not None
    assert living.is_last


def of_another_process_for(folder: BatchFolder, key: str) -> subprocess.Popen[str]:
    process = of_another_process(folder.claims.with_name("elsewhere"))
    (folder.claims.with_name("elsewhere") / f"{KEY}.1.json").rename(folder.claims / f"{key}.1.json")
    return process
