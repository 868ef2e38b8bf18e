"""`train --init`: from a checkpoint of other classes, and all that can be wrong with it."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import pytest
import torch

from app.cli import EXIT_FAILED, EXIT_USAGE, main
from app.train.settings import Settings, load_settings
from model.checkpoints.yolact import read_checkpoint, save_checkpoint
from model.config import DetectionConfig, preset
from model.predictor import load_predictor
from model.training.saved_run import read_saved_run
from tests.shapes_data import CLASSES, write_shapes
from tests.small_networks import FREE, TINY, small_network

QUICK = ("--batch-size", "2", "--iterations", "20", "--workers", "0", "--image-size", "64")
THRESHOLDS = DetectionConfig(class_thresholds=(0.2, 0.3, 0.4))


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("LIVEMASK_OFFLINE", "1")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("shapes"), images=10, side=80)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network that knows cats, dogs and birds, with a threshold for each."""
    config = dataclasses.replace(FREE, detection=THRESHOLDS)
    path = tmp_path_factory.mktemp("weights") / "pets.pt"
    save_checkpoint(path, config, small_network(config).state_dict())
    return path


def train(*arguments: object) -> int:
    try:
        return main(["train", *map(str, arguments)])
    except SystemExit as end:
        return int(end.code or 0)


def settings_of(*arguments: object) -> Settings:
    from app.cli import build_parser

    words = ["train", "--output", "run", *map(str, arguments)]
    return Settings.from_arguments(vars(build_parser(words).parse_args(words)))


@pytest.fixture(scope="module")
def finished(shapes, weights, tmp_path_factory):
    output = tmp_path_factory.mktemp("run") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIVEMASK_OFFLINE", "1")
        assert train(*QUICK, "--init", weights, "--data", shapes, "--output", output) == 0
    return output


def test_the_result_is_the_checkpoints_network_with_the_datas_classes(finished):
    config = load_predictor(finished / "final.pt", device="cpu").config
    assert config.name == FREE.name
    assert config.class_names == CLASSES


def test_thresholds_of_the_classes_are_chosen_on_the_images_that_were_held_out(finished):
    config = load_predictor(finished / "final.pt", device="cpu").config
    assert len(config.detection.class_thresholds) == len(CLASSES)
    assert all(0 < threshold < 1 for threshold in config.detection.class_thresholds)


def test_a_share_of_the_images_is_held_out_and_measured_as_the_run_goes(finished):
    saved = read_saved_run(finished / "last.pt")
    assert saved.data.startswith("8 images")
    with (finished / "validation.csv").open(newline="") as file:
        assert [row["iteration"] for row in csv.DictReader(file)] == ["0", "10", "20"]
    assert (finished / "best.pt").exists()


def test_the_recipe_is_short_and_lets_the_backbone_rest(finished, weights):
    recipe = read_saved_run(finished / "last.pt").recipe
    assert recipe.patience == 2
    assert [stage.freeze for stage in recipe.stages] == ["backbone"]
    assert load_settings(finished).init == str(weights)


def test_the_time_is_told_before_the_run_starts(shapes, weights, tmp_path, capsys):
    assert train(*QUICK, "--init", weights, "--data", shapes, "--output", tmp_path / "run") == 0
    told = capsys.readouterr().err
    assert "2 more images are held out" in told
    assert all(f"{name!r} starts from the known classes" in told for name in CLASSES)
    start = told.index("for 20 iterations of 2 images on this machine")
    assert start < told.index("20/20")


def test_minutes_choose_how_many_iterations_there_are(shapes, weights, tmp_path):
    arguments = ("--batch-size", 2, "--workers", 0, "--image-size", 64, "--minutes", 0.02, "--val-share", 0)
    assert train(*arguments, "--init", weights, "--data", shapes, "--output", tmp_path / "run") == 0
    assert read_saved_run(tmp_path / "run" / "last.pt").recipe.iterations < 200
    assert (tmp_path / "run" / "final.pt").exists()


def test_iterations_follow_the_number_of_images_within_bounds(weights, shapes):
    settings = settings_of("--init", weights, "--data", shapes)
    counts = [settings.recipe(CLASSES, images).iterations for images in (1, 40, 400, 10**6)]
    assert counts == [40, 100, 1000, 5000]


def test_the_same_classes_keep_the_configurations_recipe_and_the_thresholds(weights, shapes):
    settings = settings_of("--init", weights, "--data", shapes)
    assert settings.recipe(FREE.class_names, 40).patience == 0
    assert settings.held_out(FREE.class_names) == 0
    assert settings.network_config(FREE.class_names).detection == THRESHOLDS
    assert settings.network_config(CLASSES).detection.class_thresholds == ()


def test_what_is_asked_for_comes_before_the_short_recipe(weights, shapes):
    arguments = ("--freeze", "none", "--patience", 3, "--learning-rate", 0.5, "--save-every", 7)
    settings = settings_of("--init", weights, "--data", shapes, *arguments)
    recipe = settings.recipe(CLASSES, 40)
    assert {stage.freeze for stage in recipe.stages} == {"none"}
    assert (recipe.patience, recipe.learning_rate, settings.saves(recipe)) == (3, 0.5, 7)


def test_a_network_with_anchors_starts_from_other_classes_too(shapes, tmp_path):
    path = tmp_path / "anchors.pt"
    save_checkpoint(path, TINY, small_network(TINY).state_dict())
    arguments = ("--batch-size", 2, "--iterations", 2, "--workers", 0, "--val-share", 0)
    assert train(*arguments, "--init", path, "--data", shapes, "--output", tmp_path / "run") == 0
    assert read_checkpoint(tmp_path / "run" / "final.pt").config.class_names == CLASSES
    stages = read_saved_run(tmp_path / "run" / "last.pt").recipe.stages
    assert [stage.freeze for stage in stages] == ["backbone", "none", "none"]


