"""Any source, opened by what a user typed."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from model.errors import ConfigError, SourceError
from pipeline.sources import SOURCES, SourceOptions, kind_of, open_source
from pipeline.sources.addresses import SCHEMES

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """One small grey picture in a folder of its own."""
    path = tmp_path / "photos" / "a.png"
    path.parent.mkdir()
    assert cv2.imwrite(str(path), np.full((6, 10, 3), 40, np.uint8))
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of 3 frames, 64 x 48."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    assert writer.isOpened()
    for grey in (0, 100, 200):
        writer.write(np.full((48, 64, 3), grey, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize("text", ["0", "12", "camera:Logitech", "CAMERA:1", "camera:"])
def test_a_number_and_a_name_after_camera_are_cameras(text: str) -> None:
    assert kind_of(text) == "camera"


@pytest.mark.parametrize("scheme", [*SCHEMES, "RTSP"])
def test_an_address_of_a_known_scheme_is_a_stream(scheme: str) -> None:
    assert kind_of(f"{scheme}://host/path.mp4") == "stream"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (r"C:\clips\a.mp4", "video"),
        ("C://clips/a.mp4", "video"),
        ("c:/photos", "images"),
        ("not there.MKV", "video"),
        ("not there.jpg", "images"),
        ("photos/*.jpg", "images"),
        ("-1", "images"),
        ("x" * 5000, "images"),
        ("", "images"),
    ],
)
def test_anything_else_is_a_path(text: str, kind: str) -> None:
    assert kind_of(text) == kind


def test_the_content_of_a_file_decides_between_image_and_video(photo: Path, clip: Path) -> None:
    assert kind_of(str(photo.rename(photo.with_suffix(".mp4")))) == "images"
    assert kind_of(str(clip.rename(clip.with_name("clip")))) == "video"


def test_a_folder_is_a_sequence_even_when_it_is_called_like_a_video(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").mkdir()
    assert kind_of(str(tmp_path / "a.mp4")) == "images"


@pytest.mark.parametrize("address", ["ftp://host/a.mp4", "file:///etc/passwd", "concat://a", "data://x"])
def test_an_unknown_scheme_is_refused_with_those_that_are_known(address: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot be opened; expected .*http, .*rtsp") as refused:
        kind_of(address)
    assert ("by its path" in str(refused.value)) == address.startswith("file")
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_source(address, kind="stream")


def test_the_password_of_an_address_that_is_refused_is_not_shown(tmp_path: Path) -> None:
    for text in ("ftp://anna:geheim@host/a", "rtsp:/anna:geheim@host/a", "http:/anna:geheim@host/a?b"):
        with pytest.raises((ConfigError, SourceError)) as refused:
            open_source(text)
        assert "geheim" not in str(refused.value)


def test_a_folder_of_images_is_opened_at_the_rate_asked_for(photo: Path) -> None:
    source = open_source(str(photo.parent), options=SourceOptions(image_rate=Fraction(5)))
    frame = source.read()
    source.close()
    assert frame is not None
    assert (frame.name, frame.time_base) == ("a.png", Fraction(1, 5))


def test_a_video_is_opened_by_its_path(clip: Path) -> None:
    source = open_source(str(clip))
    frames = list(iter(source.read, None))
    source.close()
    assert [frame.size for frame in frames] == [(48, 64)] * 3
    assert source.info.path == clip


def test_a_folder_with_videos_is_refused_rather_than_losing_them(photo: Path, clip: Path) -> None:
    clip.rename(photo.parent / "clip.avi")
    with pytest.raises(SourceError, match=r"photos: holds 1 images and 1 videos, .*choose one of the videos"):
        open_source(str(photo.parent))
    assert open_source(f"{photo.parent}/*.png").info.frame_count == 1


def test_a_stream_that_nobody_serves_is_a_source_error() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # taken, but nobody listens
        port = silent.getsockname()[1]
        with pytest.raises(SourceError, match=str(port)):
            open_source(f"http://127.0.0.1:{port}/clip.mp4", options=SourceOptions(open_timeout=5))


def test_a_camera_is_opened_by_number_or_name() -> None:
    with pytest.raises(SourceError, match="camera 63"):
        open_source("63")
    with pytest.raises(SourceError, match="camera 63"):
        open_source("camera:63")
    with pytest.raises(SourceError, match="no camera is called 'no such maker'"):
        open_source("camera:no such maker")
    with pytest.raises(ConfigError, match="names no camera"):
        open_source("camera: ")


def test_the_kind_can_be_said_where_the_text_could_mean_something_else(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo.rename(photo.with_name("7"))
    monkeypatch.chdir(photo.parent)
    source = open_source("7", kind="images")
    assert source.info.frame_count == 1
    source.close()


def test_an_unknown_kind_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"no kind of source is 'kamera'; did you mean 'camera'.*video, st"):
        open_source("0", kind="kamera")


def test_a_path_that_is_no_address_is_refused_as_a_stream() -> None:
    with pytest.raises(ConfigError, match=r"clip\.mp4: no address; expected http://"):
        open_source("clip.mp4", kind="stream")


def test_every_kind_can_be_told_from_a_text(photo: Path, clip: Path) -> None:
    assert {kind_of(text) for text in ("0", "rtsp://host/", str(photo), str(clip))} == set(SOURCES)


def test_telling_the_kind_of_a_camera_or_stream_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import json, sys; from pipeline.sources import kind_of; kind_of('0'); kind_of('rtsp://host/a');"
        "print(json.dumps([n for n in ('av', 'cv2', 'numpy', 'PIL', 'torch') if n in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
