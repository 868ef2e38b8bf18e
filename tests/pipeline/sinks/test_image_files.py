"""Each frame as an image file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from model.errors import ConfigError, SinkError
from pipeline.frame import Result
from pipeline.sinks.image_files import ImagesSink
from tests.pipeline.sinks.recordings import fill, info, left_in, numbered


def named(name: str) -> Result:
    one = next(numbered([0]))
    return replace(one, frame=replace(one.frame, name=name))


def test_frames_of_a_video_are_called_after_it_and_their_numbers(tmp_path: Path) -> None:
    report = fill(ImagesSink(tmp_path / "o"), info(Path("in/my clip.mp4")), numbered([0, 40, 80]))
    assert left_in(tmp_path / "o") == [f"my clip_00000{i}.jpg" for i in range(3)]
    assert report.path == tmp_path / "o"
    assert report.summary == "3 frames, 0.000 to 0.080 s"
    assert report.whole


def test_frames_of_a_camera_are_frames(tmp_path: Path) -> None:
    fill(ImagesSink(tmp_path / "o"), info(live=True), numbered([0]))
    assert left_in(tmp_path / "o") == ["frame_000000.jpg"]


def test_the_times_of_a_live_source_count_from_its_first_frame(tmp_path: Path) -> None:
    report = fill(ImagesSink(tmp_path / "o"), info(live=True), numbered([9000, 9040]))
    assert report.summary == "2 frames, 0.000 to 0.040 s"


def test_a_png_holds_the_very_pixels(tmp_path: Path) -> None:
    one = next(numbered([0]))
    fill(ImagesSink(tmp_path / "o", ".png"), info(), [one])
    assert np.array_equal(cv2.imread(str(tmp_path / "o" / "frame_000000.png")), one.annotated)


def test_pictures_with_names_keep_them(tmp_path: Path) -> None:
    fill(ImagesSink(tmp_path / "o", ".png"), info(), [named("folder/a.b.jpg"), named("ü.png")])
    assert left_in(tmp_path / "o") == ["a.b.png", "ü.png"]


@pytest.mark.parametrize("name", ["..", "../..", "/", "...", " "])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    fill(ImagesSink(tmp_path / "o"), info(), [named(name)])
    assert left_in(tmp_path / "o") == ["frame_000000.jpg"]
    assert left_in(tmp_path) == ["o"]


def test_two_pictures_of_one_name_do_not_replace_each_other(tmp_path: Path) -> None:
    sink = ImagesSink(tmp_path / "o", overwrite=True)
    sink.open(info())
    sink.write(named("a.png"))
    with pytest.raises(SinkError, match=r"a\.jpg: two frames of this source have this name"):
        sink.write(named("b/a.jpg"))
    assert sink.close(complete=False).summary.startswith("1 frame,")


def test_a_folder_is_made_with_its_parents_and_removed_when_it_stays_empty(tmp_path: Path) -> None:
    assert fill(ImagesSink(tmp_path / "a" / "b"), info(), []).path is None
    assert left_in(tmp_path / "a") == []
    fill(ImagesSink(tmp_path / "a" / "b"), info(), numbered([0]))
    assert len(left_in(tmp_path / "a" / "b")) == 1


def test_images_that_vanish_are_noticed(tmp_path: Path) -> None:
    sink = ImagesSink(tmp_path / "o")
    sink.open(info())
    for one in numbered([0, 40]):
        sink.write(one)
    (part,) = tmp_path.iterdir()
    (part / "frame_000000.jpg").unlink()
    report = sink.close(complete=True)
    assert report.problems == ("1 of 2 images are not there any more",)
    assert (report.path, report.whole) == (part, False)


def test_another_kind_of_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'\.gif'; there are \.jpg"):
        ImagesSink(tmp_path, ".gif")


def test_a_new_folder_has_its_name_only_once_it_is_whole(tmp_path: Path) -> None:
    sink = ImagesSink(tmp_path / "o")
    sink.open(info())
    sink.write(next(numbered([0])))
    assert [".part" in name for name in left_in(tmp_path)] == [True]
    report = sink.close(complete=False)
    assert report.path is not None
    assert left_in(tmp_path) == [report.path.name]
    assert not (tmp_path / "o").exists()
    assert not report.whole
