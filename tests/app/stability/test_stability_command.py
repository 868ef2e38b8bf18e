"""`stability` from its command line to its table, its figures and its page, on a scene that is known."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.cli import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, main
from model.config import DEFAULT_THRESHOLD
from model.detections import Detections, MaskCrop, no_detections
from tests.clips import write_clip
from tests.moving_scene import FRAMES, HEIGHT, SIDE, WIDTH, corner, frame, write_frames, write_masks
from tests.moving_scene import write_sequence as write_scene

CLASSES = ("block",)


class _Config(NamedTuple):
    name: str = "stand-in"
    image_size: int = 64


CONFIG = _Config()


@dataclasses.dataclass
class KnowsTheBlock:
    """Gives the block's own mask, from the first frame on; in every `blink`th one none, 0 for always one."""

    blink: int = 0
    score_threshold: float = 0.3
    class_names: tuple[str, ...] = CLASSES
    choice: None = None
    config: _Config = CONFIG
    seen: int = 0

    def __call__(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        return [self._look() for _ in frames]

    def _look(self) -> Detections:
        x, y = corner(self.seen)
        self.seen += 1
        if self.blink and self.seen % self.blink == 0:
            return no_detections((HEIGHT, WIDTH), self.class_names)
        score = np.array([0.9], np.float32)
        return Detections(
            image_size=(HEIGHT, WIDTH),
            boxes=np.array([[x, y, x + SIDE, y + SIDE]], np.float32),
            scores=score,
            classes=np.zeros(1, np.int64),
            class_names=self.class_names,
            crops=(MaskCrop(x, y, np.ones((SIDE, SIDE), bool)),),
            box_scores=score,
        )


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "sliding")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "report"


def stand_in(monkeypatch: pytest.MonkeyPatch, blink: int = 0) -> None:
    """Puts a fresh one that knows the block in the place of every network."""
    monkeypatch.setattr(
        "app.predictors.load_instance_predictor",
        lambda weights, **_: KnowsTheBlock(blink),
    )


def stability(*arguments: object) -> int:
    return main(["stability", *map(str, arguments)])


def record(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "report.json").read_text()))


def summary(out: Path, number: int = 0) -> dict[str, Any]:
    return dict(record(out)["runs"][number]["summary"])


