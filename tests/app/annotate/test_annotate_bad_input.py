"""`annotate` with odd, broken, absent or wrong input: a clear message, the exit code, nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from app.annotate import photos as annotate_photos
from app.cli import main
from pipeline.sources import images
from tests.app.conftest import Annotate
from tests.clips import write_clip
from tests.source_tree import ROOT

DEMO = ROOT / "assets" / "photos"


def usage_error(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """What stderr says of a command line that the parser refuses."""
    with pytest.raises(SystemExit) as stopped:
        main(["annotate", *map(str, arguments)])
    assert stopped.value.code == 2
    return capsys.readouterr().err


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_one_broken_photograph_fails_by_name_and_the_others_are_done(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "a2.jpg").write_bytes((DEMO / "collins.jpg").read_bytes()[:20_000])
    (photos / "b2.png").write_text("no image")
    assert annotate(photos, tmp_path / "nobody.jpg", "-o", tmp_path / "out") == 1
    said = capsys.readouterr()
    assert listing(tmp_path / "out") == ["a.jpg", "b.png", "c.png"]
    failed = [line for line in said.err.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 3
    for line, name in zip(failed, ("nobody.jpg: no such file", "a2.jpg", "b2.png"), strict=True):
        assert name in line
    assert said.out.startswith("3 annotated, 3 failed in ")


def test_an_empty_folder_is_a_failure_that_is_named(
    annotate: Annotate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert annotate(tmp_path / "empty", "-o", tmp_path / "out") == 1
    assert "empty: the folder holds no image and no video" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_existing_output_is_refused_without_a_word_to_do_so(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.jpg").write_text("precious")
    assert annotate(photos, "-o", out) == 1
    assert (out / "a.jpg").read_text() == "precious"
    assert listing(out) == ["a.jpg", "b.png", "c.png"]
    assert "a.jpg exists; use --overwrite or --skip-existing" in capsys.readouterr().err


def test_overwrite_replaces_existing_outputs(annotate: Annotate, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.jpg").write_text("old")
    assert annotate(photos, "-o", out, "--overwrite") == 0
    assert cv2.imread(str(out / "a.jpg")) is not None


def test_overwrite_and_skip_existing_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert "not allowed with" in usage_error(capsys, "a.jpg", "-o", "x", "--overwrite", "--skip-existing")


def test_the_inputs_are_never_written_over_even_with_overwrite(
    annotate: Annotate, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in photos.iterdir()}
    assert annotate(photos, "-o", photos, "--overwrite") == 2
    assert "is one of the inputs" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in photos.iterdir()} == before


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--score-threshold", "1.01"),
        ("--score-threshold", "nan"),
        ("--score-threshold", "high"),
        ("--alpha", "-0.1"),
        ("--alpha", "2"),
        ("--top-k", "0"),
        ("--top-k", "2.5"),
        ("--image-size", "31"),
        ("--image-size", "4097"),
        ("--image-size", "²"),
        ("--nms", "hard"),
        ("--classes", "person,,dog"),
    ],
)
def test_an_option_out_of_range_is_a_usage_error_that_quotes_it(
    capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    said = usage_error(capsys, "a.jpg", "-o", "out", f"{option}={value}")
    assert f"argument {option}: " in said
    assert repr(value) in said


def test_inputs_are_required(capsys: pytest.CaptureFixture[str]) -> None:
    assert "INPUT" in usage_error(capsys, "-o", "out")


def test_an_option_that_is_not_there_is_a_usage_error_and_no_input(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = usage_error(capsys, "a.jpg", "-o", "out", "b.jpg", "--nosuch", "c.jpg")
    assert "unrecognized arguments" in said
    assert "--nosuch" in said


def test_an_unknown_class_is_a_usage_error_with_the_nearest_name(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert annotate(photos, "-o", tmp_path / "out", "--classes", "persons") == 2
    assert "did you mean 'person'?" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_unknown_device_is_a_usage_error(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert annotate(photos, "-o", tmp_path / "out", "--device", "gpu") == 2
    assert "'gpu'" in capsys.readouterr().err


def test_absent_weights_are_named(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert annotate(photos, "-o", tmp_path / "out", "--weights", tmp_path / "none.pt") == 1
    assert "none.pt" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_broken_weights_are_named(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04 and no more")
    assert annotate(photos, "-o", tmp_path / "out", "--weights", tmp_path / "broken.pt") == 1
    said = capsys.readouterr()
    assert "broken.pt: " in said.err
    assert said.out == ""


def test_pictures_of_every_kind_go_all_the_way_through(annotate: Annotate, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    rng = np.random.default_rng(0)
    kinds = {
        "one_pixel.png": (1, 1, 3),
        "one_row.png": (1, 300, 3),
        "one_column.png": (301, 1, 3),
        "odd.png": (37, 53, 3),
        "grey.png": (30, 40),
        "alpha.png": (30, 40, 4),
    }
    for name, shape in kinds.items():
        cv2.imwrite(str(folder / name), rng.integers(0, 255, shape, np.uint8))
    cv2.imwrite(str(folder / "deep.png"), rng.integers(0, 65535, (30, 40, 3), np.uint16))
    assert annotate(folder, "-o", tmp_path / "out", "--json") == 0
    for name, shape in {**kinds, "deep.png": (30, 40)}.items():
        assert cv2.imread(str(tmp_path / "out" / name)).shape == (*shape[:2], 3)


def test_a_name_with_brackets_and_no_ascii_survives(annotate: Annotate, photos: Path, tmp_path: Path) -> None:
    shutil.copy(photos / "a.jpg", photos / "café [bold] (1).jpg")
    assert annotate(photos / "café [bold] (1).jpg", "-o", tmp_path / "out", "--json") == 0
    record = json.loads((tmp_path / "out" / "café [bold] (1).json").read_text())
    assert record["image"] == "café [bold] (1).jpg"


def test_a_name_that_is_not_of_the_file_systems_encoding_goes_all_the_way_through(
    weights: Path, tmp_path: Path
) -> None:
    clip = os.fsencode(tmp_path) + b"/\xff\xfe.mp4"
    write_clip(tmp_path / "clip.mp4", frames=2)
    try:
        os.rename(tmp_path / "clip.mp4", clip)  # noqa: PTH104  (a name that is not text)
    except OSError:
        pytest.skip("this file system takes no such names")
    out = tmp_path / "out"
    command = [sys.executable, "run_app.py", "annotate", clip, "-o", out, "--weights", weights, "-q"]
    done = subprocess.run([*command, "--engine", "torch"], cwd=ROOT, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [os.fsencode(path.name) for path in out.iterdir()] == [b"\xff\xfe_masks.mp4"]
    assert b"\xff\xfe_masks.mp4: 2 frames" in done.stdout


def test_nothing_to_annotate_is_told_before_anything_about_the_output(
    annotate: Annotate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert annotate(tmp_path / "absent.mp4", "-o", tmp_path / "out.mp4") == 1
    assert "absent.mp4: no such file" in capsys.readouterr().err


def test_an_input_without_a_name_is_a_usage_error(annotate: Annotate) -> None:
    assert annotate("") == 2


def test_ctrl_c_leaves_whole_files_only_and_exits_with_130(weights: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "many", tmp_path / "out"
    folder.mkdir()
    for number in range(150):
        shutil.copy(DEMO / "launch_pad.jpg", folder / f"{number}.jpg")
    # a shell that runs tests in the background makes them ignore the signal; this one listens
    script = (
        "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from app.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, "annotate", folder, "-o", out, "--json", "--weights", weights]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        deadline = time.monotonic() + 60
        while len(list(out.glob("*.jpg"))) < 3:
            assert time.monotonic() < deadline
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        told, complaint = running.communicate(timeout=60)
    assert running.returncode == 130
    assert b"interrupted" in complaint
    assert b"Traceback" not in complaint
    pictures = sorted(out.glob("*.jpg"))
    assert 1 <= len(pictures) < 150
    # the signal may come between a picture and the count of it
    assert any(f"{count} annotated".encode() in told for count in (len(pictures), len(pictures) - 1))
    assert {path.suffix for path in out.iterdir()} == {".jpg", ".json"}
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    assert all(cv2.imread(str(path)).shape == (800, 1200, 3) for path in pictures)


def test_a_photograph_that_memory_does_not_suffice_for_fails_alone(
    annotate: Annotate,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = images.read_image

    def greedy(path: Path) -> np.ndarray:
        if path.name == "b.png":
            torch.empty(1 << 50)  # what PyTorch raises for want of memory on a CPU
        return read(path)

    monkeypatch.setattr(annotate_photos, "read_image", greedy)
    assert annotate(photos, "-o", tmp_path / "out") == 1
    assert listing(tmp_path / "out") == ["a.jpg", "c.png"]
    assert "b.png: not enough memory for an image of this size" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--top-k", "500"), 2, b"at most 1 to 100 detections"),
        (("--weights", "yolact_base"), 1, b"yolact_base is not downloaded"),
        (("--weights", "none.pt"), 1, b"none.pt"),
    ],
)
def test_what_can_be_told_to_be_wrong_is_told_before_torch_is_loaded(
    photos: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, said: bytes
) -> None:
    script = (
        "import sys\nfrom app.cli import main\ncode = main(sys.argv[1:])\n"
        "assert 'torch' not in sys.modules\nsys.exit(code)"
    )
    command = [sys.executable, "-c", script, "annotate", photos, "-o", tmp_path / "out", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
