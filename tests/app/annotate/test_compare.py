"""`annotate --compare` with real videos, from the command line to files that are read back."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from app.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from app.values import CHANGEABLE, COMPARABLE, changes
from pipeline.overlay.side_by_side import GAP
from tests.app.annotate.test_videos import UNEVEN, audio_bytes, listing, stamps
from tests.app.conftest import Annotate
from tests.clips import write_clip
from tests.mask_rcnn import SIDE, save_first_published, untrained

SIZE = (96, 64)  # width and height


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    write_clip(tmp_path / "clip.mp4", size=SIZE, times=UNEVEN, seconds_of_audio=0.3)
    return tmp_path / "clip.mp4"


# --- the argument


def test_the_changes_are_read_as_eval_reads_them() -> None:
    assert changes("stabilise=light, image-size = 320,nms=exact") == {
        "stabilise": "light",
        "image_size": 320,
        "nms": "exact",
    }
    assert set(CHANGEABLE) - {"weights", "stabilise", "keyframes"} < set(COMPARABLE)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected KEY=VALUE"),
        ("stabilise", "expected KEY=VALUE"),
        ("colour=red", "with KEY any of weights, stabilise"),
        ("stabilise=lite", "stabilise: expected one of off, light, strong, got 'lite'"),
        ("score_threshold=2", "score_threshold: expected a number from 0 to 1, got '2'"),
        ("nms=fast,nms=exact", "nms is there twice"),
        ("weights=", "weights: expected a file or a name"),
        ("stabilise=light,", "got ''"),
    ],
)
def test_changes_that_make_no_sense_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=complaint):
        changes(text)


# --- what comes out


def test_no_frame_is_lost_and_every_one_keeps_its_time_and_sound(
    annotate: Annotate, clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert annotate(clip, "-o", out, "--compare", "stabilise=light") == EXIT_OK
    assert listing(out) == ["clip_compare.mp4"]
    assert stamps(out / "clip_compare.mp4") == stamps(clip)
    assert audio_bytes(out / "clip_compare.mp4") == audio_bytes(clip) != []


def test_the_same_frame_is_shown_on_both_sides_with_a_strip_below(
    annotate: Annotate, clip: Path, tmp_path: Path
) -> None:
    bare = ("--no-boxes", "--no-labels", "--alpha", "0")
    # nothing scores that much: the frames stay as they are
    annotate(
        clip,
        "-o",
        tmp_path / "out.mkv",
        *bare,
        "--score-threshold",
        "1",
        "--compare",
        "nms=exact",
        "--crf",
        "1",
    )
    width, height = SIZE
    shown = pictures(tmp_path / "out.mkv")
    assert len(shown) == len(UNEVEN)
    for picture, frame in zip(shown, pictures(clip), strict=True):
        assert picture.shape[1] == 2 * width + GAP
        for start in (0, width + GAP):
            side = picture[:height, start : start + width]
            assert np.abs(side.astype(int) - frame).mean() < 4
            assert picture[height:, start : start + width].max() > 150  # letters


def test_the_lines_of_each_side_are_those_of_a_run_by_itself(
    annotate: Annotate, clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    annotate(clip, "-o", tmp_path / "left", "--json")
    left = lines(tmp_path / "left" / "clip_masks.jsonl")
    middle = f"{np.median([found['score'] for line in left for found in line['detections']]):.3f}"
    annotate(clip, "-o", tmp_path / "right", "--json", "--score-threshold", middle, "--nms", "exact")

    annotate(clip, "-o", out, "--json", "--compare", f"score_threshold={middle},nms=exact")

    assert listing(out) == ["clip_compare.mp4", "clip_compare_left.jsonl", "clip_compare_right.jsonl"]
    right = lines(tmp_path / "right" / "clip_masks.jsonl")
    assert lines(out / "clip_compare_left.jsonl") == left
    assert lines(out / "clip_compare_right.jsonl") == right != left


def test_another_network_on_the_right_side_gives_what_it_gives_alone(
    annotate: Annotate, clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    annotate(clip, "-o", out, "--json", "--compare", "image_size=96")
    annotate(clip, "-o", tmp_path / "right", "--json", "--image-size", "96")
    assert lines(out / "clip_compare_right.jsonl") == lines(tmp_path / "right" / "clip_masks.jsonl")


def test_the_same_command_gives_the_same_lines_twice(annotate: Annotate, clip: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        annotate(clip, "-o", tmp_path / name, "--json", "--compare", "stabilise=strong", "--batch", "2")
    for side in ("left", "right"):
        one, two = (tmp_path / name / f"clip_compare_{side}.jsonl" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_a_table_tells_the_figures_of_both_sides(
    annotate: Annotate, clip: Path, tmp_path: Path, capsys
) -> None:
    annotate(
        clip, "-o", tmp_path, "--compare", "stabilise=light,score_threshold=0.4", "--score-threshold", "0.3"
    )
    told = capsys.readouterr().out.splitlines()
    title = told.index(f"comparison: {clip}")
    assert told[title + 1].split() == ["setting", "jitter", "gaps", "id", "changes", "coverage"]
    assert told[title + 2].startswith("stabilise off, score threshold 0.3 ")
    assert told[title + 3].startswith("stabilise light, score threshold 0.4 ")
    for row in told[title + 2 : title + 4]:
        assert row.endswith(" %")


def test_several_videos_are_compared_one_by_one(
    annotate: Annotate, clip: Path, tmp_path: Path, capsys
) -> None:
    write_clip(tmp_path / "other.mp4", size=(80, 32))
    out = tmp_path / "out"
    assert annotate(clip, tmp_path / "other.mp4", "-o", out, "--compare", "stabilise=light") == EXIT_OK
    assert listing(out) == ["clip_compare.mp4", "other_compare.mp4"]
    assert capsys.readouterr().out.count("comparison: ") == 2
    # wider than two to one
    assert pictures(out / "other_compare.mp4")[0].shape[1] == 80


def test_a_folder_of_frames_is_compared_as_the_video_that_it_becomes(
    annotate: Annotate, tmp_path: Path
) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), np.zeros((41, 61, 3), np.uint8))
    assert annotate(folder, "-o", tmp_path / "out.mp4", "--compare", "stabilise=light") == EXIT_OK
    assert len(pictures(tmp_path / "out.mp4")) == 2


def test_the_weights_own_thresholds_are_told_and_are_no_other_side(
    annotate: Annotate, clip: Path, weights: Path, tmp_path: Path, capsys
) -> None:
    network = ("--device", "cpu", "--engine", "torch", "--precision", "fp32")
    command = ["annotate", str(clip), "--weights", str(weights), *network, "-o", str(tmp_path)]

    assert main([*command, "--compare", "score_threshold=0.3"]) == EXIT_USAGE
    assert "both sides would be the same, which is score threshold 0.3" in capsys.readouterr().err

    assert main([*command, "--compare", "score_threshold=0.1"]) == EXIT_OK
    assert "\nscore threshold of the weights " in capsys.readouterr().out


def test_frames_can_be_written_as_pictures(annotate: Annotate, clip: Path, tmp_path: Path) -> None:
    annotate(clip, "-o", tmp_path / "out", "--as", "images", "--compare", "stabilise=light")
    assert len(listing(tmp_path / "out" / "clip_compare")) == len(UNEVEN)


@pytest.mark.slow
def test_a_two_stage_model_can_stand_on_the_right(
    annotate: Annotate, clip: Path, tmp_path: Path, capsys
) -> None:
    path = save_first_published(tmp_path / "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth", untrained())
    choice = f"weights={path},image_size={SIDE},score_threshold=0.2"
    assert annotate(clip, "-o", tmp_path, "--json", "--max-frames", "2", "--compare", choice) == EXIT_OK
    path.unlink()
    assert f"weights {path.name}, image size {SIDE}, score threshold 0.2" in capsys.readouterr().out
    found = [
        one["class"] for line in lines(tmp_path / "clip_compare_right.jsonl") for one in line["detections"]
    ]
    assert set(found) <= {"person", "dog"}


def test_the_threads_of_pytorch_are_left_as_they_are(annotate: Annotate, clip: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    annotate(clip, "-o", tmp_path, "--compare", "stabilise=light")
    assert torch.get_num_threads() == before


# --- bad input


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--compare", "stabilise=off"), "both sides would be the same; stabilise is off already"),
        (("--compare", "score_threshold=0.3", "--score-threshold", "0.3"), "score threshold is 0.3 already"),
        (("--compare", "engine=torch,precision=fp32"), "both sides would be the same"),
        (("--compare", "stabilise=light", "--as", "json"), "--as json does not go with --compare"),
        (("--compare", "stabilise=light", "--no-masks"), "--no-masks does not go with --compare"),
        (("--compare", "stabilise=light", "--no-track"), "--no-track does not go with --compare"),
        (("--compare", "stabilise=light", "--tracks-as", "csv"), "--tracks-as does not go with --compare"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_any_work(
    annotate: Annotate, clip: Path, tmp_path: Path, capsys, arguments: tuple[str, ...], complaint: str
) -> None:
    assert annotate(clip, "-o", tmp_path / "out", *arguments) == EXIT_USAGE
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_auto_has_chosen_is_no_other_side(
    annotate: Annotate, clip: Path, tmp_path: Path, capsys
) -> None:
    code = annotate(clip, "-o", tmp_path, "--precision", "auto", "--compare", "precision=fp32")
    assert code == EXIT_USAGE
    assert "both sides would be the same, which is precision fp32" in capsys.readouterr().err
    assert listing(tmp_path).count("clip_compare.mp4") == 0


def test_photographs_are_refused_with_a_way_out(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys
) -> None:
    assert annotate(photos, "-o", tmp_path / "out", "--compare", "stabilise=light") == EXIT_USAGE
    assert "-o NAME.mp4 makes photographs the frames of one" in capsys.readouterr().err


def test_weights_that_are_not_there_are_told_before_any_work(
    annotate: Annotate, clip: Path, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "out"
    assert annotate(clip, "-o", out, "--compare", "weights=maskrcnn_resnet50_fpn") == EXIT_FAILED
    assert "models download maskrcnn_resnet50_fpn" in capsys.readouterr().err
    assert annotate(clip, "-o", out, "--compare", "weights=nothing.pt") == EXIT_FAILED
    assert not out.exists()


def test_outputs_that_exist_are_never_written_over_unasked(
    annotate: Annotate, clip: Path, tmp_path: Path, capsys
) -> None:
    (tmp_path / "clip_compare_right.jsonl").write_text("mine")
    assert annotate(clip, "-o", tmp_path, "--json", "--compare", "stabilise=light") == EXIT_FAILED
    assert (tmp_path / "clip_compare_right.jsonl").read_text() == "mine"
    assert "clip_compare_right.jsonl exists" in capsys.readouterr().err


def test_the_plan_names_all_outputs(annotate: Annotate, clip: Path, tmp_path: Path, capsys) -> None:
    annotate(clip, "-o", tmp_path, "--json", "--dry-run", "--compare", "stabilise=light")
    told = capsys.readouterr().out
    for name in ("clip_compare.mp4", "clip_compare_left.jsonl", "clip_compare_right.jsonl"):
        assert str(tmp_path / name) in told
