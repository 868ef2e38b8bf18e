"""Where each annotated photograph goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.outputs import plan_jobs
from model.errors import ConfigError


def outputs(sources: list[str], out: Path, with_json: bool = False) -> list[str]:
    jobs = plan_jobs([Path(source) for source in sources], out, with_json)
    return [path.name for job in jobs for path in job.outputs]


def test_jpegs_keep_their_names_and_all_else_becomes_png(tmp_path: Path) -> None:
    named = outputs(["a.jpg", "b.JPEG", "c.png", "d.webp", "e.16.tif", "f"], tmp_path)
    assert named == ["a.jpg", "b.JPEG", "c.png", "d.png", "e.16.png", "f.png"]


def test_equal_names_from_different_folders_are_told_apart_by_numbers(tmp_path: Path) -> None:
    named = outputs(["x/a.jpg", "y/a.jpg", "z/A.jpg", "x/a-2.jpg"], tmp_path)
    assert named == ["a.jpg", "a-2.jpg", "A-3.jpg", "a-2-2.jpg"]


def test_names_that_differ_in_their_suffix_alone_do_not_share_a_json_file(tmp_path: Path) -> None:
    named = outputs(["a.jpg", "a.png", "a.tif"], tmp_path, with_json=True)
    assert len(set(named)) == 6
    assert named[:4] == ["a.json", "a.jpg", "a-2.json", "a-2.png"]


def test_names_do_not_depend_on_whether_json_is_wanted(tmp_path: Path) -> None:
    sources = ["a.jpg", "a.png", "b/a.jpg"]
    with_json = outputs(sources, tmp_path, with_json=True)
    assert [name for name in with_json if not name.endswith(".json")] == outputs(sources, tmp_path)


def test_an_output_with_the_suffix_of_an_image_is_the_file_itself(tmp_path: Path) -> None:
    (job,) = plan_jobs([Path("a.jpg")], tmp_path / "new" / "b.png", with_json=True)
    assert job.outputs == (tmp_path / "new" / "b.json", tmp_path / "new" / "b.png")


def test_a_folder_that_is_called_like_an_image_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out.png").mkdir()
    (job,) = plan_jobs([Path("a.jpg")], tmp_path / "out.png", with_json=False)
    assert job.image == tmp_path / "out.png" / "a.jpg"


def test_one_output_file_for_several_photographs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"b\.png names one image, but there are 2"):
        plan_jobs([Path("a.jpg"), Path("c.jpg")], tmp_path / "b.png", with_json=False)


def test_a_format_that_is_not_written_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.jpg, \.jpeg, \.png, not \.gif"):
        plan_jobs([Path("a.jpg")], tmp_path / "b.gif", with_json=False)


def test_an_ordinary_file_is_no_folder_to_write_to(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(ConfigError, match="notes is a file, expected a folder"):
        plan_jobs([Path("a.jpg")], tmp_path / "notes", with_json=False)


def test_an_input_is_never_written_over_however_it_is_reached(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(b"x")
    (tmp_path / "link.png").symlink_to(source)
    os.link(source, tmp_path / "hard.png")
    (tmp_path / "sub").mkdir()
    for out in (tmp_path, tmp_path / "sub" / "..", tmp_path / "link.png", tmp_path / "hard.png"):
        with pytest.raises(ConfigError, match="one of the inputs and would be written over"):
            plan_jobs([source], out, with_json=False)


def test_another_input_is_not_written_over_either(tmp_path: Path) -> None:
    for name in ("a.bmp", "a.png"):
        (tmp_path / name).write_bytes(b"x")
    sources = [tmp_path / "a.bmp", tmp_path / "a.png"]
    with pytest.raises(ConfigError, match=r"a\.png is one of the inputs"):
        plan_jobs(sources, tmp_path, with_json=False)
