"""AVIF and HEIC: photographs where they can be read, else refused in clear words, never a video of a tile."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image as Pillow
from PIL import features

from model import images as model_images
from model.errors import SourceError
from pipeline.sources import kind_of, open_source
from pipeline.sources.ffmpeg import choose_stream
from pipeline.sources.images import find_media, read_image
from pipeline.sources.video import open_video
from tests.pipeline.sources.reading import read_video

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
PICTURE = Pillow.fromarray(np.full((48, 64, 3), (200, 60, 40), np.uint8))
HEADS = {
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64),
    "JPEG XL": b"\xff\x0a" + bytes(64),
}


@needs_avif
def test_an_avif_is_a_photograph_and_upright(tmp_path: Path) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    PICTURE.save(tmp_path / "a.avif", exif=exif)
    assert kind_of(str(tmp_path / "a.avif")) == "images"
    assert find_media(tmp_path).images == (tmp_path / "a.avif",)
    image = read_image(tmp_path / "a.avif")
    assert image.shape == (64, 48, 3)
    assert np.abs(image.astype(int) - (40, 60, 200)).max() <= 4


@needs_avif
def test_an_animated_avif_is_a_video_of_all_its_pictures(tmp_path: Path) -> None:
    other = Pillow.fromarray(np.full((48, 64, 3), (20, 60, 240), np.uint8))
    PICTURE.save(tmp_path / "a.avif", save_all=True, append_images=[other], duration=40)
    assert kind_of(str(tmp_path / "a.avif")) == "video"
    assert find_media(tmp_path).videos == (tmp_path / "a.avif",)
    first, second = read_video(tmp_path / "a.avif").images
    assert first[24, 32, 2] > 180
    assert second[24, 32, 0] > 220


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("name", ["a.heic", "a.jpg", "a.mp4", "a"])
def test_a_photograph_that_cannot_be_read_says_what_it_is(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(HEADS[kind])
    with pytest.raises(SourceError, match=kind):
        open_source(str(path))


def test_a_container_of_photographs_is_no_video_even_if_ffmpeg_takes_it_for_one(tmp_path: Path) -> None:
    if not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    PICTURE.save(tmp_path / "a.avif")
    data = (tmp_path / "a.avif").read_bytes()
    (tmp_path / "a.mp4").write_bytes(data.replace(b"ftypavif", b"ftypheic", 1))
    for name in ("a.avif", "a.mp4"):
        with pytest.raises(SourceError, match="photograph"), closing(open_video(tmp_path / name)):
            pass


def test_streams_that_depend_on_others_are_never_taken() -> None:
    tile = SimpleNamespace(disposition=Disposition.default | Disposition.dependent)
    container = SimpleNamespace(metadata={}, streams=SimpleNamespace(video=[tile, tile]))
    with pytest.raises(SourceError, match="expected a video stream"):
        choose_stream(cast(Any, container), "a.heic")


def test_a_plug_in_that_is_there_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    plug_in = SimpleNamespace(register_heif_opener=lambda: asked.append("HEIF"))
    monkeypatch.setitem(sys.modules, "pillow_heif", plug_in)  # type: ignore[arg-type]
    model_images.readable.cache_clear()
    try:
        model_images.readable()
    finally:
        model_images.readable.cache_clear()
    assert asked == ["HEIF"]
