"""Files written whole or not at all."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from model.errors import SinkError
from pipeline.sinks.files import write_bytes, write_image, write_json
from tests.full_disk import no_file_longer_than

FRAME = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)


def test_a_png_holds_the_very_pixels(tmp_path: Path) -> None:
    write_image(tmp_path / "a.PNG", FRAME)
    assert np.array_equal(cv2.imread(str(tmp_path / "a.PNG")), FRAME)


def test_a_jpeg_keeps_a_line_of_one_pixel_in_its_colour(tmp_path: Path) -> None:
    frame = np.full((64, 64, 3), 128, np.uint8)
    frame[:, 31] = (0, 94, 213)
    write_image(tmp_path / "a.jpg", frame)
    read = cv2.imread(str(tmp_path / "a.jpg")).astype(int)
    assert np.abs(read[:, 31] - frame[:, 31]).max() < 40


def test_folders_are_made_as_needed(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / "b" / "c.bin", b"123")
    assert (tmp_path / "a" / "b" / "c.bin").read_bytes() == b"123"


def test_nothing_temporary_stays_behind(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", FRAME)
    write_json(tmp_path / "a.json", {"a": 1})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.png"]


def test_a_file_that_exists_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"older and longer")
    write_bytes(tmp_path / "a.bin", b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"new"


def test_a_disk_that_is_full_keeps_the_old_file_and_leaves_no_part(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"old")
    with (
        no_file_longer_than(10),
        pytest.raises(SinkError, match=r"a\.bin: cannot be written: File too large"),
    ):
        write_bytes(tmp_path / "a.bin", bytes(100))
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_many_threads_may_write_one_file_at_a_time(tmp_path: Path) -> None:
    contents = [bytes([number]) * 50_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda data: write_bytes(tmp_path / "a.bin", data), contents))
    assert (tmp_path / "a.bin").read_bytes() in contents
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_a_failed_write_keeps_the_old_file_and_leaves_no_part(tmp_path: Path) -> None:
    folder = tmp_path / "taken.png"
    folder.mkdir()
    (folder / "old").write_text("old")
    with pytest.raises(SinkError, match=r"taken\.png: is a folder"):
        write_image(folder, FRAME)
    assert (folder / "old").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["taken.png"]


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("not a folder")
    with pytest.raises(SinkError, match=r"out.*cannot be written"):
        write_bytes(tmp_path / "out" / "a.bin", b"")


def test_a_frame_that_jpeg_cannot_hold_is_a_sink_error(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"long\.jpg"):
        write_image(tmp_path / "long.jpg", np.zeros((1, 70_000, 3), np.uint8))


def test_json_that_no_parser_would_read_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"score": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_json_comes_back_as_it_was(tmp_path: Path) -> None:
    record = {"name": "café [1].jpg", "boxes": [[1.5, 2, 3, 4]]}
    write_json(tmp_path / "a.json", record)
    assert json.loads((tmp_path / "a.json").read_text()) == record
