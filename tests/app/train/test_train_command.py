import contextlib
import csv
import io
import json
import math
from pathlib import Path

import cv2
import pytest
import torch

from app.cli import build_parser, main
from app.train.run import build_trainer
from app.train.settings import Settings, load_settings
from model.checkpoints.pins import exclusive
from model.checkpoints.yolact import save_checkpoint
from model.errors import TrainingError
from model.network.yolact import build_yolact
from model.predictor import load_predictor
from model.training.saved_run import read_saved_run
from tests.shapes_data import CLASSES, write_shapes
from tests.tiny_data import draw_blocks, edit_json, save_image

QUICK = (
    *("--config", "livemask_n", "--image-size", "64", "--stages", "1:64:none"),
    *("--batch-size", "2", "--iterations", "3", "--workers", "0"),
)


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """No test waits for ImageNet's server."""
    monkeypatch.setenv("LIVEMASK_OFFLINE", "1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("shapes"), images=4, side=80)


@pytest.fixture(scope="module")
def finished(shapes, tmp_path_factory):
    """The folder of a whole run, and what it told."""
    output = tmp_path_factory.mktemp("run") / "run"
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(io.StringIO()) as told:
        patch.setenv("LIVEMASK_OFFLINE", "1")
        assert train(*QUICK, "--data", shapes, "--val", shapes, "--val-limit", 3, "--output", output) == 0
    return output, told.getvalue()


def train(*arguments) -> int:
    try:
        return main(["train", *map(str, arguments)])
    except SystemExit as end:
        return end.code


def rows(output: Path) -> list[dict[str, str]]:
    with (output / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_weights_logs_figures_and_pictures(finished):
    output, _ = finished
    assert [int(row["iteration"]) for row in rows(output)] == [0, 1, 2]
    assert all(math.isfinite(float(row[name])) for row in rows(output) for name in ("box", "cls", "mask"))
    with (output / "validation.csv").open(newline="") as file:
        (figures,) = csv.DictReader(file)
    assert figures["iteration"] == "3"
    assert 0 <= float(figures["mask/ap50"]) <= 1
    assert list((output / "tensorboard").glob("events*"))
    sheet = cv2.imread(str(output / "previews" / "iteration_0000003.jpg"))
    assert sheet.shape == (320, 960, 3)


def test_what_is_trained_can_be_used(finished, shapes):
    predictor = load_predictor(finished[0] / "final.pt", device="cpu")
    assert predictor.config.class_names == CLASSES
    assert predictor.config.image_size == 64
    image = cv2.imread(str(shapes.parent / "images" / "shapes_1.png"))
    assert predictor(image).image_size == image.shape[:2]


def test_a_run_says_what_it_learns_from_how_far_it_is_and_how_good(finished):
    told = finished[1]
    assert "labels: 4 images" in told
    assert "starts from scratch" in told
    line = next(line for line in told.splitlines() if line.startswith("3/3"))
    for part in ("box ", "cls ", "semantic ", "images/s", "0:00:00 left"):
        assert part in line
    assert "iteration 3: box/ap 0." in told


def test_a_finished_run_that_is_resumed_makes_its_weights_anew_without_training(finished, capsys):
    output, _ = finished
    before = (output / "log.csv").read_bytes()
    (output / "final.pt").unlink()
    assert train("--resume", "--output", output, "--workers", 0) == 0
    assert (output / "final.pt").exists()
    assert (output / "log.csv").read_bytes() == before
    told = capsys.readouterr().err
    assert "the run has done its 3 iterations" in told
    assert told.endswith(f"weights: {output / 'final.pt'}\n")
    with (output / "validation.csv").open(newline="") as file:
        assert [row["iteration"] for row in csv.DictReader(file)] == ["3"]


def test_a_folder_that_holds_a_run_is_not_overwritten(finished, shapes, capsys):
    output, _ = finished
    before = (output / "last.pt").read_bytes()
    assert train(*QUICK, "--data", shapes, "--output", output) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert (output / "last.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "a new run needs --config and --data"),
        ("--config livemask_n", "a new run needs --config and --data"),
        ("--config nosuch", "invalid choice: 'nosuch'"),
        (
            "{quick} --data {data} --data-weight 1 --data-weight 2",
            "one positive --data-weight for each --data",
        ),
        ("{quick} --data {data} --data-weight 0", "one positive --data-weight for each --data"),
        ("{quick} --data {data} --rename disc", "expected --rename FROM=TO"),
        ("{quick} --data {data} --classes dick", "did you mean 'disc'"),
        ("{quick} --data {data} --stages 0.5:64", "expected stages such as"),
        ("{quick} --data {data} --stages 0.5:64:none", "the last at 1"),
        ("{quick} --data {data} --stages 0.5:64:none,0.4:64:none,1:64:none", "growing shares"),
        ("{quick} --data {data} --stages 1:16:none", "32 to 4096 pixels, got 16"),
        ("{quick} --data {data} --stages 1:64:strong", "no augmentation is named 'strong'"),
        ("{quick} --data {data} --iterations 0", "whole number of 1 or more"),
        ("{quick} --data {data} --learning-rate -1", "learning_rate is out of range: -1.0"),
        ("{quick} --data {data} --learning-rate fast", "invalid float value"),
        ("{quick} --data {data} --ema 1", "ema_decay is out of range"),
        ("{quick} --data {data} --warmup -3", "whole number of 0 or more"),
        ("{quick} --data {data} --seed x", "whole number of 0 or more"),
        ("{quick} --data {data} --workers -1", "whole number of 0 or more"),
        ("{quick} --data {data} --device tpu", "no device is named 'tpu'"),
        ("{quick} --data {data} --val-limit 3", "--val, which is not given"),
        ("{quick} --data {data} --weights x.pt --backbone imagenet", "leave out --backbone imagenet"),
        ("--config yolact_plus_base --data {data} --image-size 64", "re-scores masks"),
    ],
)
def test_wrong_arguments_are_told_with_exit_code_2_and_leave_nothing(
    shapes, tmp_path, capsys, arguments, told
):
    filled = arguments.format(quick=" ".join(QUICK), data=shapes).split()
    assert train(*filled, "--output", tmp_path / "run") == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("fault", ["labels", "json", "images", "one image", "size"])
def test_a_validation_set_that_cannot_be_measured_on_is_told_at_the_start(shapes, tmp_path, capsys, fault):
    val = write_shapes(tmp_path / "val", images=2, side=64)
    arguments = ["--val", val]
    if fault == "labels":
        arguments = ["--val", tmp_path / "nosuch.json"]
    elif fault == "json":
        val.write_text("{")
    elif fault == "images":
        arguments += ["--val-images", tmp_path / "nowhere"]
    elif fault == "one image":
        (val.parent / "images" / "shapes_2.png").unlink()
    else:
        save_image(val.parent / "images" / "shapes_2.png", draw_blocks(32, 64, []))
    assert train(*QUICK, "--data", shapes, *arguments, "--output", tmp_path / "run") == 1
    told = capsys.readouterr().err
    assert {"labels": "nosuch.json", "json": "labels.json", "images": "nowhere"}.get(
        fault, "shapes_2.png"
    ) in told
    assert not (tmp_path / "run").exists()


def test_a_validation_set_without_any_of_the_classes_is_told_at_the_start(shapes, tmp_path, capsys):
    val = write_shapes(tmp_path / "val", images=2, side=64)
    edit_json(val, lambda content: [c.update(name=f"no {c['name']}") for c in content["categories"]])
    assert train(*QUICK, "--data", shapes, "--val", val, "--output", tmp_path / "run") == 2
    assert "nothing to measure" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_data_set_that_is_not_there_is_told_by_name(tmp_path, capsys):
    assert train(*QUICK, "--data", tmp_path / "nosuch.json", "--output", tmp_path / "run") == 1
    assert "nosuch.json: there is no such file" in capsys.readouterr().err


def test_an_output_that_cannot_be_made_a_folder_is_told_by_name(shapes, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert train(*QUICK, "--data", shapes, "--output", tmp_path / "file" / "run") == 1
    assert "file/run: cannot be written" in capsys.readouterr().err


def test_a_class_that_one_of_two_data_sets_labels_is_learned_from_that_one(shapes, tmp_path, capsys):
    other = write_shapes(tmp_path / "other", images=2, side=64)
    edit_json(other, lambda content: content["categories"][0].update(name="ring"))
    both = [*QUICK, "--data", shapes, "--data", other, "--iterations", 1]
    assert train(*both, "--classes", "ring,box", "--output", tmp_path / "run") == 0
    assert load_predictor(tmp_path / "run" / "final.pt", device="cpu").config.class_names == ("ring", "box")
    assert train(*both, "--classes", "box,star", "--output", tmp_path / "no") == 2
    assert "none of the data sets labels the class 'star'" in capsys.readouterr().err


def test_losses_that_do_not_stay_finite_end_the_run_with_the_images_named(shapes, tmp_path, capsys):
    wild = ["--learning-rate", "1e30", "--warmup", 0, "--iterations", 9, "--precision", "fp32"]
    assert train(*QUICK, *wild, "--data", shapes, "--output", tmp_path / "run") == 1
    told = capsys.readouterr().err
    assert "the step is skipped" in told
    assert "twice in a row" in told
    assert "shapes_" in told
    assert not (tmp_path / "run" / "last.pt").exists()


def start(shapes, output, *arguments):
    """The settings of a new run of `QUICK` with these arguments, as the command makes them."""
    texts = ["train", *QUICK, "--data", str(shapes), "--output", str(output), *map(str, arguments)]
    return Settings.from_arguments(vars(build_parser(texts).parse_args(texts)))


@pytest.mark.parametrize(
    ("arguments", "frozen"),
    [
        (["--backbone", "scratch", "--batch-size", 2], False),
        (["--weights", "FILE", "--batch-size", 5], True),
        (["--weights", "FILE", "--batch-size", 6], False),
    ],
)
def test_given_norms_are_frozen_below_six_images_but_norms_from_scratch_never(
    shapes, tmp_path, arguments, frozen
):
    settings = start(shapes, tmp_path / "run")
    file = tmp_path / "start.pt"
    network = build_yolact(settings.network_config(CLASSES))
    save_checkpoint(file, network.config, network.state_dict())
    settings = start(shapes, tmp_path / "run", *(file if a == "FILE" else a for a in arguments))
    with build_trainer(settings, tmp_path / "run", "cpu", 0, resume=False) as trainer:
        assert trainer.recipe.freeze_norms == frozen
        same = torch.equal(trainer.network.head.tower[0].weight, network.head.tower[0].weight)
        assert same == ("FILE" in arguments)


def test_imagenet_weights_that_must_be_had_and_cannot_end_the_run(shapes, tmp_path, capsys):
    arguments = ["--config", "yolact_resnet50", "--data", shapes, "--output", tmp_path / "run"]
    assert train(*QUICK, *arguments, "--backbone", "imagenet") == 1
    assert "the ImageNet weights of resnet50 are not here" in capsys.readouterr().err
    assert not (tmp_path / "run" / "run.json").exists()


def test_settings_that_cannot_be_written_are_an_error_of_the_project(shapes, tmp_path):
    with pytest.raises(TrainingError, match=r"run\.json cannot be written"):
        start(shapes, tmp_path / "run").write(tmp_path / "nosuch")


def test_two_runs_cannot_share_a_folder(shapes, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    with exclusive(tmp_path / "run" / ".guard", wait=False):
        assert train(*QUICK, "--data", shapes, "--output", tmp_path / "run") == 1
    assert "another process trains there" in capsys.readouterr().err


def test_settings_are_kept_so_that_they_hold_in_any_folder(finished, shapes, monkeypatch):
    assert load_settings(finished[0]).data == [str(shapes.resolve())]


class TestResume:
    @pytest.fixture
    def stopped(self, shapes, tmp_path):
        """The folder of a run that has not begun to learn yet."""
        output = tmp_path / "run"
        with build_trainer(start(shapes, output), output, "cpu", 0, resume=False) as trainer:
            trainer.save()
        return output

    def test_a_folder_without_a_run_is_told(self, tmp_path, capsys):
        assert train("--resume", "--output", tmp_path) == 1
        assert "holds no run to go on with" in capsys.readouterr().err

    def test_settings_that_are_broken_are_told(self, stopped, capsys):
        (stopped / "run.json").write_text('{"config": "livemask_n"')
        assert train("--resume", "--output", stopped) == 1
        assert "run.json: not the settings of a run" in capsys.readouterr().err

    def test_the_arguments_that_it_was_started_with_may_be_repeated_but_not_changed(
        self, stopped, shapes, capsys
    ):
        again = [*QUICK, "--data", shapes, "--resume", "--output", stopped]
        assert train(*again, "--learning-rate", 0.1) == 2
        assert (
            "--resume goes on with the run as it was started, with --learning-rate None"
            in capsys.readouterr().err
        )
        assert train(*again, "--save-every", 500) == 0
        assert len(rows(stopped)) == 3

    def test_a_default_that_the_run_was_not_started_with_is_refused(self, stopped, capsys):
        settings = json.loads((stopped / "run.json").read_text()) | {"seed": 7}
        (stopped / "run.json").write_text(json.dumps(settings))
        assert train("--resume", "--output", stopped, "--seed", 0) == 2
        assert "with --seed 7, not 0" in capsys.readouterr().err

    def test_a_data_set_with_other_images_is_refused(self, stopped, tmp_path, capsys):
        other = write_shapes(tmp_path / "other", images=3, side=64)
        settings = json.loads((stopped / "run.json").read_text()) | {"data": [str(other)]}
        (stopped / "run.json").write_text(json.dumps(settings))
        assert train("--resume", "--output", stopped, "--workers", 0) == 1
        assert "learned from other images (4 images" in capsys.readouterr().err

    def test_it_keeps_the_recipe_and_the_network_that_it_was_started_with(self, stopped, monkeypatch):
        monkeypatch.setattr("model.training.recipe.RECIPES", {})
        settings = load_settings(stopped)
        with build_trainer(settings, stopped, "cpu", 0, resume=True) as trainer:
            assert trainer.recipe == read_saved_run(stopped / "last.pt").recipe
            assert trainer.recipe.optimizer == "adamw"

    def test_a_run_that_was_never_saved_starts_over(self, stopped):
        (stopped / "last.pt").unlink()
        assert train("--resume", "--output", stopped, "--workers", 0) == 0
        assert len(rows(stopped)) == 3

    def test_a_broken_file_is_told_and_left_alone(self, stopped, capsys):
        torn = (stopped / "last.pt").read_bytes()[:10_000]
        (stopped / "last.pt").write_bytes(torn)
        assert train("--resume", "--output", stopped, "--workers", 0) == 1
        assert "last.pt" in capsys.readouterr().err
        assert (stopped / "last.pt").read_bytes() == torn

    def test_a_data_set_whose_classes_have_changed_is_refused(self, shapes, stopped, tmp_path, capsys):
        changed = write_shapes(tmp_path / "changed", images=2, side=64)
        edit_json(changed, lambda content: content["categories"][0].update(name="ring"))
        settings = json.loads((stopped / "run.json").read_text()) | {"data": [str(changed)]}
        (stopped / "run.json").write_text(json.dumps(settings))
        assert train("--resume", "--output", stopped, "--workers", 0) == 1
        assert "the run learned disc, box, triangle" in capsys.readouterr().err

    def test_what_a_killed_save_left_behind_is_removed(self, stopped):
        (stopped / ".last.pt.123.partial").write_bytes(b"half")
        assert train("--resume", "--output", stopped, "--workers", 0) == 0
        assert not (stopped / ".last.pt.123.partial").exists()
