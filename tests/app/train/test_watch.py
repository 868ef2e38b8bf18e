import io

import numpy as np
import pytest
import torch
from PIL import Image

from app.train.settings import Settings
from app.train.validation import PREVIEW_SIDE, contact_sheet, load_validation
from app.train.watch import ProgressLine, fitness
from model.network.yolact import build_yolact
from model.training.watcher import StepReport
from tests.shapes_data import CLASSES, write_shapes
from tests.tiny_data import coco_json, edit_json, save_image

LOSSES = {"box": 1.0, "cls": 2.0, "mask": 4.0, "semantic": 0.5, "mask_iou": 0.0}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def steps(line: ProgressLine, iterations: range, **losses: float) -> None:
    for iteration in iterations:
        line.step(StepReport(iteration, LOSSES | losses, 1e-3, 16, 0.1, 0.0))


def test_off_a_terminal_a_line_comes_every_twenty_iterations_and_at_the_end():
    stream = io.StringIO()
    steps(ProgressLine(50, stream), range(50))
    lines = stream.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == ["20/50", "40/50", "50/50"]
    assert "box 1.000 cls 2.000 mask 4.000 semantic 0.500  rate 0.001 " in lines[0]
    assert "mask_iou" not in lines[0]


def test_losses_are_averages_since_the_last_line():
    stream = io.StringIO()
    line = ProgressLine(40, stream)
    steps(line, range(10), box=1.0)
    steps(line, range(10, 20), box=3.0)
    steps(line, range(20, 40), box=5.0)
    assert [text.split()[2] for text in stream.getvalue().splitlines()] == ["2.000", "5.000"]


def test_a_loss_that_not_every_iteration_has_is_averaged_over_those_that_have_it():
    stream = io.StringIO()
    line = ProgressLine(20, stream)
    for iteration in range(20):
        losses = {"mask": 1.0} if iteration % 4 else {"score": 0.25 if iteration % 8 else 0.75}
        line.step(StepReport(iteration, losses, 1e-3, 16, 0.1, 0.0))
    assert "20/20  mask 1.000 score 0.550  rate 0.001" in stream.getvalue()


def test_speed_and_the_time_that_is_left_leave_measurements_out(monkeypatch):
    now = 100.0
    monkeypatch.setattr("app.train.watch.time.perf_counter", lambda: now)
    stream = io.StringIO()
    line = ProgressLine(3620, stream)
    now += 1000.0
    line.restart_clock()
    now += 40.0
    steps(line, range(20))
    # 20 iterations of 16 images in 40 s, and 3600 to go
    assert "8.0 images/s  2:00:00 left" in stream.getvalue()


def test_on_a_terminal_one_line_is_rewritten_and_texts_stay_above_it(monkeypatch):
    monkeypatch.setattr("app.train.watch.SECONDS_A_REFRESH", 0.0)
    stream = Terminal()
    line = ProgressLine(5, stream)
    steps(line, range(2))
    line.say("look at this")
    steps(line, range(2, 3))
    line.close()
    line.close()
    shown = stream.getvalue().split("\r\x1b[K")
    assert [part.split()[0] for part in shown[1:]] == ["1/5", "2/5", "look", "3/5"]
    assert "look at this\n" in shown
    assert shown[-1].endswith("left\n")
    assert stream.getvalue().count("\n") == 2


def test_boxes_count_while_no_mask_is_good_enough():
    none = {"box/ap": 0.0, "box/ap50": 0.0, "mask/ap": 0.0, "mask/ap50": 0.0}
    assert fitness(none) == 0
    assert fitness(none | {"box/ap": 0.1}) == pytest.approx(0.09)
    assert fitness({"box/ap": 0.5, "box/ap50": 1.0}) == pytest.approx(0.55)
    assert fitness({}) is None


def test_pictures_of_any_shape_share_a_sheet_without_being_distorted():
    wide = np.full((100, 200, 3), 10, np.uint8)
    tall = np.full((50, 10, 3), 200, np.uint8)
    sheet = contact_sheet([wide, tall] + [wide] * 3)
    side = PREVIEW_SIDE
    assert sheet.shape == (2 * side, 4 * side, 3)
    assert (sheet[: side // 2, :side] == 10).all()
    assert (sheet[side // 2 : side, :side] == 96).all()
    assert (sheet[:side, side : side + 64] == 200).all()
    assert (sheet[side : side + side // 2, :side] == 10).all()


@pytest.fixture
def settings(tmp_path):
    val = write_shapes(tmp_path / "val", images=3, side=64)
    return Settings("livemask_n", ["unused"], val=str(val), image_size=64)


def validation(settings, tmp_path):
    return load_validation(settings, settings.network_config(CLASSES), tmp_path, torch.device("cpu"))


def test_an_image_that_breaks_as_the_run_goes_is_told_and_costs_no_more_than_its_objects(settings, tmp_path):
    measure = validation(settings, tmp_path)
    (tmp_path / "val" / "images" / "shapes_2.png").write_bytes(b"no longer an image")
    told: list[str] = []
    figures = measure(build_yolact(settings.network_config(CLASSES)).eval(), 7, told.append)
    assert len(told) == 1
    assert "shapes_2.png" in told[0]
    assert {"box/ap50", "mask/ap50"} <= figures.keys()
    assert (tmp_path / "previews" / "iteration_0000007.jpg").exists()


def test_labels_without_masks_are_measured_by_their_boxes(settings, tmp_path):
    edit_json(
        tmp_path / "val" / "labels.json",
        lambda content: [annotation.update(segmentation=[]) for annotation in content["annotations"]],
    )
    network = build_yolact(settings.network_config(CLASSES)).eval()
    figures = validation(settings, tmp_path)(network, 1, [].append)
    assert "box/ap50" in figures
    assert not any(name.startswith("mask/") for name in figures)


def test_labels_of_an_image_as_stored_that_is_shown_turned_are_taken(tmp_path):
    val = coco_json(tmp_path, {"a.jpg": [(4, 4, 30, 30)]}, categories=CLASSES)
    exif = Image.Exif()
    exif[0x0112] = 6
    save_image(tmp_path / "images" / "a.jpg", np.zeros((48, 64, 3), np.uint8), exif=exif)
    validation(Settings("livemask_n", ["unused"], val=str(val)), tmp_path)
