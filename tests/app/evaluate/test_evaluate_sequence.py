"""`eval` on a video sequence, from its command line to its table and file, on a sequence that is known.

A bright block moves over a dark ground; the predictor that stands for the network finds bright blocks.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from model.config import YolactConfig
from model.detections import Detections, MaskCrop, no_detections
from model.options import DetectOptions
from tests.small_data_set import CONFIG, ENGINE, NoEngine, untrained_weights

HEIGHT, WIDTH = 48, 64
SIDE = 16
STARTS = (0, 8, 16, 24)  # where the object's left edge is
SURE, UNSURE = 240, 120  # grey values that the predictor finds, with a high and a low score


@dataclasses.dataclass
class Bright:
    """Finds the box of everything bright, as one object, with its grey value as the score."""

    options: DetectOptions
    config: YolactConfig = CONFIG
    engine: NoEngine = ENGINE
    sharpen: None = None

    @property
    def score_threshold(self) -> float:
        return min(self.options.thresholds(self.config))

    def __call__(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        return [self._found(frame) for frame in frames]

    def _found(self, frame: NDArray[np.uint8]) -> Detections:
        rows, columns = np.nonzero(frame[..., 0] > UNSURE // 2)
        score = float(frame.max()) / 255 - 0.3
        if not len(rows) or score < self.score_threshold:
            return no_detections(frame.shape[:2], self.config.class_names)
        x, y = int(columns.min()), int(rows.min())
        right, bottom = int(columns.max()) + 1, int(rows.max()) + 1
        scores = np.array([score], np.float32)
        return Detections(
            image_size=frame.shape[:2],
            boxes=np.array([[x, y, right, bottom]], np.float32),
            scores=scores,
            classes=np.zeros(1, np.int64),
            class_names=self.config.class_names,
            crops=(MaskCrop(x, y, np.ones((bottom - y, right - x), bool)),),
            box_scores=scores,
        )


def picture(left: int, value: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """A block of this grey value on black, `SIDE` pixels each way, from `left` on."""
    image = Image.new("L", size)
    image.paste(value, (left, 0, left + SIDE, SIDE))
    return image


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """Four frames, in which the object moves by half its width; numbers without leading zeros."""
    folder = tmp_path / "sliding"
    for name in ("frames", "masks"):
        (folder / name).mkdir(parents=True)
    for number, left in zip((1, 2, 9, 10), STARTS, strict=True):
        picture(left, SURE).save(folder / "frames" / f"{number}.png")
        picture(left, 255).save(folder / "masks" / f"{number}.png")
    return folder


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return untrained_weights(tmp_path)


@pytest.fixture
def bright(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the finder of bright things in the place of the network."""
    monkeypatch.setattr(
        "app.evaluate.run.load_predictor", lambda score_threshold, **_: Bright(DetectOptions(score_threshold))
    )


def evaluate(data: Path, *arguments: object) -> int:
    return main(["eval", "--data", str(data), *map(str, arguments)])


def run_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "metrics.json").read_text())["runs"][0])


@pytest.mark.usefixtures("bright")
class TestFigures:
    def test_one_who_finds_the_object_in_every_frame_scores_a_hundred(
        self, sequence: Path, capsys: pytest.CaptureFixture[str]
    ):
        assert evaluate(sequence) == EXIT_OK

        told = capsys.readouterr()
        lines = [" ".join(line.split()) for line in told.out.splitlines()]
        assert lines[0].endswith("on sliding, 4 frames")
        assert {"mean IoU (all frames) 100.0", "median IoU 100.0", "misses 0 of 4"} <= set(lines)
        assert "frames with IoU > 0.5 100.0" in lines
        assert {"J mean of DAVIS 100.0", "J recall of DAVIS 100.0"} <= set(lines)
        assert "without the first and the last frame" in told.out
        assert "images/s end to end" in lines[-1]
        assert told.err == ""

    def test_every_frame_is_told_in_the_order_of_its_number(
        self, sequence: Path, weights: Path, tmp_path: Path
    ):
        Image.new("L", (WIDTH, HEIGHT)).save(sequence / "frames" / "2.png")  # the object is not seen
        picture(STARTS[3] + 8, 1).save(sequence / "masks" / "10.png")  # an index, and half of it found

        assert evaluate(sequence, "--weights", weights, "-o", tmp_path / "out") == EXIT_OK

        # the block of frame 9 is a whole width away from the last match, that of frame 1
        run = run_of(tmp_path / "out")
        assert list(run["by_frame"]) == ["1.png", "2.png", "9.png", "10.png"]
        assert [f["iou"] for f in run["by_frame"].values()] == [1, 0, 0, 0]
        assert run["figures"] == {
            "mean_iou": 0.25, "median_iou": 0, "recall": 0.25, "misses": 3, "frames": 4,
            "davis_mean_iou": 0, "davis_recall": 0,
        }  # fmt: skip

    def test_the_grade_of_overlap_counts_and_any_value_but_zero_is_the_object(
        self, sequence: Path, weights: Path, tmp_path: Path
    ):
        picture(STARTS[3] + 8, 1).save(sequence / "masks" / "10.png")

        evaluate(sequence, "--weights", weights, "-o", tmp_path / "out")

        figures = run_of(tmp_path / "out")["by_frame"]["10.png"]
        assert figures["iou"] == pytest.approx(1 / 3)
        assert figures["class_name"] == CONFIG.class_names[0]

    def test_a_limit_leaves_the_first_frames_and_the_rest_is_not_looked_at(
        self, sequence: Path, weights: Path, tmp_path: Path
    ):
        (sequence / "masks" / "10.png").unlink()

        evaluate(sequence, "--weights", weights, "-o", tmp_path / "out", "--limit", 3)

        assert list(run_of(tmp_path / "out")["by_frame"]) == ["1.png", "2.png", "9.png"]

    def test_what_scores_low_counts_only_when_a_lower_threshold_is_asked_for(
        self, sequence: Path, weights: Path, tmp_path: Path
    ):
        for number, left in zip((1, 2, 9, 10), STARTS, strict=True):
            picture(left, UNSURE).save(sequence / "frames" / f"{number}.png")

        for threshold in ((), ("--score-threshold", 0)):
            evaluate(sequence, "--weights", weights, "-o", tmp_path / f"out{len(threshold)}", *threshold)

        usual, lower = run_of(tmp_path / "out0"), run_of(tmp_path / "out2")
        assert (usual["settings"]["score_threshold"], usual["figures"]["misses"]) == (None, 4)
        assert (lower["settings"]["score_threshold"], lower["figures"]["mean_iou"]) == (0, 1)

    def test_the_object_is_the_one_that_the_first_mask_shows(
        self, sequence: Path, capsys: pytest.CaptureFixture[str]
    ):
        picture(WIDTH - SIDE, 255).save(sequence / "masks" / "1.png")

        assert evaluate(sequence) == EXIT_OK
        assert "misses                 4 of 4" in capsys.readouterr().out


