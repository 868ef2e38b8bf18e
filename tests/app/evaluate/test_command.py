"""`eval` from its command line to its tables and files, on a data set that is small and known.

Most runs use a predictor that knows the labels, because then the figures are known too; some use a real
network.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from app.cli import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, main
from model.options import DetectOptions
from tests.small_data_set import CONFIG, Oracle, untrained_weights, write_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return untrained_weights(tmp_path)


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts the oracle, with these attributes, in the place of the network."""

    def install(**attributes: Any) -> None:
        def load(score_threshold: float, nms: str, **_: Any) -> Oracle:
            return Oracle(DetectOptions(score_threshold=score_threshold, nms=nms), **attributes)

        monkeypatch.setattr("app.evaluate.run.load_predictor", load)

    install()
    return install


def evaluate(data: Path, *arguments: object) -> int:
    return main(["eval", "--data", str(data), "--resamples", "20", *map(str, arguments)])


def metrics_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "metrics.json").read_text()))


@pytest.mark.usefixtures("oracle")
class TestFigures:
    def test_one_who_knows_the_labels_scores_a_hundred_in_a_plain_table(
        self, data: Path, capsys: pytest.CaptureFixture[str]
    ):
        assert evaluate(data) == EXIT_OK

        out = capsys.readouterr().out
        lines = {" ".join(line.split()[:-2]): line.split()[-2:] for line in out.splitlines() if line}
        assert lines["AP"] == lines["AP50"] == lines["AP70"] == lines["AP75"] == ["100.0", "100.0"]
        assert lines["AP small"] == lines["AP50 large"] == ["-", "-"]
        assert " ".join(out.split()).count("95% interval 100.0 to 100.0 100.0 to 100.0") == 1
        assert "dog" in out
        assert "images/s end to end" in out
        assert not set("│┃━\x1b") & set(out)

    def test_large_objects_have_an_ap50_with_an_interval_of_its_own(
        self, data: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        labels = json.loads(data.read_text())
        for dog in (record for record in labels["annotations"] if record["category_id"] == 4):
            dog["area"] = 100**2
        data.write_text(json.dumps(labels))

        evaluate(data, "--score-threshold", 0.5, "--weights", weights, "-o", tmp_path / "out")

        # one dog of two is found
        figures = metrics_of(tmp_path / "out")["runs"][0]["metrics"]["boxes"]
        assert figures["ap50_large"] == pytest.approx(51 / 101)
        interval = figures["ap50_large_interval"]
        assert interval["low"] < figures["ap50_large"] < interval["high"]
        rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        place = rows.index("AP50 large 50.5 50.5")
        both = f"{100 * interval['low']:.1f} to {100 * interval['high']:.1f}"
        assert rows[place + 1] == f"95% interval {both} {both}"
        assert rows[place - 2 : place] == ["AP50 small - -", "AP50 medium 100.0 100.0"]

    def test_all_scores_count_unless_a_threshold_is_asked_for(
        self, data: Path, weights: Path, tmp_path: Path
    ):
        evaluate(data, "--weights", weights, "-o", tmp_path / "all")
        evaluate(data, "--weights", weights, "-o", tmp_path / "high", "--score-threshold", 0.5)

        assert metrics_of(tmp_path / "all")["runs"][0]["metrics"]["boxes"]["ap50"] == pytest.approx(1)
        # of the dogs one in two: 51 of 101 recall points; of the cats all
        expected = (51 / 101 + 1) / 2
        assert metrics_of(tmp_path / "high")["runs"][0]["metrics"]["masks"]["ap50"] == pytest.approx(expected)

    def test_images_are_chosen_by_coverage(self, data: Path, weights: Path, tmp_path: Path):
        evaluate(
            data, "--weights", weights, "-o", tmp_path / "out", "--coverage", "all", "--score-threshold", 0.5
        )

        assert metrics_of(tmp_path / "out")["data"]["images"] == 3
        assert metrics_of(tmp_path / "out")["runs"][0]["metrics"]["boxes"]["ap"] == pytest.approx(1)

    def test_a_limit_leaves_the_first_images(self, data: Path, weights: Path, tmp_path: Path):
        evaluate(data, "--weights", weights, "-o", tmp_path / "out", "--limit", 2)

        counts = metrics_of(tmp_path / "out")["runs"][0]["metrics"]["boxes"]["per_class"]
        assert (counts["cat"]["objects"], counts["dog"]["objects"]) == (2, 1)

    def test_images_labelled_in_part_are_pointed_out(self, data: Path, capsys: pytest.CaptureFixture[str]):
        evaluate(data)
        evaluate(data, "--coverage", "all")

        assert capsys.readouterr().err.count("note: 1 of 4 images are labelled in part ('main cat')") == 1

    def test_images_without_an_object_of_the_classes_have_no_figures_and_a_note(
        self, data: Path, capsys: pytest.CaptureFixture[str], oracle: Callable[..., None]
    ):
        oracle(config=dataclasses.replace(CONFIG, class_names=("cat",)))
        labels = json.loads(data.read_text())
        labels["annotations"] = [a for a in labels["annotations"] if a["category_id"] == 4]  # the dogs
        data.write_text(json.dumps(labels))

        assert evaluate(data) == EXIT_OK

        said = capsys.readouterr()
        assert "no labelled object" in said.err
        assert "100.0" not in said.out


class TestFiles:
    def test_results_of_a_real_network_give_the_server_the_figures_that_were_reported(
        self, data: Path, weights: Path, tmp_path: Path
    ):
        out = tmp_path / "out"

        assert evaluate(data, "--weights", weights, "--device", "cpu", "-o", out) == EXIT_OK

        figures = metrics_of(out)["runs"][0]["metrics"]
        for kind, name in (("bbox", "boxes"), ("segm", "masks")):
            with contextlib.redirect_stdout(io.StringIO()):
                truth = COCO(str(data))
                judge = COCOeval(truth, truth.loadRes(str(out / f"results_{kind}.json")), kind)
                judge.evaluate()
                judge.accumulate()
                judge.summarize()
            assert figures[name]["ap"] == pytest.approx(judge.stats[0])
            assert figures[name]["ar100"] == pytest.approx(judge.stats[8])

    def test_metrics_name_weights_settings_and_versions(self, data: Path, weights: Path, tmp_path: Path):
        evaluate(data, "--weights", weights, "--device", "cpu", "--nms", "exact", "-o", tmp_path / "out")

        metrics = metrics_of(tmp_path / "out")
        assert metrics["weights"]["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
        assert metrics["weights"]["file"] == "untrained.pt"
        assert metrics["versions"]["torch"] == torch.__version__.partition("+")[0]
        settings = metrics["runs"][0]["settings"]
        assert (settings["nms"], settings["score_threshold"], settings["image_size"]) == ("exact", 0.0, 96)
        interval = metrics["runs"][0]["metrics"]["masks"]["ap50_interval"]
        assert interval["resamples"] == 20
        assert interval["low"] <= metrics["runs"][0]["metrics"]["masks"]["ap50"] <= interval["high"]

    @pytest.mark.usefixtures("oracle")
    def test_where_nothing_is_found_the_results_are_empty_lists(
        self, data: Path, weights: Path, tmp_path: Path
    ):
        out = tmp_path / "out"

        assert evaluate(data, "--score-threshold", 1, "--weights", weights, "-o", out) == EXIT_OK

        assert json.loads((out / "results_segm.json").read_text()) == []
        assert metrics_of(out)["runs"][0]["metrics"]["masks"]["ap"] == 0


@pytest.mark.usefixtures("oracle")
class TestComparison:
    def test_each_value_has_a_row_and_results_of_its_own(
        self, data: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        out = tmp_path / "out"

        evaluate(data, "--compare", "score-threshold=0,0.5,1", "--weights", weights, "-o", out)

        rows = {r.split()[0]: r.split()[1:] for r in capsys.readouterr().out.splitlines() if "=" in r}
        assert {name: cells[0] for name, cells in rows.items()} == {
            "score_threshold=0.0": "100.0",
            "score_threshold=0.5": "75.2",
            "score_threshold=1.0": "0.0",
        }
        assert [run["label"] for run in metrics_of(out)["runs"]] == list(rows)
        counts = [len(json.loads((out / name / "results_bbox.json").read_text())) for name in rows]
        assert counts == [4, 3, 0]

    def test_the_time_of_a_frame_is_that_of_the_predictor(
        self, data: Path, weights: Path, tmp_path: Path, oracle: Callable[..., None]
    ):
        oracle(delay=0.02)

        evaluate(data, "--compare", "nms=fast,exact", "--weights", weights, "-o", tmp_path / "out")

        for run in metrics_of(tmp_path / "out")["runs"]:
            assert run["milliseconds"] >= 20
            assert 0 < run["images_per_second"] <= 50

    @pytest.mark.parametrize(
        "choice",
        ["nms=fast", "nms=fast,quick", "nms=fast,fast", "colour=1,2", "image_size=400,x", "nms", "device=,"],
    )
    def test_a_comparison_that_makes_no_sense_is_wrong_usage(self, data: Path, choice: str):
        with pytest.raises(SystemExit) as end:
            evaluate(data, "--compare", choice)

        assert end.value.code == EXIT_USAGE

    def test_an_interruption_ends_with_its_own_code(self, data: Path, oracle: Callable[..., None]):
        oracle(stop_at=100)

        assert evaluate(data) == EXIT_INTERRUPTED


@pytest.mark.usefixtures("oracle")
class TestFaults:
    def test_a_broken_image_is_named(self, data: Path, capsys: pytest.CaptureFixture[str]):
        (data.parent / "images" / "100.png").write_bytes(b"no image")

        assert evaluate(data) == EXIT_FAILED

        assert "100.png" in capsys.readouterr().err

    def test_a_broken_image_that_is_skipped_counts_as_one_where_nothing_was_found(
        self, data: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        (data.parent / "images" / "100.png").unlink()

        assert evaluate(data, "--skip-broken", "--weights", weights, "-o", tmp_path / "out") == EXIT_OK

        assert "skipped: " in capsys.readouterr().err
        run = metrics_of(tmp_path / "out")["runs"][0]
        assert "100.png" in run["skipped"][0]
        assert run["metrics"]["boxes"]["per_class"]["cat"]["ap"] == pytest.approx(51 / 101)

    def test_images_of_which_none_can_be_read_are_an_error(self, data: Path, tmp_path: Path):
        (tmp_path / "empty").mkdir()

        assert evaluate(data, "--skip-broken", "--images", tmp_path / "empty") == EXIT_FAILED

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (["--coverage", "none"], EXIT_USAGE, "'all', 'main cat'"),
            (["--images", "absent"], EXIT_FAILED, "none of its 4 images was found in absent"),
            (["--data", "absent.json"], EXIT_FAILED, "absent.json: cannot be read"),
        ],
    )
    def test_a_wrong_choice_of_data_is_explained(
        self, data: Path, arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
    ):
        assert evaluate(data, *arguments) == code
        assert said in capsys.readouterr().err

    def test_labels_of_other_classes_are_wrong_usage(
        self, data: Path, oracle: Callable[..., None], capsys: pytest.CaptureFixture[str]
    ):
        oracle(config=dataclasses.replace(CONFIG, class_names=("bird",)))

        assert evaluate(data) == EXIT_USAGE
        assert "know bird, the data set is labelled for dog, cat" in capsys.readouterr().err

    def test_classes_without_labels_are_said_in_one_line(
        self, data: Path, oracle: Callable[..., None], capsys: pytest.CaptureFixture[str]
    ):
        oracle(config=dataclasses.replace(CONFIG, class_names=("cat", "dog", "bird", "cow")))

        assert evaluate(data) == EXIT_OK
        assert "note: not labelled, so not measured: bird, cow\n" in capsys.readouterr().err

    def test_a_file_in_the_way_of_the_report_is_told_before_the_work(
        self, data: Path, oracle: Callable[..., None], capsys: pytest.CaptureFixture[str]
    ):
        oracle(stop_at=50)

        assert evaluate(data, "-o", data) == EXIT_FAILED
        assert "labels.json: cannot be made a folder" in capsys.readouterr().err


def test_absent_weights_are_named(data: Path, capsys: pytest.CaptureFixture[str]):
    assert evaluate(data, "--weights", "absent.pt") == EXIT_FAILED
    assert "absent.pt" in capsys.readouterr().err


@pytest.mark.usefixtures("oracle")
def test_objects_without_a_mask_are_told_since_no_mask_is_then_measured(
    data: Path, capsys: pytest.CaptureFixture[str]
):
    content = json.loads(data.read_text())
    del content["annotations"][0]["segmentation"]
    data.write_text(json.dumps(content))

    assert evaluate(data) == EXIT_OK
    assert "1 of 4 objects have no mask, so masks are not measured" in capsys.readouterr().err


@pytest.mark.usefixtures("oracle")
def test_a_folder_and_the_layout_of_coco_are_measured_too(data: Path):
    assert evaluate(data.parent) == EXIT_OK

    (data.parent / "annotations").mkdir()
    moved = data.rename(data.parent / "annotations" / "instances_val2017.json")
    (data.parent / "images").rename(data.parent / "val2017")
    assert evaluate(moved) == EXIT_OK


@pytest.mark.usefixtures("oracle")
class TestWhatIsShown:
    """Of four objects the dog of image 200 scores 0.2, the others 0.9; that image says nothing of dogs."""

    def test_matches_and_finds_are_counted_at_the_weights_own_thresholds_while_ap_takes_all_scores(
        self, data: Path, weights: Path, tmp_path: Path, oracle: Callable[..., None]
    ):
        everything_labelled(data)
        detection = dataclasses.replace(CONFIG.detection, class_thresholds=(0.1, 0.5))
        oracle(config=dataclasses.replace(CONFIG, detection=detection))

        evaluate(data, "--weights", weights, "-o", tmp_path / "out")

        run = metrics_of(tmp_path / "out")["runs"][0]
        assert run["metrics"]["masks"]["ap50"] == pytest.approx(1)
        point = run["operating_point"]
        assert point["kind"] == "mask"
        assert point["all"]["threshold"] is None
        cat, dog = point["per_class"]["cat"], point["per_class"]["dog"]
        assert (cat["threshold"], cat["detections"], cat["matches"], cat["recall"]) == (0.1, 2, 2, 1.0)
        assert (dog["threshold"], dog["detections"], dog["matches"], dog["recall"]) == (0.5, 1, 1, 0.5)

    @pytest.mark.parametrize(
        ("arguments", "found", "ap50"),
        [
            (("--at", 0.1), 2, 1.0),
            (("--at", 0.95), 0, 1.0),
            (("--score-threshold", 0.5), 1, 51 / 101),
            (("--score-threshold", 0.5, "--at", 0.95), 0, 51 / 101),
        ],
    )
    def test_another_threshold_can_be_asked_for(
        self,
        data: Path,
        weights: Path,
        tmp_path: Path,
        arguments: tuple[object, ...],
        found: int,
        ap50: float,
    ):
        everything_labelled(data)

        evaluate(data, "--weights", weights, "-o", tmp_path / "out", *arguments)

        run = metrics_of(tmp_path / "out")["runs"][0]
        assert run["operating_point"]["per_class"]["dog"]["matches"] == found
        assert run["metrics"]["masks"]["per_class"]["dog"]["ap50"] == pytest.approx(ap50)

    def test_a_phantom_is_what_is_found_where_nothing_is_labelled(
        self, data: Path, capsys: pytest.CaptureFixture[str]
    ):
        everything_labelled(data)
        content = json.loads(data.read_text())
        content["annotations"] = [a for a in content["annotations"] if a["image_id"] != 100]  # a cat
        data.write_text(json.dumps(content))

        assert evaluate(data) == EXIT_OK

        rows = [line.split() for line in capsys.readouterr().out.splitlines()]
        # threshold, detections, matches, precision, objects, recall, F1, images without, phantoms
        shown = {row[0]: row[1:] for row in rows if len(row) == 11 and row[0] in ("all", "cat", "dog")}
        assert shown["cat"] == ["0.30", "2", "1", "50.0", "1", "100.0", "66.7", "3", "1", "33.3"]
        assert shown["dog"] == ["0.30", "1", "1", "100.0", "2", "50.0", "66.7", "2", "0", "0.0"]
        assert shown["all"] == ["0.30", "3", "2", "66.7", "3", "66.7", "66.7", "4", "1", "25.0"]

    def test_the_reliability_of_scores_is_told(
        self, data: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        everything_labelled(data)

        evaluate(data, "--weights", weights, "-o", tmp_path / "out")

        told = metrics_of(tmp_path / "out")["runs"][0]["reliability"]
        # three match at 0.9, one at 0.2
        assert told["expected_error"] == pytest.approx((3 * 0.1 + 0.8) / 4)
        assert (told["bins"][9]["detections"], told["bins"][9]["match"]) == (3, 1.0)
        assert "expected calibration error 27.5" in capsys.readouterr().out

    def test_of_many_classes_people_alone_are_listed_unless_all_are_asked_for(
        self, data: Path, oracle: Callable[..., None], capsys: pytest.CaptureFixture[str]
    ):
        content = json.loads(data.read_text())
        names = ["cat", "dog", "person", *(f"thing {i}" for i in range(9))]
        content["categories"] += [{"id": 100 + i, "name": name} for i, name in enumerate(names[2:])]
        data.write_text(json.dumps(content))
        oracle(config=dataclasses.replace(CONFIG, class_names=tuple(names)))

        assert evaluate(data) == EXIT_OK
        told = capsys.readouterr().out
        assert (told.count("\nperson "), told.count("\ncat ")) == (2, 0)

        assert evaluate(data, "--by-class") == EXIT_OK
        assert capsys.readouterr().out.count("\ncat ") == 2

    def test_a_comparison_tells_precision_recall_and_phantoms_too(
        self, data: Path, capsys: pytest.CaptureFixture[str]
    ):
        everything_labelled(data)

        evaluate(data, "--compare", "score_threshold=0.1,0.5")

        lines = capsys.readouterr().out.splitlines()
        assert lines[1].split()[-5:] == ["precision", "recall", "phantoms", "ms", "img/s"]
        rows = {line.split()[0]: line.split()[-5:-2] for line in lines if line.startswith("score_threshold=")}
        assert rows == {
            "score_threshold=0.1": ["100.0", "100.0", "0"],
            "score_threshold=0.5": ["100.0", "75.0", "0"],
        }


def everything_labelled(data: Path) -> None:
    """Says that no object is missing in any image."""
    content = json.loads(data.read_text())
    for image in content["images"]:
        image["coverage"] = "all"
    data.write_text(json.dumps(content))


def test_a_class_that_the_weights_do_not_know_is_told_with_the_nearest_name(
    data: Path, weights: Path, capsys: pytest.CaptureFixture[str]
):
    assert evaluate(data, "--weights", weights, "--device", "cpu", "--classes", "dogg") == EXIT_USAGE
    assert "the weights know no class 'dogg'; did you mean 'dog'?" in capsys.readouterr().err
