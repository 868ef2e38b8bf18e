"""`IN:OUT`, where the halves may hold colons of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.annotate.pairs import split_pair
from model.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("a:b", ("a", "b")),
        ("in.mp4:out.mp4", ("in.mp4", "out.mp4")),
        ("in", ("in", None)),
        ("0", ("0", None)),
        ("0:out.mp4", ("0", "out.mp4")),
        ("dir/in.png:/abs/out.png", ("dir/in.png", "/abs/out.png")),
        (r"C:\in.jpg:D:\out.png", (r"C:\in.jpg", r"D:\out.png")),
        ("C:/in.jpg:D:/out.png", ("C:/in.jpg", "D:/out.png")),
        (r"C:\in.jpg", (r"C:\in.jpg", None)),
        (r"C:\a:b", (r"C:\a", "b")),
        (r"in.jpg:D:\out.png", ("in.jpg", r"D:\out.png")),
        (r"\\server\in.jpg:c:\out.png", (r"\\server\in.jpg", r"c:\out.png")),
        ("camera:0", ("camera:0", None)),
        ("camera:USB Cam:out.mp4", ("camera:USB Cam", "out.mp4")),
        ("12:30.mp4:out.mp4", ("12:30.mp4", "out.mp4")),
        ("rtsp://user:pw@host:554/x:out.mp4", ("rtsp://user:pw@host:554/x", "out.mp4")),
        ("rtsp://user:pw@host:554/x", ("rtsp://user:pw@host:554/x", None)),
        ("rtsp://host/x:me@home.mp4", ("rtsp://host/x", "me@home.mp4")),
        ("rtsp://host:8554:out.mp4", ("rtsp://host:8554", "out.mp4")),
        ("rtsp://host:8554", ("rtsp://host:8554", None)),
        ("rtsp://host:out.mp4", ("rtsp://host", "out.mp4")),
        (r"rtsp://host/x:D:\out.mp4", ("rtsp://host/x", r"D:\out.mp4")),
        ("rtsp://[::1]:554/x:out.mkv", ("rtsp://[::1]:554/x", "out.mkv")),
        ("rtsp://[fe80::1]", ("rtsp://[fe80::1]", None)),
        ("udp://@239.0.0.1:1234:out.mp4", ("udp://@239.0.0.1:1234", "out.mp4")),
        ("https://host/v.m3u8?from=12:30", ("https://host/v.m3u8?from=12:30", None)),
        ("https://host/v.m3u8?from=12:30:a/b.webm", ("https://host/v.m3u8?from=12:30", "a/b.webm")),
    ],
)
def test_input_and_output_are_told_apart_where_no_file_helps(
    folder: Path, text: str, pair: tuple[str, str | None]
) -> None:
    assert split_pair(text) == pair


@pytest.mark.skipif(os.name == "nt", reason="file names hold no colons there")
@pytest.mark.parametrize(
    ("files", "text", "pair"),
    [
        (["a:b"], "a:b", ("a:b", None)),
        (["a:b"], "a:b:c", ("a:b", "c")),
        (["a"], "a:b:c", ("a", "b:c")),
        (["a", "a:b"], "a:b:c", ("a:b", "c")),
        (["a"], "a:/tmp/out.png", ("a", "/tmp/out.png")),
        (["rtsp"], "rtsp://host/x:out.mp4", ("rtsp://host/x", "out.mp4")),
        (["camera"], "camera:1:out.mp4", ("camera:1", "out.mp4")),
    ],
)
def test_the_input_is_the_longest_name_that_is_there(
    folder: Path, files: list[str], text: str, pair: tuple[str, str | None]
) -> None:
    for name in files:
        (folder / name).touch()
    assert split_pair(text) == pair


@pytest.mark.parametrize(
    ("text", "lacking"),
    [(":out", "input"), ("in:", "output"), ("", "input"), (":", "input"), ("rtsp://host/x:", "output")],
)
def test_half_a_pair_is_refused(folder: Path, text: str, lacking: str) -> None:
    (folder / "in").touch()
    with pytest.raises(ConfigError, match=f"lacks the {lacking}"):
        split_pair(text)


def test_a_text_that_is_too_long_for_a_name_is_no_file(folder: Path) -> None:
    assert split_pair("x" * 5000 + ":out") == ("x" * 5000, "out")
