"""A disk that is full, or that nothing can be written to."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.batch.local import LocalBackend
from app.batch.manifest import Manifest
from app.batch.publishing import seen
from app.batch.scheduler import Scheduler
from app.batch.store import BatchFolder
from model.errors import SinkError
from tests.app.batch.conftest import Write
from tests.app.batch.driving import TASK, video_of, videos_of, work_off
from tests.full_disk import mount, small_disk

SIZE = 256 * 1024  # bytes
LINE = "x" * 40_000


def test_a_full_disk_ends_the_batch_without_blaming_a_video_and_with_room_it_goes_on(
    inputs: Path, tmp_path: Path, write: Write
):
    for number in range(8):
        write(f"v{number}", LINE)
    with small_disk(tmp_path / "disk", SIZE) as out:
        tally = work_off(inputs, out)
        assert "No space left" in tally.no_room
        assert tally.left > 0
        assert tally.failed == []
        assert tally.finished + tally.left == 8
        manifest = Manifest(BatchFolder(out))
        for record in manifest.all_finished():
            assert all(seen(out, output.path) == output for output in record.outputs)
        assert all(path.stat().st_size == len(LINE) + 3 for path in out.glob("*.jsonl"))
        assert all(manifest.failures(video_of(path).key) == [] for path in inputs.iterdir())

        mount(f"remount,size={8 * SIZE}", out)
        assert work_off(inputs, out).finished == tally.left
        assert len(list(out.glob("*.jsonl"))) == 8


def test_a_folder_that_can_only_be_read_is_told_before_any_work(inputs: Path, tmp_path: Path, write: Write):
    write("v", "hello")
    with small_disk(tmp_path / "disk", SIZE) as out:
        mount("remount,ro", out)
        with pytest.raises(SinkError, match="cannot be written: Read-only file system"):
            work_off(inputs, out)
        assert list(out.iterdir()) == []


def test_a_disk_that_becomes_read_only_in_mid_work_ends_the_batch_without_blaming_a_video(
    inputs: Path, tmp_path: Path, write: Write
):
    for number in range(3):
        write(f"v{number}", "hello")
    with small_disk(tmp_path / "disk", SIZE) as out:
        assert work_off(inputs, out).finished == 3
        manifest, (_, video, _) = Manifest(BatchFolder(out)), videos_of(inputs)
        manifest.forget(video.key)
        mount("remount,ro", out)
        backend = LocalBackend(TASK, out, 1, 1)
        try:
            tally = Scheduler(manifest, backend, lambda video, outcome: None).run([video])
        finally:
            backend.close()
        assert "Read-only" in tally.no_room
        assert (tally.left, tally.failed) == (1, [])
