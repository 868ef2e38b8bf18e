"""The command itself, with real networks on the first frames of the demo clip, and on bad input."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.batch.claims import claims_in, holder_of
from app.batch.manifest import Manifest
from app.batch.store import BatchFolder
from app.cli import EXIT_INTERRUPTED, EXIT_USAGE, main
from model.project import DEMO, ROOT
from tests.app.batch.driving import until
from tests.clips import write_clip

Said = pytest.CaptureFixture[str]
NETWORK = ("--weights", "livemask_n", "--device", "cpu")


def start(*arguments: str | Path) -> int:
    return main(["batch", "start", *map(str, arguments), *NETWORK, "--max-frames", "4", "--json"])


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two names of the demo clip."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (folder / name).write_bytes(DEMO.read_bytes())
    return folder


@pytest.mark.slow
def test_any_number_of_workers_finds_what_one_process_finds_and_verify_agrees(
    clips: Path, tmp_path: Path, capsys: Said
):
    lines = []
    for workers in ("1", "2"):
        assert start(clips, "-o", tmp_path / workers, "--workers", workers) == 0
        lines += [(tmp_path / workers / f"{name}_masks.jsonl").read_bytes() for name in "ab"]
    alone = ("annotate", str(clips / "a.mp4"), "-o", str(tmp_path / "alone"), *NETWORK)
    assert main([*alone, "--max-frames", "4", "--json", "-q"]) == 0
    lines.append((tmp_path / "alone" / "a_masks.jsonl").read_bytes())
    assert lines[0].count(b'"score"') > 3
    assert set(lines) == {lines[0]}

    capsys.readouterr()
    assert start(clips, "-o", tmp_path / "2") == 0
    assert "0 annotated, 2 skipped" in capsys.readouterr().out
    assert main(["batch", "verify", str(tmp_path / "2"), "--sample", "1"]) == 0
    assert "2 finished videos compared, 1 of them computed again: 0 differences" in capsys.readouterr().out


@pytest.mark.slow
def test_verify_says_what_differs(clips: Path, tmp_path: Path, capsys: Said):
    out = tmp_path / "out"
    for name in ("c.mp4", "d.mp4"):
        (clips / name).write_bytes(DEMO.read_bytes())
    assert start(clips, "-o", out, "--as", "json") == 0
    manifest = Manifest(BatchFolder(out))
    swap_a_score(manifest, out / "a_masks.jsonl")
    (out / "b_masks.jsonl").unlink()
    write_clip(clips / "c.mp4", frames=2)
    lines = (out / "d_masks.jsonl").read_bytes().splitlines(keepends=True)
    (out / "d_masks.jsonl").write_bytes(b"".join(lines[:-1]))
    recorded_as_it_is(manifest, out / "d_masks.jsonl")
    capsys.readouterr()

    assert main(["batch", "verify", str(out)]) == 1

    said = capsys.readouterr().err
    assert "a.mp4: a_masks.jsonl: 1 of 4 lines differ when computed again, the first is frame 0" in said
    assert "b.mp4: b_masks.jsonl: is not there" in said
    assert "c.mp4: the input" in said
    assert "d.mp4: d_masks.jsonl: has 3 frames, the input has 4" in said


def swap_a_score(manifest: Manifest, path: Path) -> None:
    """Change one digit of a score, and have the record agree with it."""
    first, rest = path.read_bytes().split(b"\n", 1)
    frame = json.loads(first)
    frame["detections"][0]["score"] += 0.001
    path.write_bytes(json.dumps(frame, separators=(",", ":")).encode() + b"\n" + rest)
    recorded_as_it_is(manifest, path)


def recorded_as_it_is(manifest: Manifest, path: Path) -> None:
    """Write the digest of a file as it is into the record of its video."""
    (record,) = [one for one in manifest.all_finished() if one.outputs[0].path == path.name]
    place = manifest.folder.finished(record.key)
    values = json.loads(place.read_text())
    content = path.read_bytes()
    values["outputs"][0] |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    place.write_text(json.dumps(values))


def test_annotate_takes_workers_and_photographs_beside_them(clips: Path, tmp_path: Path, capsys: Said):
    photo = DEMO.parent / "photos" / "dog.jpg"
    words = (
        "annotate",
        str(clips),
        str(photo),
        "-o",
        str(tmp_path / "out"),
        "--on",
        "local",
        "--workers",
        "1",
    )
    assert main([*words, *NETWORK, "--max-frames", "2"]) == 0
    assert "3 annotated" in capsys.readouterr().out
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert made == [".batch", "a_masks.mp4", "b_masks.mp4", "dog.jpg"]


@pytest.mark.slow
def test_a_video_that_cannot_be_read_fails_alone_and_retry_takes_it_up_again(
    clips: Path, tmp_path: Path, capsys: Said
):
    (clips / "b.mp4").write_bytes(b"no video")
    out = tmp_path / "out"
    assert start(clips, "-o", out, "--as", "json") == 1
    said = capsys.readouterr()
    assert "failed: b.mp4: " in said.err
    assert "1 annotated, 1 failed" in said.out
    assert start(clips, "-o", out, "--as", "json") == 1
    assert "1 failed 3 times before" in capsys.readouterr().err
    (clips / "b.mp4").write_bytes(DEMO.read_bytes())
    assert main(["batch", "retry", str(out)]) == 1  # it is another input than was planned
    assert "was changed since the batch was started" in capsys.readouterr().err
    assert start(clips, "-o", out, "--as", "json") == 0


def test_a_dry_run_tells_what_would_be_made_and_makes_nothing(clips: Path, tmp_path: Path, capsys: Said):
    assert start(clips, "-o", tmp_path / "out", "--dry-run") == 0
    assert "a.mp4 -> a_masks.mp4, a_masks.jsonl\n" in capsys.readouterr().out.replace(
        "a_masks.jsonl, a_masks.mp4", "a_masks.mp4, a_masks.jsonl"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["0"], "cannot be read again"),
        (["@absent.txt"], "the list cannot be read"),
        ([], "there is nothing to annotate"),
        ([str(DEMO), "--nms", "fast", "--classes", "unicorn"], "unicorn"),
        ([str(DEMO), "--weights", "absent.pt"], "absent.pt"),
    ],
)
def test_what_makes_no_sense_is_told_before_any_work(
    tmp_path: Path, words: list[str], said: str, capsys: Said
):
    assert main(["batch", "start", *words, "-o", str(tmp_path / "out")]) != 0
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", [["--skip-existing"], ["--remove-parts"], ["--trace", "t.json"]])
def test_what_one_process_alone_does_is_refused_with_workers(option: list[str], capsys: Said):
    assert main(["annotate", str(DEMO), "-o", "out", "--on", "local", *option]) == 2
    assert f"{option[0]} does not go with --on" in capsys.readouterr().err


@pytest.mark.slow
def test_a_batch_that_is_told_to_end_leaves_no_workers_claims_or_parts(clips: Path, tmp_path: Path):
    out = tmp_path / "out"
    command = [sys.executable, "run_app.py", "batch", "start", clips, "-o", out, "--workers", "2", *NETWORK]
    process = subprocess.Popen([str(word) for word in command], cwd=ROOT, stderr=subprocess.DEVNULL)
    claims = BatchFolder(out).claims
    try:
        until(lambda: len(claims_in(claims)) == 2 and len(list(BatchFolder(out).work.iterdir())) == 2)
        holders = [holder_of(claims, claim) for claim in claims_in(claims).values()]
        process.terminate()
        assert process.wait(60) == EXIT_INTERRUPTED
    finally:
        process.kill()
        process.wait()
    assert all(holder is not None and holder.is_gone for holder in holders)
    assert list(claims.iterdir()) == []
    assert list(BatchFolder(out).work.iterdir()) == []
    assert [one.name for one in out.iterdir()] == [".batch"]


def test_an_address_of_no_cluster_is_refused_before_anything_is_made(
    clips: Path, tmp_path: Path, capsys: Said
):
    out = tmp_path / "out"
    assert start(clips, "-o", out, "--address", "10.0.0.1:6379") == EXIT_USAGE
    assert "--address is of a Ray cluster" in capsys.readouterr().err
    assert not out.exists()
