"""`annotate` from the command line: real photographs, a real (untrained) network, real files."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
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
from pycocotools import mask as coco_mask

from app.cli import main
from model.checkpoint import save_checkpoint
from model.config import BackboneConfig, preset
from model.yolact import build_yolact

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "assets" / "photos"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network of two classes that finds something in every picture."""
    torch.manual_seed(0)
    config = dataclasses.replace(
        preset("livemask_n"),
        image_size=64,
        backbone=BackboneConfig("resnet18", width=8),
        class_names=("person", "traffic light"),
        fpn_channels=16,
        protonet_channels=(8,),
        protonet_out_channels=8,
        num_prototypes=4,
    )
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    save_checkpoint(path, config, build_yolact(config).state_dict())
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three small photographs."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, size in (("a.jpg", (40, 60)), ("b.png", (61, 33)), ("c.webp", (48, 48))):
        cv2.imwrite(str(folder / name), cv2.resize(rng.integers(0, 255, (5, 5, 3), np.uint8), size))
    return folder


def annotate(weights: Path, *arguments: str | Path) -> int:
    everything = ("--weights", weights, "--score-threshold", "0", "--top-k", "5", "--device", "cpu")
    return main(["annotate", *map(str, (*everything, *arguments))])


def usage_error(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """What stderr says of a command line that the parser refuses."""
    with pytest.raises(SystemExit) as stopped:
        main(["annotate", *map(str, arguments)])
    assert stopped.value.code == 2
    return capsys.readouterr().err


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_annotated_into_a_folder_that_is_made(
    weights: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "out"
    assert annotate(weights, photos, "-o", out) == 0
    assert listing(out) == ["a.jpg", "b.png", "c.png"]
    for name in ("a.jpg", "b.png"):
        before, after = cv2.imread(str(photos / name)), cv2.imread(str(out / name))
        assert before.shape == after.shape
        assert np.abs(before.astype(int) - after).max() > 40


def test_the_summary_is_one_line_and_a_pipe_sees_no_progress_bar(
    weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotate(weights, photos, "-o", tmp_path / "out")
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.count("\n") == 1
    assert said.out.startswith("3 annotated in ")
    assert said.out.endswith(f" s -> {tmp_path / 'out'}\n")


def test_a_single_photograph_can_go_to_a_named_file(weights: Path, photos: Path, tmp_path: Path) -> None:
    assert annotate(weights, photos / "a.jpg", "-o", tmp_path / "shown.png") == 0
    assert cv2.imread(str(tmp_path / "shown.png")).shape == (60, 40, 3)


def test_files_folders_and_patterns_mix_and_each_photograph_is_taken_once(
    weights: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert annotate(weights, photos / "a.jpg", photos, f"{photos}/*.png", "-o", out) == 0
    assert listing(out) == ["a.jpg", "b.png", "c.png"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_json_holds_every_detection_with_boxes_and_masks_of_the_image_size(
    weights: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert annotate(weights, photos / "b.png", "-o", out, "--json") == 0
    record = json.loads((out / "b.json").read_text())
    assert (record["image"], record["width"], record["height"]) == ("b.png", 61, 33)
    assert (record["weights"], record["model"]) == ("tiny.pt", "livemask_n")
    assert record["class_names"] == ["person", "traffic light"]
    assert record["box_order"].startswith("x, y, width, height")
    assert 1 <= len(record["detections"]) <= 5
    scores = [one["score"] for one in record["detections"]]
    assert scores == sorted(scores, reverse=True)
    for one in record["detections"]:
        assert one["category_name"] in record["class_names"]
        x, y, width, height = one["bbox"]
        assert -0.01 <= x <= x + width <= 61.02
        assert -0.01 <= y <= y + height <= 33.02
        assert coco_mask.decode(one["segmentation"]).shape == (33, 61)


def test_no_masks_leaves_out_the_segmentation_and_draws_boxes(
    weights: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert annotate(weights, photos / "b.png", "-o", out, "--json", "--no-masks") == 0
    detections = json.loads((out / "b.json").read_text())["detections"]
    assert detections
    assert all("segmentation" not in one for one in detections)
    assert not np.array_equal(cv2.imread(str(out / "b.png")), cv2.imread(str(photos / "b.png")))


def test_with_nothing_to_draw_the_picture_stays_as_it_was(
    weights: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert annotate(weights, photos / "b.png", "-o", out, "--no-masks", "--no-boxes", "--no-labels") == 0
    assert np.array_equal(cv2.imread(str(out / "b.png")), cv2.imread(str(photos / "b.png")))


def test_each_drawing_option_changes_the_picture(weights: Path, photos: Path, tmp_path: Path) -> None:
    options = ((), ("--no-boxes",), ("--no-labels",), ("--alpha", "0.9"), ("--no-masks",), ("--no-crop",))
    pictures = []
    for number, extra in enumerate(options):
        out = tmp_path / f"{number}.png"
        assert annotate(weights, DEMO / "collins.jpg", "-o", out, *extra) == 0
        pictures.append(out.read_bytes())
    assert len(set(pictures)) == len(options)


def test_a_score_threshold_of_1_finds_nothing_and_says_so_in_json(
    weights: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert annotate(weights, photos / "b.png", "-o", out, "--json", "--score-threshold", "1") == 0
    assert json.loads((out / "b.json").read_text())["detections"] == []


def test_classes_restrict_what_is_found(weights: Path, photos: Path, tmp_path: Path) -> None:
    for name in ("person", "traffic light"):
        out = tmp_path / name
        assert annotate(weights, photos, "-o", out, "--json", "--classes", name) == 0
        found = [one for path in out.glob("*.json") for one in json.loads(path.read_text())["detections"]]
        assert {one["category_name"] for one in found} <= {name}


def test_one_broken_photograph_fails_by_name_and_the_others_are_done(
    weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "a2.jpg").write_bytes((DEMO / "collins.jpg").read_bytes()[:20_000])
    (photos / "b2.png").write_text("no image")
    assert annotate(weights, photos, tmp_path / "nobody.jpg", "-o", tmp_path / "out") == 1
    said = capsys.readouterr()
    assert listing(tmp_path / "out") == ["a.jpg", "b.png", "c.png"]
    failed = said.err.splitlines()
    assert len(failed) == 3
    for line, name in zip(failed, ("nobody.jpg: no such file", "a2.jpg", "b2.png"), strict=True):
        assert line.startswith("failed: ")
        assert name in line
    assert said.out.startswith("3 annotated, 3 failed in ")


def test_an_empty_folder_is_a_failure_that_is_named(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert annotate(weights, tmp_path / "empty", "-o", tmp_path / "out") == 1
    assert "empty: the folder holds no image" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_video_in_a_folder_is_named_as_skipped(
    weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "clip.mp4").write_bytes(b"x")
    assert annotate(weights, photos, "-o", tmp_path / "out") == 0
    assert "clip.mp4: a video; only photographs" in capsys.readouterr().err


def test_an_existing_output_is_refused_without_a_word_to_do_so(
    weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.jpg").write_text("precious")
    assert annotate(weights, photos, "-o", out) == 1
    assert (out / "a.jpg").read_text() == "precious"
    assert listing(out) == ["a.jpg", "b.png", "c.png"]
    assert "a.jpg exists; use --overwrite or --skip-existing" in capsys.readouterr().err


def test_overwrite_replaces_existing_outputs(weights: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.jpg").write_text("old")
    assert annotate(weights, photos, "-o", out, "--overwrite") == 0
    assert cv2.imread(str(out / "a.jpg")) is not None


def test_skip_existing_leaves_them_and_makes_what_is_missing(
    weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("a.jpg", "a.json", "b.png"):
        (out / name).write_text("old")
    assert annotate(weights, photos, "-o", out, "--skip-existing", "--json") == 0
    assert listing(out) == ["a.jpg", "a.json", "b.json", "b.png", "c.json", "c.png"]
    assert {(out / name).read_text() for name in ("a.jpg", "a.json", "b.png")} == {"old"}
    assert json.loads((out / "b.json").read_text())["image"] == "b.png"
    assert capsys.readouterr().out.startswith("2 annotated, 1 skipped in ")


def test_overwrite_and_skip_existing_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert "not allowed with" in usage_error(capsys, "a.jpg", "-o", "x", "--overwrite", "--skip-existing")


def test_the_inputs_are_never_written_over_even_with_overwrite(
    weights: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in photos.iterdir()}
    assert annotate(weights, photos, "-o", photos, "--overwrite") == 2
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
        ("--nms", "soft"),
        ("--classes", "person,,dog"),
    ],
)
def test_an_option_out_of_range_is_a_usage_error_that_quotes_it(
    capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    said = usage_error(capsys, "a.jpg", "-o", "out", f"{option}={value}")
    assert f"argument {option}: " in said
    assert repr(value) in said


def test_output_and_inputs_are_required(capsys: pytest.CaptureFixture[str]) -> None:
    assert "-o/--output" in usage_error(capsys, "a.jpg")
    assert "PHOTO|FOLDER|GLOB" in usage_error(capsys, "-o", "out")


def test_an_unknown_class_is_a_usage_error_with_the_nearest_name(
    weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert annotate(weights, photos, "-o", tmp_path / "out", "--classes", "persons") == 2
    assert "did you mean 'person'?" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_unknown_device_is_a_usage_error(
    weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert annotate(weights, photos, "-o", tmp_path / "out", "--device", "gpu") == 2
    assert "'gpu'" in capsys.readouterr().err


def test_absent_weights_are_named(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert annotate(tmp_path / "none.pt", photos, "-o", tmp_path / "out") == 1
    assert "none.pt" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_broken_weights_are_named(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04 and no more")
    assert annotate(tmp_path / "broken.pt", photos, "-o", tmp_path / "out") == 1
    said = capsys.readouterr()
    assert "broken.pt: " in said.err
    assert said.out == ""


def test_pictures_of_every_kind_go_all_the_way_through(weights: Path, tmp_path: Path) -> None:
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
    assert annotate(weights, folder, "-o", tmp_path / "out", "--json") == 0
    for name, shape in {**kinds, "deep.png": (30, 40)}.items():
        assert cv2.imread(str(tmp_path / "out" / name)).shape == (*shape[:2], 3)


def test_a_name_with_brackets_and_no_ascii_survives(weights: Path, photos: Path, tmp_path: Path) -> None:
    shutil.copy(photos / "a.jpg", photos / "café [bold] (1).jpg")
    assert annotate(weights, photos / "café [bold] (1).jpg", "-o", tmp_path / "out", "--json") == 0
    record = json.loads((tmp_path / "out" / "café [bold] (1).json").read_text())
    assert record["image"] == "café [bold] (1).jpg"


def test_help_answers_without_loading_torch() -> None:
    script = (
        "import sys\nfrom app.cli import main\n"
        "try:\n    main(['annotate', '--help'])\n"
        "except SystemExit:\n    sys.exit('torch' in sys.modules or 'cv2' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == 0
    assert b"--skip-existing" in done.stdout


def test_a_terminal_gets_a_progress_bar_on_stderr(weights: Path, photos: Path, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "run_app.py", "annotate", photos, "-o", tmp_path / "out", "--weights", weights]
    try:
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=follower, timeout=120
        )
        shown = os.read(leader, 65536)
    finally:
        os.close(follower)
        os.close(leader)
    assert done.returncode == 0
    assert b"annotating" in shown
    assert done.stdout.startswith(b"3 annotated in ")


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
        while not list(out.glob("*.jpg")):
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
    assert f"{len(pictures)} annotated".encode() in told
    assert {path.suffix for path in out.iterdir()} == {".jpg", ".json"}
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    assert all(cv2.imread(str(path)).shape == (800, 1200, 3) for path in pictures)


def test_the_demo_photographs_are_small_credited_and_can_be_annotated(weights: Path, tmp_path: Path) -> None:
    photographs = listing(DEMO)
    assert annotate(weights, DEMO, "-o", tmp_path / "out") == 0
    assert listing(tmp_path / "out") == photographs
    credits = (ROOT / "assets" / "CREDITS.md").read_text()
    assert all(f"`{name}`" in credits for name in photographs)
    assert sum(path.stat().st_size for path in DEMO.iterdir()) < 1_500_000
