"""What is told of a batch while it runs, and afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.batch.manifest import Manifest
from app.batch.status import status_of, told
from app.batch.store import BatchFolder
from app.cli import main
from tests.app.batch.conftest import Write
from tests.app.batch.driving import driver, until, work_off


def test_a_batch_that_runs_tells_who_works_on_what_and_how_long_it_takes(
    inputs: Path, out: Path, write: Write
):
    flag = inputs / "flag"
    write("a", "hello", "sleep 0.05")
    write("b", f"once {flag}")
    write("c", "hello")
    manifest = Manifest(BatchFolder(out))
    with driver(inputs, out, 1) as process:
        until(lambda: (out / ".batch" / "plans").is_dir() and list((out / ".batch" / "plans").glob("*.json")))
        until(lambda: [one.name for one in status_of(manifest).running] == ["b.in"])
        status = status_of(manifest)
        assert (status.total, status.finished, status.waiting) == (3, 1, 1)
        assert status.eta is not None
        assert status.running[0].age >= 0
        text = "\n".join(told(status))
        assert "3 videos: 1 finished, 1 running, 1 waiting, 0 failed" in text
        assert "running: b.in for " in text
        flag.write_text("")
        process.wait(60)
    status = status_of(manifest)
    assert (status.finished, status.running, status.eta) == (3, [], 0.0)


def test_a_status_for_programs_is_json(
    inputs: Path, out: Path, write: Write, capsys: pytest.CaptureFixture[str]
):
    write("bad", "fail")
    write("good", "hello")
    work_off(inputs, out)
    (out / "good.txt").unlink()
    assert main(["batch", "status", str(out), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["failed"] == [{"name": "bad.in", "reason": "it says that it fails"}]
    assert status["stale"] == ["good.in"]
    assert (status["total"], status["finished"], status["frames"]) == (2, 1, 1)


@pytest.mark.parametrize("action", ["status", "retry", "verify", "clean"])
def test_a_folder_without_a_batch_is_told(tmp_path: Path, action: str, capsys: pytest.CaptureFixture[str]):
    assert main(["batch", action, str(tmp_path)]) == 1
    assert "holds no batch" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_cleaning_tells_what_it_removes(
    inputs: Path, out: Path, write: Write, capsys: pytest.CaptureFixture[str]
):
    write("poison", "hello", "kill")
    work_off(inputs, out, 1)
    assert main(["batch", "clean", str(out)]) == 0
    assert "3 parts removed" in capsys.readouterr().out
    assert list((out / ".batch" / "work").iterdir()) == []
    assert list((out / ".batch" / "claims").iterdir()) == []
