"""`annotate` from the command line: real photographs, a real (untrained) network, real files."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tests.app.conftest import Annotate
from tests.source_tree import ROOT

DEMO = ROOT / "assets" / "photos"


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_annotated_into_a_folder_that_is_made(
    annotate: Annotate, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "out"
    assert annotate(photos, "-o", out) == 0
    assert listing(out) == ["a.jpg", "b.png", "c.png"]
    for name in ("a.jpg", "b.png"):
        before, after = cv2.imread(str(photos / name)), cv2.imread(str(out / name))
        assert before.shape == after.shape
        assert np.abs(before.astype(int) - after).max() > 40


def test_the_summary_is_one_line_and_a_pipe_sees_no_progress_bar(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotate(photos, "-o", tmp_path / "out")
    said = capsys.readouterr()
    assert said.err == "torch fp32 on cpu: as named\n"
    assert said.out.count("\n") == 1
    assert said.out.startswith("3 annotated in ")
    assert said.out.endswith(f" s -> {tmp_path / 'out'}\n")


def test_a_single_photograph_can_go_to_a_named_file(annotate: Annotate, photos: Path, tmp_path: Path) -> None:
    assert annotate(photos / "a.jpg", "-o", tmp_path / "shown.png") == 0
    assert cv2.imread(str(tmp_path / "shown.png")).shape == (60, 40, 3)


def test_files_folders_and_patterns_mix_and_each_photograph_is_taken_once(
    annotate: Annotate, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    again = photos / ".." / photos.name / "a.jpg"
    assert annotate(photos / "a.jpg", again, photos, f"{photos}/*.png", "-o", out) == 0
    assert listing(out) == ["a.jpg", "b.png", "c.png"]


def test_inputs_may_stand_before_between_and_behind_options(
    annotate: Annotate, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert annotate(photos / "a.jpg", "-o", out, photos / "b.png", "--no-labels", photos / "c.webp") == 0
    assert listing(out) == ["a.jpg", "b.png", "c.png"]


def test_json_holds_every_detection_with_boxes_and_masks_of_the_image_size(
    annotate: Annotate, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert annotate(photos / "b.png", "-o", out, "--json") == 0
    record = json.loads((out / "b.json").read_text())
    assert (record["image"], record["width"], record["height"]) == ("b.png", 61, 33)
    assert (record["weights"], record["model"]) == ("tiny.pt", "compact")
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
    annotate: Annotate, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert annotate(photos / "b.png", "-o", out, "--json", "--no-masks") == 0
    detections = json.loads((out / "b.json").read_text())["detections"]
    assert detections
    assert all("segmentation" not in one for one in detections)
    assert not np.array_equal(cv2.imread(str(out / "b.png")), cv2.imread(str(photos / "b.png")))


def test_with_nothing_to_draw_the_picture_stays_as_it_was(
    annotate: Annotate, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert annotate(photos / "b.png", "-o", out, "--no-masks", "--no-boxes", "--no-labels") == 0
    assert np.array_equal(cv2.imread(str(out / "b.png")), cv2.imread(str(photos / "b.png")))


def test_each_drawing_option_changes_the_picture(annotate: Annotate, photos: Path, tmp_path: Path) -> None:
    options = ((), ("--no-boxes",), ("--no-labels",), ("--alpha", "0.9"), ("--no-masks",), ("--no-crop",))
    pictures = []
    for number, extra in enumerate(options):
        out = tmp_path / f"{number}.png"
        assert annotate(DEMO / "collins.jpg", "-o", out, *extra) == 0
        pictures.append(out.read_bytes())
    assert len(set(pictures)) == len(options)


def test_a_score_threshold_of_1_finds_nothing_and_says_so_in_json(
    annotate: Annotate, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert annotate(photos / "b.png", "-o", out, "--json", "--score-threshold", "1") == 0
    assert json.loads((out / "b.json").read_text())["detections"] == []


def test_classes_restrict_what_is_found(annotate: Annotate, photos: Path, tmp_path: Path) -> None:
    for name in ("person", "traffic light"):
        out = tmp_path / name
        assert annotate(photos, "-o", out, "--json", "--classes", name) == 0
        found = [one for path in out.glob("*.json") for one in json.loads(path.read_text())["detections"]]
        assert {one["category_name"] for one in found} <= {name}


def test_skip_existing_leaves_them_and_makes_what_is_missing(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("a.jpg", "a.json", "b.png"):
        (out / name).write_text("old")
    assert annotate(photos, "-o", out, "--skip-existing", "--json") == 0
    assert listing(out) == ["a.jpg", "a.json", "b.json", "b.png", "c.json", "c.png"]
    assert {(out / name).read_text() for name in ("a.jpg", "a.json", "b.png")} == {"old"}
    assert json.loads((out / "b.json").read_text())["image"] == "b.png"
    assert capsys.readouterr().out.startswith("2 annotated, 1 skipped in ")


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
    terminal, stderr = pty.openpty()
    command = [sys.executable, "run_app.py", "annotate", photos, "-o", tmp_path / "out", "--weights", weights]
    try:
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=stderr, timeout=120
        )
        readable, _, _ = select.select([terminal], [], [], 0)
        shown = os.read(terminal, 65536) if readable else b""
    finally:
        os.close(stderr)
        os.close(terminal)
    assert done.returncode == 0
    assert b"annotating" in shown
    assert done.stdout.startswith(b"3 annotated in ")


def test_the_demo_photographs_are_small_credited_and_can_be_annotated(
    annotate: Annotate, tmp_path: Path
) -> None:
    photographs = listing(DEMO)
    assert annotate(DEMO, "-o", tmp_path / "out") == 0
    assert listing(tmp_path / "out") == photographs
    credits = (ROOT / "assets" / "CREDITS.md").read_text()
    assert all(f"`{name}`" in credits for name in photographs)
    assert sum(path.stat().st_size for path in DEMO.iterdir()) < 2_500_000