class Page(HTMLParser):
    """What a test asks of a page: every tag with its attributes, and the text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def test_a_network_that_is_always_right_is_still_and_costs_nothing(
    sequence: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    stand_in(monkeypatch)

    assert stability(sequence, "-o", out) == EXIT_OK

    told = summary(out)
    assert told["frames"] == FRAMES
    assert (told["missing"], told["id_changes"], told["class_changes"]) == (0, 0, 0)
    assert told["coverage"] == 1
    assert told["iou"] == 1
    assert told["excess"] == 0
    assert told["jitter"] < 0.05
    assert "sliding, off" in capsys.readouterr().out


def test_a_network_that_blinks_is_told_to(sequence: Path, out: Path, monkeypatch: pytest.MonkeyPatch):
    stand_in(monkeypatch, blink=4)

    assert stability(sequence, "-o", out) == EXIT_OK

    told = summary(out)
    assert (told["missing"], told["gaps"]) == (2, 2)
    assert told["coverage"] == 0.8
    assert [one["frame"] for one in record(out)["runs"][0]["worst"]] == [4, 8]
    assert "back after 1 frame without a mask" in (out / "report.html").read_text()


def test_a_network_that_finds_nothing_has_failed_and_is_no_less_reported(
    sequence: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    stand_in(monkeypatch, blink=1)

    assert stability(sequence, "-o", out) == EXIT_FAILED

    told = summary(out)
    assert told["failed"]
    assert not told["stability"]
    assert "note: sliding, off: " in capsys.readouterr().out
    assert "no stability to speak of" in Page(out / "report.html").text


def test_shaken_ground_truth_is_measured_under_every_strength(
    sequence: Path, out: Path, capsys: pytest.CaptureFixture[str]
):
    assert (
        stability(sequence, "--jitter", 3, "--stabilise", "off,light", "--stabilise", "strong", "-o", out)
        == 0
    )

    runs = record(out)["runs"]
    assert [run["setting"]["stabilise"] for run in runs] == ["off", "light", "strong"]
    assert all(run["setting"]["jitter"]["seed"] == 3 for run in runs)
    assert runs[0]["summary"]["excess"] > 0.01
    assert runs[0]["summary"]["iou"] < 1
    told = capsys.readouterr().out
    assert "against 'off'" in told
    assert "sliding, strong" in told


def test_shaken_ground_truth_that_brings_no_thresholds_is_shown_over_the_default_one(
    sequence: Path, tmp_path: Path
):
    for name, threshold in (("usual", ()), ("given", ("--score-threshold", DEFAULT_THRESHOLD))):
        assert stability(sequence, "--jitter", 3, *threshold, "-o", tmp_path / name) == EXIT_OK

    assert record(tmp_path / "usual")["runs"] == record(tmp_path / "given")["runs"]
    assert record(tmp_path / "usual")["runs"][0]["setting"]["score_threshold"] == DEFAULT_THRESHOLD


def test_the_same_command_gives_the_same_bytes_twice(sequence: Path, tmp_path: Path):
    for name in ("one", "two"):
        assert (
            stability(sequence, "--jitter", 1, "--stabilise", "off,light", "-o", tmp_path / name) == EXIT_OK
        )

    for name in ("report.json", "report.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("page")
    hostile = write_scene(folder / "<b>&'quoted'")
    out = folder / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIVEMASK_HOME", str(folder / "home"))
        assert stability(hostile, "--jitter", 1, "--stabilise", "off,light", "-o", out) == EXIT_OK
    return Page(out / "report.html")


class TestPage:
    def test_it_needs_nothing_from_anywhere_else(self, page: Page):
        assert not page.all("script")
        assert not page.all("link")
        addresses = [a.get(key) for _, a in page.tags for key in ("src", "href", "xlink:href") if key in a]
        assert all(a and (a.startswith(("data:", "#")) or a == "report.json") for a in addresses)

    def test_every_picture_and_plot_has_words(self, page: Page):
        pictures = page.all("img")
        plots = [attributes for _, attributes in page.tags if attributes.get("role") == "img"]
        assert pictures
        # over time, the trade-off and two timelines
        assert len(plots) == 4
        assert all(picture["alt"] for picture in pictures)
        assert all(plot["aria-label"] for plot in plots)

    def test_heads_of_tables_say_what_they_are_heads_of(self, page: Page):
        assert len(page.all("th")) > 20
        assert {head["scope"] for head in page.all("th")} == {"col", "row", "rowgroup"}

    def test_names_are_text_and_no_markup(self, page: Page):
        assert "<b>&'quoted'" in page.text
        assert not page.all("b")

    def test_no_name_within_it_is_given_twice(self, page: Page):
        names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(names) == len(set(names))

    def test_links_within_it_lead_somewhere(self, page: Page):
        names = {attributes.get("id") for _, attributes in page.tags}
        assert {(a["href"] or "")[1:] for a in page.all("a") if (a["href"] or "").startswith("#")} <= names


class TestInputs:
    def test_a_video_file_takes_masks_in_their_order(self, tmp_path: Path, out: Path):
        clip = write_video(tmp_path / "clip.mp4")
        masks = write_masks(tmp_path / "known")

        assert stability(clip, "--masks", masks, "--jitter", 1, "-o", out) == EXIT_OK

        assert summary(out)["objects"][0]["frames"] == FRAMES

    @pytest.mark.parametrize(
        ("count", "word"), [(FRAMES - 1, "more frames"), (FRAMES + 1, f"{FRAMES} frames")]
    )
    def test_a_video_with_another_number_of_frames_than_masks_fails(
        self,
        tmp_path: Path,
        out: Path,
        count: int,
        word: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ):
        stand_in(monkeypatch)
        clip = write_video(tmp_path / "clip.mp4")
        masks = write_masks(tmp_path / "known", count)

        assert stability(clip, "--masks", masks, "-o", out) == EXIT_FAILED

        assert word in capsys.readouterr().err
        assert not (out / "report.html").exists()

    def test_a_video_with_more_frames_than_masks_fails_as_such_where_the_masks_are_shaken(
        self, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
    ):
        clip = write_video(tmp_path / "clip.mp4")
        masks = write_masks(tmp_path / "known", FRAMES - 1)

        assert stability(clip, "--masks", masks, "--jitter", 1, "-o", out) == EXIT_FAILED

        assert "more frames; expected a mask for each" in capsys.readouterr().err

    def test_frames_and_masks_may_lie_apart(self, tmp_path: Path, out: Path):
        frames, masks = write_frames(tmp_path / "f"), write_masks(tmp_path / "m")

        assert stability(frames, "--masks", masks, "--jitter", 1, "-o", out) == EXIT_OK

        assert summary(out)["basis"] == "truth"

    def test_photographs_named_one_by_one_are_one_sequence(
        self, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
    ):
        stand_in(monkeypatch)
        frames = write_frames(tmp_path / "f")

        assert stability(*sorted(frames.iterdir()), "-o", out) == EXIT_OK

        assert [run["summary"]["frames"] for run in record(out)["runs"]] == [FRAMES]

    def test_only_the_first_frames_are_measured_where_so_many_are_asked_for(self, sequence: Path, out: Path):
        assert stability(sequence, "--jitter", 1, "--max-frames", 4, "-o", out) == EXIT_OK

        assert summary(out)["frames"] == 4

    def test_a_video_of_one_frame_has_nothing_to_compare(
        self, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
    ):
        stand_in(monkeypatch)

        assert stability(write_frames(tmp_path / "f", 1), "-o", out) == EXIT_FAILED

        told = summary(out)
        assert told["stability"] is None
        assert told["jitter"] is None

    def test_the_others_are_measured_where_one_cannot_be(
        self, sequence: Path, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
    ):
        assert stability(sequence, tmp_path / "nowhere", "--jitter", 1, "-o", out) == EXIT_FAILED

        assert "nowhere: no such file" in capsys.readouterr().err
        assert record(out)["failures"]
        assert "nowhere" in Page(out / "report.html").text
        assert len(record(out)["runs"]) == 1

    def test_a_folder_of_photographs_of_different_sizes_is_told_before_any_work(
        self, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
    ):
        frames = write_frames(tmp_path / "f")
        cv2.imwrite(str(frames / "7.png"), frame(7)[:-2])

        assert stability(frames, "-o", out) == EXIT_FAILED

        assert f"7.png: {WIDTH} x {HEIGHT - 2} pixels" in capsys.readouterr().err
        assert not out.exists()


def write_video(path: Path) -> Path:
    write_clip(path, size=(WIDTH, HEIGHT), frames=FRAMES, picture=lambda number, *_: frame(number))
    return path


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--stabilise", "of"), "did you mean 'off'?"),
        (("--jitter", 1), "--jitter moves known masks"),
        (("--masks", "nowhere"), "no such folder"),
        (("--jitter", 1, "--weights", "x.pt"), "leave --weights out"),
        (("--jitter", 1, "--device", "cuda", "--top-k", 3), "leave --device, --top-k out"),
        (("0",), "--max-frames"),
        (("--top-k", 400), "at most 1 to 100"),
        (("",), "no name"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(
    arguments: tuple[object, ...], word: str, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
):
    frames = write_frames(tmp_path / "f", 2)

    assert stability(frames, *arguments, "-o", out) == EXIT_USAGE

    assert word in capsys.readouterr().err
    assert not out.exists()


def test_masks_of_several_inputs_are_wrong_usage(
    sequence: Path, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
):
    others = write_frames(tmp_path / "f", 2)

    assert stability(sequence, others, "--masks", sequence / "masks", "-o", out) == EXIT_USAGE

    assert "--masks are those of one input, got 2" in capsys.readouterr().err


def test_a_report_that_is_there_stays_unless_it_may_be_replaced(
    sequence: Path, out: Path, capsys: pytest.CaptureFixture[str]
):
    assert stability(sequence, "--jitter", 1, "-o", out) == EXIT_OK
    before = (out / "report.json").read_bytes()

    assert stability(sequence, "--jitter", 2, "-o", out) == EXIT_USAGE
    assert "use --overwrite" in capsys.readouterr().err
    assert (out / "report.json").read_bytes() == before

    assert stability(sequence, "--jitter", 2, "-o", out, "--overwrite") == EXIT_OK
    assert (out / "report.json").read_bytes() != before


def test_several_weights_are_measured_side_by_side(sequence: Path, out: Path, weights: Path, tmp_path: Path):
    other = tmp_path / "other.pt"
    other.write_bytes(weights.read_bytes())
    settings = ("--device", "cpu", "--engine", "torch", "--precision", "fp32", "--score-threshold", 0)
    settings = (*settings, "--top-k", 3, "--max-frames", 3, "--stabilise", "off,light", "-q")

    done = stability(sequence, "--weights", weights, "--weights", other, *settings, "-o", out)

    assert done == EXIT_FAILED  # what a network makes that never learned anything matches nothing
    runs = record(out)["runs"]
    assert [run["setting"]["label"] for run in runs] == [
        "tiny.pt, off", "tiny.pt, light", "other.pt, off", "other.pt, light",
    ]  # fmt: skip
    assert runs[0]["setting"]["weights"]["sha256"] == runs[2]["setting"]["weights"]["sha256"]
    assert runs[0]["setting"]["detection"]["engine"] == "torch"
    assert runs[0]["summary"] == runs[2]["summary"]


def test_what_was_measured_before_an_interruption_is_reported(
    sequence: Path, out: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    other = tmp_path / "other.pt"
    other.write_bytes(weights.read_bytes())

    def load(named: str, **_: object) -> KnowsTheBlock:
        if named == str(other):
            raise KeyboardInterrupt
        return KnowsTheBlock()

    monkeypatch.setattr("app.predictors.load_instance_predictor", load)

    assert stability(sequence, "--weights", weights, "--weights", other, "-o", out) == EXIT_INTERRUPTED

    assert [run["setting"]["label"] for run in record(out)["runs"]] == ["tiny.pt, off"]
