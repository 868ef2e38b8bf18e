"""`export` from its command line to a file that is proven, or to none."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from app.export.images import split
from model import load_predictor
from model.checkpoints.pins import sha256_of
from model.checkpoints.yolact import save_checkpoint
from model.exporting import int8, openvino_model
from model.exporting.comparison import TOLERANCES
from model.exporting.exported import int8_beside, read_exported, read_facts
from model.network.yolact import Yolact
from pipeline.sources.images import read_image
from tests.confident_network import confident_weights, photographs
from tests.small_networks import TINY, small_network

Export = Callable[..., int]
LOOSE = (
    "matched=0",
    "relative-error-mean=64",
    "mask-iou-mean=0",
    "mask-iou-worst=0",
    "score-error-mean=1",
    "shown=0",
    "score-shift=1",
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return confident_weights(tmp_path_factory.mktemp("weights") / "mine.v2.pt")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photographs(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def converted() -> dict[tuple[str, bool], Any]:
    """What was converted so far, by the weights and whether with masks: a conversion takes seconds."""
    return {}


@pytest.fixture
def export(
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    converted: dict[tuple[str, bool], Any],
) -> Export:
    """Runs `export` with these arguments in an empty folder; returns the exit code."""
    monkeypatch.chdir(tmp_path)
    convert = openvino_model.to_openvino

    def once(network: Yolact, with_masks: bool = True, with_levels: bool = False) -> Any:
        assert not with_levels
        key = str([p.sum().item() for p in network.parameters()]), with_masks
        if key not in converted:
            converted[key] = convert(network, with_masks)
        return converted[key].clone()

    for place in ("app.export.run", "model.exporting.openvino_model"):
        monkeypatch.setattr(f"{place}.to_openvino", once)

    def run(*arguments: str | Path) -> int:
        given = ["--weights", weights, "--format", "openvino", *arguments]
        return main(["export", *map(str, given)])

    return run


def labels(photos: Path, path: Path) -> Path:
    """A COCO json of the photographs, with an object each that somebody saw."""
    names = sorted(p.name for p in photos.iterdir())
    annotations = [
        {
            "id": number,
            "image_id": number,
            "category_id": 7,
            "bbox": [10, 10, 40, 40],
            "area": 1600,
            "iscrowd": 0,
            "segmentation": [[10, 10, 50, 10, 50, 50, 10, 50]],
        }
        for number, _ in enumerate(names, start=1)
    ]
    images = [
        {"id": n, "file_name": name, "width": 96, "height": 72} for n, name in enumerate(names, start=1)
    ]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 7, "name": "cat"}]}
    path.write_text(json.dumps(content))
    return path


def test_a_float_file_is_written_and_proven_on_the_demo_photographs(
    export: Export, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert export() == EXIT_OK

    told = capsys.readouterr()
    assert "mine.v2.fp32.xml against PyTorch fp32 on 21 images, the demo photographs" in told.out
    rows = {line[:28].strip(): line[28:].split()[0] for line in told.out.splitlines()[2:]}
    assert int(rows["detections"]) > 0
    assert rows["matched"] == "1"
    assert "written: mine.v2.fp32.xml" in told.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.v2.fp32.bin", "mine.v2.fp32.xml"]
    facts = read_facts(tmp_path / "mine.v2.fp32.xml")
    assert (facts.digest, facts.precision, facts.licence) == (sha256_of(weights), "fp32", "as you like <&>")


def test_the_file_is_as_good_as_the_weights_for_the_predictor(
    export: Export, weights: Path, photos: Path, tmp_path: Path
):
    assert export("-o", tmp_path / "models" / "mine.xml") == EXIT_OK

    frame = read_image(photos / "0.png")
    ours, theirs = (
        load_predictor(source, device="cpu", precision="fp32")(frame)
        for source in (weights, tmp_path / "models" / "mine.xml")
    )
    assert len(ours) == len(theirs) > 0
    assert abs(ours.boxes - theirs.boxes).max() < 0.01


@pytest.mark.slow
def test_int8_is_calibrated_on_some_photographs_and_proven_on_others(
    export: Export, weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    loose = [part for value in LOOSE for part in ("--tolerance", value)]

    assert export("--int8", "--calibration", photos, "--json", *loose, "-o", weights.parent) == EXIT_OK

    path = weights.parent / "mine.v2.int8.xml"
    told = json.loads(capsys.readouterr().out)
    assert told["written"] is True
    assert told["file"] == str(path)
    assert told["images"] == f"held out of {photos}"
    assert told["agreement"]["images"] == 1
    assert told["kept_in_float"] == ["head.bbox_layer"]
    assert told["tolerance"]["relative_error_mean"] == 64
    assert read_exported(path).facts.precision == "int8"
    assert int8_beside(weights) == path
    path.unlink()


@pytest.mark.slow
def test_int8_keeps_more_in_float_while_the_photographs_with_labels_are_out_of_tolerance(
    export: Export,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    two = {key: int8.KEPT_IN_FLOAT[key] for key in ("head.bbox_layer", "head.conf_layer")}
    monkeypatch.setattr(int8, "ALWAYS_KEPT", 1)
    monkeypatch.setattr(int8, "KEPT_IN_FLOAT", two)
    data = labels(photos, tmp_path / "labels.json")
    # what was held out has no labels, and so no average precision to lose
    limits = [part for value in (*LOOSE, "ap-loss=-1") for part in ("--tolerance", value)]

    code = export("--int8", "--calibration", photos, "--data", data, "--images", photos, "--json", *limits)

    assert code == EXIT_FAILED
    assert json.loads(capsys.readouterr().out)["kept_in_float"] == list(two)


def test_a_file_out_of_tolerance_is_not_kept_and_the_old_one_stays(
    export: Export, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "mine.v2.fp32.xml").write_text("old")

    assert export("--overwrite", "--tolerance", "matched=1.5") == EXIT_FAILED

    told = capsys.readouterr()
    assert ">= 1.5" in told.out
    assert "mine.v2.fp32.xml: not kept, for it is out of tolerance: matched detections: 1" in told.err
    assert [p.name for p in tmp_path.iterdir()] == ["mine.v2.fp32.xml"]
    assert (tmp_path / "mine.v2.fp32.xml").read_text() == "old"


def test_a_network_that_sees_nothing_proves_nothing(
    export: Export, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    blind = tmp_path / "weights" / "blind.pt"
    blind.parent.mkdir()
    network = small_network(TINY)
    network.head.conf_layer.bias.data.view(-1, TINY.num_classes + 1)[:, 0] += 200
    save_checkpoint(blind, TINY, network.state_dict())

    assert export("--weights", blind) == EXIT_FAILED

    assert "nothing was detected in any image, which proves nothing" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["weights"]


def test_labels_give_average_precision(
    export: Export, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    data = labels(photos, tmp_path / "labels.json")

    assert export("--data", data, "--images", photos, "-o", tmp_path / "out") == EXIT_OK

    rows = {line[:28].strip(): line[28:].split() for line in capsys.readouterr().out.splitlines()[2:]}
    for kind in ("box", "mask"):
        assert rows[f"{kind} AP of PyTorch"] == rows[f"{kind} AP of the file"]
        assert rows[f"loss of {kind} AP"] == ["0", "<=", "0.001"]


def test_boxes_alone_and_another_input_size(
    export: Export, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert export("--no-masks", "--image-size", "96", "-o", "boxes.xml") == EXIT_OK

    exported = read_exported(tmp_path / "boxes.xml")
    assert (exported.has_masks, exported.facts.config.image_size) == (False, 96)
    rows = {line[:28].strip(): line[28:].split() for line in capsys.readouterr().out.splitlines()[2:]}
    assert rows["mask IoU, mean of images"][0] == "-"


@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript")),
    reason="onnx and onnxscript are not installed",
)
def test_an_onnx_file_is_written_and_proven(export: Export, tmp_path: Path):
    assert export("--format", "onnx") == EXIT_OK

    assert read_exported(tmp_path / "mine.v2.onnx").facts.config == TINY
    assert [p.name for p in tmp_path.iterdir()] == ["mine.v2.onnx"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--int8"], EXIT_USAGE, "--int8 needs --calibration"),
        (["--calibration", "."], EXIT_USAGE, "--calibration is for --int8"),
        (["--int8", "--calibration", ".", "--format", "onnx"], EXIT_USAGE, "for OpenVINO only"),
        (["--tolerance", "speed=1"], EXIT_USAGE, "no tolerance is named 'speed'"),
        (["--coverage", "coco80"], EXIT_USAGE, "--coverage chooses images of --data"),
        (["-o", "a.onnx"], EXIT_USAGE, r"a.onnx: a file of --format openvino is named *.xml"),
        (["-o", "taken.txt"], EXIT_USAGE, "taken.txt is a file, expected a folder"),
        (["-o", "taken.xml"], EXIT_FAILED, "taken.xml exists; use --overwrite"),
        (["-o", "half.xml"], EXIT_FAILED, "half.bin exists; use --overwrite"),
        (["--weights", "absent.pt"], EXIT_FAILED, "absent.pt"),
        (["--data", "absent.json"], EXIT_FAILED, "absent.json: cannot be read"),
        (["--int8", "--calibration", "absent"], EXIT_FAILED, "absent: no such file"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_nothing(
    export: Export,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
):
    before = ["half.bin", "taken.txt", "taken.xml"]
    for name in before:
        (tmp_path / name).touch()

    assert export(*arguments) == code

    assert said in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_weights_are_never_written_over(export: Export, weights: Path, tmp_path: Path):
    for name in ("a.bin", "link.xml"):
        (tmp_path / name).hardlink_to(weights)
        before = weights.read_bytes()

        out = tmp_path / Path(name).with_suffix(".xml")
        assert export("--overwrite", "-o", out) == EXIT_USAGE

        assert weights.read_bytes() == before


@pytest.mark.parametrize("text", ["ap-loss", "ap-loss=", "ap-loss=much"])
def test_a_tolerance_without_a_number_is_wrong_usage(export: Export, text: str):
    with pytest.raises(SystemExit) as end:
        export("--tolerance", text)

    assert end.value.code == EXIT_USAGE


def test_help_states_the_tolerances(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["export", "--help"])

    told = {
        line.split()[0]: line.split()[1:3] for line in capsys.readouterr().out.splitlines() if line.split()
    }
    for field, limits in _limits().items():
        assert [float(value) for value in told[field.replace("_", "-")]] == list(limits)


def _limits() -> dict[str, tuple[Any, Any]]:
    fields = vars(TOLERANCES["fp32"])
    return {name: (fields[name], getattr(TOLERANCES["int8"], name)) for name in fields}


class TestSplit:
    def test_no_image_is_in_both_parts_and_the_choice_is_always_the_same(self, tmp_path: Path):
        folder = photographs(tmp_path / "many", 20)

        calibration, held_out = split([folder], most=10)

        assert (len(calibration), len(held_out.paths)) == (10, 4)
        assert not set(calibration) & set(held_out.paths)
        again = split([folder], most=10)
        assert (again[0], again[1].paths) == (calibration, held_out.paths)

    def test_several_folders_are_one_and_none_counts_twice(self, tmp_path: Path):
        first, second = (photographs(tmp_path / name, count) for name, count in (("a", 6), ("b", 4)))

        calibration, held_out = split([first, second, tmp_path / "b" / ".." / "a"], most=100)

        assert (len(calibration), len(held_out.paths)) == (8, 2)
        assert {path.resolve() for path in (*calibration, *held_out.paths)} == {
            path.resolve() for folder in (first, second) for path in folder.iterdir()
        }
        assert held_out.name.startswith(f"held out of {first}, {second}, ")

    def test_a_single_photograph_is_not_enough(
        self, export: Export, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        folder = photographs(tmp_path / "one", 1)

        assert export("--int8", "--calibration", folder) == EXIT_USAGE
        assert "holds one image" in capsys.readouterr().err
