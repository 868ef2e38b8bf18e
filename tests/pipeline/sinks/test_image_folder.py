"""A folder of images that exists already: replaced as a whole, or not touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from model.errors import SinkError
from pipeline.sinks.image_files import ImagesSink
from pipeline.sinks.image_folder import ImageFolder
from tests.pipeline.sinks.recordings import fill, info, left_in, numbered, write_all


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What an earlier run, longer than the ones here, has left."""
    folder = tmp_path / "o"
    folder.mkdir()
    for number in range(5):
        (folder / f"frame_{number:06d}.jpg").write_text("earlier")
    return folder


def is_untouched(folder: Path) -> bool:
    images = [path for path in folder.iterdir() if path.suffix == ".jpg"]
    return len(images) == 5 and all(path.read_text() == "earlier" for path in images)


def test_nothing_of_an_earlier_run_stays_in_a_folder_that_is_replaced(folder: Path) -> None:
    report = fill(ImagesSink(folder, overwrite=True), info(), numbered([0, 40]))
    assert (report.path, report.problems, report.whole) == (folder, (), True)
    assert left_in(folder) == ["frame_000000.jpg", "frame_000001.jpg"]
    assert left_in(folder.parent) == ["o"]


def test_a_run_that_ended_early_leaves_the_old_folder_as_it_was(folder: Path) -> None:
    report = fill(ImagesSink(folder, overwrite=True), info(), numbered([0, 40]), complete=False)
    assert report.path is not None
    assert ".part" in report.path.name
    assert len(left_in(report.path)) == 2
    assert not report.whole
    assert is_untouched(folder)


def test_the_old_images_stay_until_the_new_ones_are_whole(folder: Path) -> None:
    sink = ImagesSink(folder, overwrite=True)
    sink.open(info())
    write_all(sink, numbered([0, 40]))
    assert is_untouched(folder)
    assert sink.close(complete=True).whole


def test_a_folder_with_anything_in_it_is_refused_unless_it_may_be_replaced(folder: Path) -> None:
    with pytest.raises(SinkError, match="o: exists already and is not empty; allow overwriting"):
        ImagesSink(folder).open(info())
    assert is_untouched(folder)
    assert left_in(folder.parent) == ["o"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_empty_folder_is_taken(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "o").mkdir()
    assert fill(ImagesSink(tmp_path / "o", overwrite=overwrite), info(), numbered([0])).whole
    assert left_in(tmp_path / "o") == ["frame_000000.jpg"]
    assert left_in(tmp_path) == ["o"]


@pytest.mark.parametrize("name", ["notes.txt", "no_suffix", "sub.jpg/", "a.gif", "link.jpg"])
def test_a_folder_that_holds_more_than_images_is_never_replaced(folder: Path, name: str) -> None:
    if name.endswith("/"):
        (folder / name).mkdir()
    elif name.startswith("link"):
        (folder / name).symlink_to(folder / "frame_000000.jpg")
    else:
        (folder / name).write_text("mine")
    before = left_in(folder)
    with pytest.raises(SinkError, match=rf"this one holds {name.strip('/')};"):
        ImagesSink(folder, overwrite=True).open(info())
    assert left_in(folder) == before
    assert left_in(folder.parent) == ["o"]


def test_several_strange_files_are_counted(folder: Path) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        (folder / name).write_text("mine")
    with pytest.raises(SinkError, match=r"holds a\.txt and 2 more;"):
        ImageFolder(folder, overwrite=True)


def test_what_appears_in_the_folder_meanwhile_is_not_lost_and_neither_are_the_images(folder: Path) -> None:
    sink = ImagesSink(folder, overwrite=True)
    sink.open(info())
    write_all(sink, numbered([0]))
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(SinkError, match=r"holds notes\.txt.*the new images are in .*\.part$"):
        sink.close(complete=True)
    assert is_untouched(folder)
    assert len(left_in(folder.parent)) == 2


def test_a_folder_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    sink = ImagesSink(tmp_path / "o")
    sink.open(info())
    write_all(sink, numbered([0]))
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "a.jpg").write_text("mine")
    with pytest.raises(SinkError, match="exists already"):
        sink.close(complete=True)
    assert (tmp_path / "o" / "a.jpg").read_text() == "mine"


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(folder: Path) -> None:
    new = ImageFolder(folder, overwrite=True)
    new.part.rmdir()
    with pytest.raises(SinkError, match="o: cannot be written: No such file"):
        new.publish()
    assert is_untouched(folder)
    assert left_in(folder.parent) == ["o"]


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "o").write_text("mine")
    with pytest.raises(SinkError, match="o: is not a folder"):
        ImagesSink(tmp_path / "o", overwrite=True).open(info())
    assert (tmp_path / "o").read_text() == "mine"


def test_a_link_to_a_folder_stays_a_link(folder: Path) -> None:
    link = folder.with_name("link")
    link.symlink_to(folder, target_is_directory=True)
    assert fill(ImagesSink(link, overwrite=True), info(), numbered([0])).path == link
    assert link.is_symlink()
    assert left_in(folder) == left_in(link) == ["frame_000000.jpg"]


def test_a_folder_that_cannot_be_listed_is_a_sink_error(folder: Path) -> None:
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        pytest.skip("the superuser may read anywhere")
    folder.chmod(0o300)
    with pytest.raises(SinkError, match="o: cannot be written: Permission denied"):
        ImagesSink(folder, overwrite=True).open(info())
    folder.chmod(0o700)
