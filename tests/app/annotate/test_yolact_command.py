"""The reference's own command line, and what becomes of it."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path

import pytest

from app.annotate import command as annotate
from app.annotate.yolact import (
    MEDIA,
    NEEDLESS,
    REFUSED,
    TRANSLATED,
    add_arguments,
    remarks,
    shown,
    to_annotate,
)
from app.cli import main
from model.errors import ConfigError

# what the reference's eval.py knows
REFERENCE_FLAGS = [
    "trained_model", "top_k", "cuda", "fast_nms", "cross_class_nms", "display_masks", "display_bboxes",
    "display_text", "display_scores", "display", "shuffle", "ap_data_file", "resume", "max_images",
    "output_coco_json", "bbox_det_file", "mask_det_file", "config", "output_web_json", "web_det_path",
    "no_bar", "display_lincomb", "benchmark", "no_sort", "seed", "mask_proto_debug", "no_crop", "image",
    "images", "video", "video_multiframe", "score_threshold", "dataset", "detect", "display_fps",
    "emulate_playback",
]  # fmt: skip


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(arguments)


def translated(*arguments: str) -> argparse.Namespace:
    """What `annotate` understands of the translation."""
    parser = argparse.ArgumentParser()
    annotate.add_arguments(parser)
    return parser.parse_args(to_annotate(parsed(*arguments)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_flag_of_the_reference_stands_in_exactly_one_table() -> None:
    known = [*MEDIA, *TRANSLATED, *NEEDLESS, *REFUSED]
    assert sorted(known) == sorted(REFERENCE_FLAGS)


@pytest.mark.parametrize("separate", [False, True], ids=["with =", "with a space"])
def test_the_commands_of_the_readme_are_understood(folder: Path, separate: bool) -> None:
    words = (
        "--trained_model=w/my.pth --score_threshold=0.15 --top_k=15 --video_multiframe=4 "
        "--video=in.mp4:o/out.mp4 --display_fps"
    )
    args = translated(*words.replace("=", " " if separate else "=").split())
    assert (args.inputs, args.output) == (["in.mp4"], Path("o/out.mp4"))
    assert (args.weights, args.score_threshold, args.max_detections, args.batch) == ("w/my.pth", 0.15, 15, 4)
    assert (args.show_fps, args.colour_by, args.overwrite) == (True, "class", True)


def test_without_options_the_reference_s_own_defaults_hold(folder: Path) -> None:
    args = translated("--images=in:out")
    assert (args.inputs, args.output) == (["in"], Path("out"))
    assert (args.score_threshold, args.max_detections, args.nms, args.device) == (0.0, 5, "fast", "auto")
    assert [name for name in ("quiet", "show_fps", "json") if getattr(args, name)] == []
    assert [args.masks, args.boxes, args.labels, args.crop_masks] == [True] * 4


@pytest.mark.parametrize(
    ("flag", "name", "value"),
    [
        ("--cuda=False", "device", "cpu"),
        ("--cuda=y", "device", "cuda"),
        ("--fast_nms=0", "nms", "exact"),
        ("--fast_nms=True", "nms", "fast"),
        ("--cross_class_nms=yes", "nms", "class-agnostic"),
        ("--display_masks=f", "masks", False),
        ("--detect", "masks", False),
        ("--display_bboxes=no", "boxes", False),
        ("--display_text=False", "labels", False),
        ("--display_text=True", "labels", True),
        ("--no_crop", "crop_masks", False),
        ("--no_bar", "quiet", True),
        ("--top_k=1000", "max_detections", 100),
        ("--score_threshold=0.123456789", "score_threshold", 0.123456789),
        ("--video_multiframe=4", "batch", 1),
    ],
)
def test_each_flag_means_what_it_means_in_the_reference(
    folder: Path, flag: str, name: str, value: object
) -> None:
    assert getattr(translated("--image=in.jpg:out.jpg", flag), name) == value


def test_a_photograph_needs_no_output(folder: Path) -> None:
    args = translated("--image=in.jpg")
    assert (args.inputs, args.output) == (["in.jpg"], None)


def test_names_that_look_like_options_stay_names(folder: Path) -> None:
    args = translated("--video=-in.mp4:-out.mp4")
    assert (args.inputs, args.output) == ([f".{os.sep}-in.mp4"], Path("-out.mp4"))


def test_published_weights_that_are_not_at_their_place_are_those_of_the_catalogue(folder: Path) -> None:
    given = "weights/yolact_base_54_800000.pth"
    assert translated("--image=a", f"--trained_model={given}").weights == "yolact_base"
    (folder / "weights").mkdir()
    (folder / given).touch()
    assert translated("--image=a", f"--trained_model={given}").weights == given


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        ([], "eval --data"),
        (["--benchmark", "--max_images=1000"], "bench"),
        (["--video=0"], "--video=0:out.mp4"),
        (["--video=in.mp4"], "--video=in.mp4:out.mp4"),
        (["--video=rtsp://me:secret@host/x"], r"--video=rtsp://\*\*\*@host/x:out.mp4"),
        (["--video=rtsp://me:secret@host/x:"], r"rtsp://\*\*\*@host/x"),
        (["--images=in"], "--images=in:out"),
        (["--video=in.mp4:out.avi"], "written as .mp4"),
        (["--image=a", "--trained_model=latest"], "give its path"),
        *([["--image=a", f"--{name}"], "`"] for name in REFUSED if name != "display_lincomb"),
        (["--image=a", "--display_lincomb=True"], "--no-crop"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_to_do_instead(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], advice: str
) -> None:
    with pytest.raises(ConfigError, match=advice) as refused:
        to_annotate(parsed(*arguments))
    assert "secret" not in str(refused.value)
    assert main(["yolact", *arguments]) == 2
    assert capsys.readouterr().err == f"error: {refused.value}\n"


def test_two_kinds_of_input_at_once_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["yolact", "--image=a:b", "--video=c:d"])
    assert ended.value.code == 2


def test_flags_without_effect_are_told_about_one_line_each(folder: Path) -> None:
    args = parsed("--image=a", "--config=yolact_base_config", "--seed=1", "--display_lincomb=False")
    assert [remark.partition(" has")[0] for remark in remarks(args)] == ["--config", "--seed"]
    assert remarks(parsed("--image=a")) == []
    both = parsed("--image=a", "--fast_nms=False", "--cross_class_nms=True")
    assert remarks(both)[0].startswith("--cross_class_nms")


def test_the_new_command_is_shown_without_passwords(folder: Path) -> None:
    command = shown(to_annotate(parsed("--video=rtsp://me:secret@host/a b:out.mp4")))
    assert command.startswith("python run_app.py annotate ")
    assert "secret" not in command
    assert "--output=out.mp4" in command


def test_photographs_are_annotated_over_old_outputs_and_the_new_command_does_the_same(
    folder: Path, photos: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "a.jpg").write_bytes(b"old")
    options = [f"--trained_model={weights}", "--cuda=False", "--top_k=3", "--shuffle"]
    assert main(["yolact", *options, f"--images={photos}:{folder / 'out'}"]) == 0
    made = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
    assert sorted(made) == ["a.jpg", "b.png", "c.png"]
    assert made["a.jpg"] != b"old"
    told = capsys.readouterr().err
    assert "note: --shuffle has no effect" in told
    if os.name == "nt":  # where words are quoted otherwise
        return
    (line,) = (line for line in told.splitlines() if "run_app.py annotate" in line)
    assert main(shlex.split(line.partition("run_app.py ")[2])) == 0
    assert {path.name: path.read_bytes() for path in (folder / "out").iterdir()} == made
