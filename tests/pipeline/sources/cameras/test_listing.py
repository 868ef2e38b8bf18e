"""Which cameras there are, from a folder that looks like the system's."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from model.errors import SourceError
from pipeline.sources.cameras.camera import open_camera
from pipeline.sources.cameras.capture import why_not
from pipeline.sources.cameras.listing import CameraInfo, find_camera, list_cameras

on_linux = pytest.mark.skipif(platform.system() != "Linux", reason="reads Linux's sysfs")

DESK = CameraInfo(0, "Integrated Camera", "/dev/video0")
DOOR = CameraInfo(2, "HD Pro Webcam C920", "/dev/video2")


def plug(root: Path, number: int, name: str, index: int = 0, capabilities: str | None = None) -> None:
    """A video node as the kernel shows it, and what udev noted about it."""
    node = root / f"sys/class/video4linux/video{number}"
    node.mkdir(parents=True)
    for file, content in (("name", name), ("index", str(index)), ("dev", f"81:{number}")):
        (node / file).write_text(f"{content}\n")
    device = root / f"dev/video{number}"
    device.parent.mkdir(exist_ok=True)
    device.touch()
    if capabilities is not None:
        record = root / f"run/udev/data/c81:{number}"
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(f"N:video{number}\nE:ID_V4L_VERSION=2\nE:ID_V4L_CAPABILITIES={capabilities}\n")


@on_linux
def test_cameras_are_listed_by_number_with_their_names(tmp_path: Path) -> None:
    plug(tmp_path, 10, "Door")
    plug(tmp_path, 2, "Desk: Desk")
    assert list_cameras(tmp_path) == (
        CameraInfo(2, "Desk: Desk", str(tmp_path / "dev/video2")),
        CameraInfo(10, "Door", str(tmp_path / "dev/video10")),
    )


@on_linux
def test_the_metadata_node_of_a_camera_is_no_camera(tmp_path: Path) -> None:
    plug(tmp_path, 0, "Desk")
    plug(tmp_path, 1, "Desk", index=1)
    assert [camera.index for camera in list_cameras(tmp_path)] == [0]


@on_linux
def test_what_udev_has_asked_the_device_counts_more_than_the_order_of_its_nodes(tmp_path: Path) -> None:
    plug(tmp_path, 0, "Decoder", capabilities=":video_output:")
    plug(tmp_path, 1, "Two lenses", index=0, capabilities=":capture:")
    plug(tmp_path, 2, "Two lenses", index=2, capabilities=":capture:")
    plug(tmp_path, 3, "Two lenses", index=3, capabilities=":")
    assert [camera.index for camera in list_cameras(tmp_path)] == [1, 2]


@on_linux
def test_a_node_without_its_device_is_not_offered(tmp_path: Path) -> None:
    plug(tmp_path, 0, "The host's, not this container's")
    (tmp_path / "dev/video0").unlink()
    assert list_cameras(tmp_path) == ()


@on_linux
def test_a_camera_without_a_name_goes_by_its_node(tmp_path: Path) -> None:
    plug(tmp_path, 0, "")
    assert [camera.name for camera in list_cameras(tmp_path)] == ["video0"]


@on_linux
def test_a_machine_without_video_nodes_has_no_camera(tmp_path: Path) -> None:
    assert list_cameras(tmp_path) == ()


@pytest.mark.parametrize("text", ["HD Pro Webcam C920", "c920", "webcam"])
def test_a_camera_is_found_by_its_name_or_a_part_of_it_in_any_case(text: str) -> None:
    assert find_camera(text, [DESK, DOOR]) == DOOR


def test_the_whole_name_goes_before_a_part_of_another() -> None:
    assert find_camera("cam", [CameraInfo(0, "Webcam"), CameraInfo(1, "Cam")]).index == 1


def test_a_name_that_fits_two_cameras_is_refused_with_their_numbers() -> None:
    twin = CameraInfo(4, DOOR.name)
    with pytest.raises(SourceError, match=r"more than one .*'c920'.*2 \(HD.*4 \(HD.*number instead"):
        find_camera("c920", [DESK, DOOR, twin])


def test_a_name_that_fits_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        SourceError, match=r"no camera is called 'roof'; there are 0 \(Integrated Camera\), 2"
    ):
        find_camera("roof", [DESK, DOOR])
    with pytest.raises(SourceError, match="no camera was found on this machine"):
        find_camera("roof", [])


@on_linux
def test_an_absent_camera_is_told_from_a_busy_one(tmp_path: Path) -> None:
    plug(tmp_path, 0, "Desk")
    assert "there is no" in why_not(3, tmp_path)
    assert "there are 0 (Desk)" in why_not(3, tmp_path)
    assert "another program is using it" in why_not(0, tmp_path)


@on_linux
def test_no_such_camera_is_one_line_and_opencv_says_nothing_of_its_own(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SourceError, match=r"^camera 63: there is no /dev/video63; plug it in.*$"):
        open_camera(63)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


@pytest.mark.parametrize("number", ["4294967296", "9" * 5000])
def test_a_number_beyond_any_camera_is_refused(number: str) -> None:
    with pytest.raises(SourceError, match=f"no camera is called '{number}'"):
        open_camera(number)


def test_no_camera_of_that_name_is_refused() -> None:
    with pytest.raises(SourceError, match="no camera is called 'nobody has this one'"):
        open_camera("nobody has this one")