def test_a_name_that_the_catalogue_does_not_know_is_told(shapes, tmp_path, capsys):
    assert train("--init", "livemask_x", "--data", shapes, "--output", tmp_path / "run") == EXIT_FAILED
    assert "there is no weights file 'livemask_x'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--init {weights} --config livemask_n", "which is another network than --config livemask_n"),
        ("--init graph.json", "is a graph, which does not say what is built on it; add --config"),
        ("--init {weights} --weights {weights}", "leave out one"),
        (
            "--init {weights} --backbone scratch",
            "--init brings a backbone already; leave out --backbone scratch",
        ),
        ("--init {weights} --image-size 100", "must be a multiple of 32 pixels, such as 96"),
        ("--init {weights} --val-share 2", "--val-share is a share of the images, 0 to 0.9, got 2.0"),
        ("--init {weights} --val {data} --val-share 0.2", "--val and --val-share both say"),
        ("--init {weights} --minutes 0", "--minutes must be more than 0"),
        ("--init {weights} --patience 3 --val-share 0", "--patience counts measurements"),
        ("--init {weights} --classes dick", "did you mean 'disc'"),
    ],
)
def test_wrong_arguments_are_told_and_leave_nothing(shapes, weights, tmp_path, capsys, arguments, told):
    words = arguments.format(weights=weights, data=shapes).split()
    assert train(*words, "--data", shapes, "--output", tmp_path / "run") == EXIT_USAGE
    assert told in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def graph(folder: Path, shape: list[int], content: bytes) -> Path:
    """A TensorFlow.js graph of one convolution."""
    weights = [
        {"name": "kernel", "shape": shape, "dtype": "float32"},
        {"name": "bias", "shape": shape[-1:], "dtype": "float32"},
    ]
    name = "PartitionedCall/convolution"
    nodes = [
        {"name": name, "op": "Conv2D", "input": ["image", "kernel"]},
        {"name": "sum", "op": "Add", "input": [name, "bias"]},
    ]
    path = folder / "graph.json"
    (folder / "graph.bin").write_bytes(content)
    manifest = [{"paths": ["graph.bin"], "weights": weights}]
    path.write_text(json.dumps({"modelTopology": {"node": nodes}, "weightsManifest": manifest}))
    return path


@pytest.mark.parametrize(
    ("shape", "size", "told"),
    [
        ([3, 3, 3, 4], 448, "convolutions of NanoDet-g, got 1"),
        ([3, 3, 3, 4], 100, "it is truncated"),
        ([3, 3, 3, 4], 600, "the two files do not belong together"),
        ([3, -3, 3, 4], 448, "makes no sense"),
        ([3, 4], 64, "expected a kernel of four dimensions"),
    ],
)
def test_a_graph_of_another_network_or_a_broken_one_is_told(shapes, tmp_path, capsys, shape, size, told):
    file = graph(tmp_path, shape, bytes(size))
    arguments = ("--config", "livemask_n", "--init", file, "--data", shapes, "--output", tmp_path / "run")
    assert train(*arguments) == EXIT_FAILED
    assert told in capsys.readouterr().err


def test_a_truncated_json_is_told(shapes, tmp_path, capsys):
    file = tmp_path / "graph.json"
    file.write_text('{"modelTopology": {"no')
    arguments = ("--config", "livemask_n", "--init", file, "--data", shapes, "--output", tmp_path / "run")
    assert train(*arguments) == EXIT_FAILED
    assert "no json, or a truncated one" in capsys.readouterr().err


def test_a_graph_does_not_fit_a_network_of_other_parts(shapes, tmp_path, capsys):
    file = graph(tmp_path, [3, 3, 3, 4], bytes(448))
    arguments = (
        "--config",
        "yolact_resnet50",
        "--init",
        file,
        "--data",
        shapes,
        "--output",
        tmp_path / "run",
    )
    assert train(*arguments) == EXIT_FAILED
    assert "NanoDet-g's weights fit livemask_n, _s and _m, not yolact_resnet50" in capsys.readouterr().err


def test_other_channel_counts_are_told_by_the_first_setting_that_differs(shapes, weights, tmp_path, capsys):
    other = dataclasses.replace(preset("livemask_n"), fpn_channels=64)
    path = tmp_path / "narrow.pt"
    save_checkpoint(path, other, small_network(other).state_dict())
    arguments = ("--config", "livemask_n", "--init", path, "--data", shapes, "--output", tmp_path / "run")
    assert train(*arguments) == EXIT_USAGE
    assert "another network" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    ],
)
@pytest.mark.parametrize("command", ["train", "export", "annotate"])
def test_a_lack_of_memory_is_told_in_a_sentence(monkeypatch, tmp_path, capsys, command, error):
    module = {
        "train": "app.train.command",
        "export": "app.export.command",
        "annotate": "app.annotate.command",
    }[command]

    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr(f"{module}.run", fail)
    words = {
        "train": ["--output", "x"],
        "export": ["--format", "onnx", "--output", "x"],
        "annotate": ["x.png", "-o", "x"],
    }
    assert main([command, *words[command]]) == EXIT_FAILED
    assert "not enough memory" in capsys.readouterr().err


def test_other_errors_of_a_library_are_not_taken_for_a_lack_of_memory(monkeypatch):
    def fail(_: object) -> int:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr("app.train.command.run", fail)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        main(["train", "--output", "x"])