@pytest.mark.usefixtures("bright")
class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--coverage", "all"], "--coverage"),
            (["--source", "me", "--images", "folder"], "--images, --source"),
            (["--compare", "nms=fast,exact"], "--compare"),
            (["--skip-broken", "--resamples", "0"], "--skip-broken, --resamples"),
        ],
    )
    def test_options_that_make_no_sense_are_refused(
        self, sequence: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
    ):
        assert evaluate(sequence, *arguments) == EXIT_USAGE
        assert f"is a video sequence, for which {said} makes no sense" in capsys.readouterr().err

    def fails(self, sequence: Path, capsys: pytest.CaptureFixture[str]) -> str:
        assert evaluate(sequence, "-o", sequence / "out") == EXIT_FAILED
        assert not (sequence / "out" / "metrics.json").exists()
        return capsys.readouterr().err

    def test_a_frame_without_a_mask(self, sequence: Path, capsys: pytest.CaptureFixture[str]):
        (sequence / "masks" / "9.png").unlink()

        assert "1 of 4 frames have no mask, first 9.png" in self.fails(sequence, capsys)
        assert not (sequence / "out").exists()

    @pytest.mark.parametrize("kind", ["frames", "masks"])
    def test_a_frame_or_a_mask_of_another_size(
        self, sequence: Path, kind: str, capsys: pytest.CaptureFixture[str]
    ):
        picture(0, 255, (HEIGHT, WIDTH)).save(sequence / kind / "2.png")

        told = self.fails(sequence, capsys)
        assert "2.png: 48 x 64 pixels, expected the 64 x 48 of 1.png" in told

    def test_no_frames(self, sequence: Path, capsys: pytest.CaptureFixture[str]):
        for frame in (sequence / "frames").iterdir():
            frame.unlink()
        assert "frames/NAME.jpg and masks/NAME.png" in self.fails(sequence, capsys)

        (sequence / "frames" / "film.mp4").touch()
        assert "frames: holds no image" in self.fails(sequence, capsys)

    def test_two_frames_of_one_mask(self, sequence: Path, capsys: pytest.CaptureFixture[str]):
        picture(0, SURE).save(sequence / "frames" / "9.jpg")

        assert "2 frames are named '9'" in self.fails(sequence, capsys)

    def test_a_mask_in_colour(self, sequence: Path, capsys: pytest.CaptureFixture[str]):
        picture(0, 255).convert("RGB").save(sequence / "masks" / "2.png")

        assert "2.png: mask of mode RGB where one channel is expected" in self.fails(sequence, capsys)

    def test_masks_that_show_nothing(self, sequence: Path, capsys: pytest.CaptureFixture[str]):
        for mask in (sequence / "masks").iterdir():
            Image.new("L", (WIDTH, HEIGHT)).save(mask)

        assert "no mask shows an object" in self.fails(sequence, capsys)

    @pytest.mark.parametrize(("kind", "kept"), [("frames", 0), ("frames", 60), ("masks", 0), ("masks", 60)])
    def test_a_broken_image_is_named(
        self, sequence: Path, kind: str, kept: int, capsys: pytest.CaptureFixture[str]
    ):
        path = sequence / kind / "9.png"
        path.write_bytes(path.read_bytes()[:kept])

        assert str(path) in self.fails(sequence, capsys)


def test_a_real_network_is_measured_too(sequence: Path, weights: Path, tmp_path: Path):
    settings = ("--device", "cpu", "--score-threshold", 0)
    assert evaluate(sequence, "--weights", weights, "-o", tmp_path / "out", *settings) == EXIT_OK

    run = run_of(tmp_path / "out")
    assert 0 <= run["figures"]["mean_iou"] <= 1
    assert run["settings"]["engine"] == "torch"
