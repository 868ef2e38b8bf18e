"""Photographs read into frames."""

from __future__ import annotations

import contextlib
import io
import struct
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from model.errors import SourceError
from model.images import MAX_PIXELS
from model.training.data.image_files import decode_rgb, read_size
from pipeline.sources.images import read_image

RGB = np.random.default_rng(0).integers(0, 255, (7, 11, 3), np.uint8)
SMOOTH = cv2.resize(RGB, (88, 56), interpolation=cv2.INTER_LINEAR)

# how the upright picture is stored under each EXIF orientation (Exif 2.3, tag 274)
STORED = {
    1: lambda u: u,
    2: lambda u: u[:, ::-1],
    3: lambda u: u[::-1, ::-1],
    4: lambda u: u[::-1],
    5: lambda u: u.transpose(1, 0, 2),
    6: lambda u: np.rot90(u, 1),
    7: lambda u: u[::-1, ::-1].transpose(1, 0, 2),
    8: lambda u: np.rot90(u, -1),
}


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header announces a size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def saved(path: Path, picture: Image.Image, **options: object) -> Path:
    picture.save(path, **options)
    return path


def test_a_frame_is_bgr_contiguous_and_exact(tmp_path: Path) -> None:
    frame = read_image(saved(tmp_path / "a.png", Image.fromarray(RGB)))
    assert frame.dtype == np.uint8
    assert frame.flags.c_contiguous
    assert np.array_equal(frame, RGB[..., ::-1])


@pytest.mark.parametrize("suffix", ["jpg", "webp", "tif", "bmp", "gif", "ppm", "jp2"])
def test_every_usual_format_is_read(tmp_path: Path, suffix: str) -> None:
    frame = read_image(saved(tmp_path / f"a.{suffix}", Image.fromarray(SMOOTH)))
    assert frame.shape == SMOOTH.shape
    assert np.abs(frame.astype(int) - SMOOTH[..., ::-1]).mean() < 12


@pytest.mark.parametrize("size", [(1, 1), (1, 999), (37, 1), (641, 3)])
def test_one_pixel_and_odd_sizes_are_read(tmp_path: Path, size: tuple[int, int]) -> None:
    frame = read_image(saved(tmp_path / "a.png", Image.new("RGB", size, (10, 20, 30))))
    assert frame.shape == (size[1], size[0], 3)
    assert (frame == (30, 20, 10)).all()


@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientations_are_undone(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](RGB)))
    frame = read_image(saved(tmp_path / "a.png", stored, exif=exif))
    assert np.array_equal(frame, RGB[..., ::-1])


def test_a_broken_exif_block_costs_only_the_rotation(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Image.fromarray(RGB), exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff1234")
    assert np.array_equal(read_image(path), RGB[..., ::-1])


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    grey = RGB[..., 0]
    frame = read_image(saved(tmp_path / "a.png", Image.fromarray(grey)))
    assert np.array_equal(frame, np.repeat(grey[..., None], 3, axis=2))


def test_black_and_white_of_one_bit_becomes_0_and_255(tmp_path: Path) -> None:
    frame = read_image(saved(tmp_path / "a.png", Image.fromarray(RGB[..., 0] > 127)))
    assert np.array_equal(frame[..., 0], np.where(RGB[..., 0] > 127, 255, 0))


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_upper_8_of_16_bits_stay(tmp_path: Path, suffix: str, channels: int) -> None:
    deep = np.random.default_rng(1).integers(0, 65535, (5, 6, channels), np.uint16)
    if channels == 4:
        deep[..., 3] = 65535
    assert cv2.imwrite(str(tmp_path / f"a.{suffix}"), deep)
    frame = read_image(tmp_path / f"a.{suffix}")
    assert np.array_equal(frame, np.broadcast_to(deep[..., :3] >> 8, (5, 6, 3)))


def test_transparent_pixels_show_white_and_half_transparent_ones_a_mixture(tmp_path: Path) -> None:
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 3] = (0, 128, 255)
    frame = read_image(saved(tmp_path / "a.png", Image.fromarray(rgba)))
    assert frame[0, 0].tolist() == [255, 255, 255]
    assert frame[0, 1].tolist() == [127, 127, 127]
    assert frame[0, 2].tolist() == [0, 0, 0]


def test_grey_with_alpha_and_palettes_with_a_transparent_colour_show_white_too(tmp_path: Path) -> None:
    grey = Image.fromarray(np.array([[[9, 0], [9, 255]]], np.uint8))
    assert grey.mode == "LA"
    assert read_image(saved(tmp_path / "a.png", grey))[0, :, 0].tolist() == [255, 9]
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 200, 0, 200, 0])
    palette.putpixel((1, 0), 1)
    frame = read_image(saved(tmp_path / "b.png", palette, transparency=1))
    assert frame[0].tolist() == [[200, 0, 0], [255, 255, 255]]


def test_cmyk_becomes_colour(tmp_path: Path) -> None:
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    frame = read_image(saved(tmp_path / "a.jpg", red, quality=100))
    assert np.abs(frame.astype(int) - (0, 0, 255)).max() < 6


def test_the_first_picture_of_an_animation_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ((250, 0, 0), (0, 250, 0))]
    path = saved(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    assert read_image(path)[0, 0].tolist() == [0, 0, 250]


def test_the_header_decides_not_the_name(tmp_path: Path) -> None:
    path = saved(tmp_path / "photo.dat", Image.fromarray(RGB), format="PNG")
    assert np.array_equal(read_image(path), RGB[..., ::-1])


def test_floating_point_pixels_are_refused_with_what_to_do(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tif", Image.fromarray(np.ones((3, 4), np.float32)))
    with pytest.raises(SourceError, match=r"a\.tif: floating-point.*convert"):
        read_image(path)


def test_a_file_that_is_no_image_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.jpg"
    path.write_text("shopping list")
    with pytest.raises(SourceError, match=r"notes\.jpg: not an image that can be read; expected JPEG, PNG"):
        read_image(path)


def test_an_empty_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    with pytest.raises(SourceError, match=r"empty\.png"):
        read_image(tmp_path / "empty.png")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nobody\.png: cannot be read: No such file"):
        read_image(tmp_path / "nobody.png")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "bmp", "gif"])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, suffix: str) -> None:
    whole = saved(tmp_path / f"whole.{suffix}", Image.fromarray(SMOOTH)).read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=rf"cut\.{suffix}"):
        read_image(cut)


def test_a_postscript_file_is_not_handed_to_another_program(tmp_path: Path) -> None:
    path = tmp_path / "a.eps"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    with pytest.raises(SourceError, match="not an image that can be read"):
        read_image(path)


@pytest.mark.parametrize("size", [(10_001, 10_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header_before_anything_is_decoded(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(*size))
    started = time.perf_counter()
    with pytest.raises(SourceError, match=r"bomb\.png: .*is too large; at most 100 million"):
        read_image(path)
    assert time.perf_counter() - started < 1


def test_the_size_is_named_and_so_is_the_limit(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(bomb(10_001, 10_000))
    assert MAX_PIXELS == 10_000 * 10_000
    with pytest.raises(SourceError, match="10001 x 10000 pixels is too large; at most 100 million"):
        read_image(tmp_path / "a.png")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_files_give_a_frame_or_a_source_error_and_nothing_else(
    tmp_path: Path, data: st.DataObject
) -> None:
    buffer = io.BytesIO()
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "JPEG2000"]))
    Image.fromarray(SMOOTH).save(buffer, kind)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, min(len(content) - 1, 400)))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged"
    path.write_bytes(content)
    with contextlib.suppress(SourceError):
        frame = read_image(path)
        assert frame.dtype == np.uint8
        assert frame.shape[2:] == (3,)


@pytest.mark.parametrize("mode", ["I;16", "RGBA", "LA", "P", "CMYK", "1"])
def test_training_sees_the_pixels_that_inference_sees(tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        picture = Image.fromarray(np.arange(60000, 60012, dtype=np.uint16).reshape(3, 4))
    else:
        picture = Image.new(mode, (4, 3), 1)
    path = saved(tmp_path / "a.tif", picture)
    assert np.array_equal(decode_rgb(path)[..., ::-1], read_image(path))


def test_training_refuses_floating_point_pixels_and_postscript(tmp_path: Path) -> None:
    saved(tmp_path / "a.tif", Image.fromarray(np.ones((3, 4), np.float32)))
    (tmp_path / "b.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n")
    for name in ("a.tif", "b.png"):
        with pytest.raises(ValueError, match="image file"):
            read_size(tmp_path / name)


@pytest.mark.parametrize(("failure", "told"), [(MemoryError(), MemoryError), (KeyError(), SourceError)])
def test_want_of_memory_is_not_taken_for_a_broken_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, told: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise failure

    path = saved(tmp_path / "a.png", Image.fromarray(RGB))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(told, match=None if told is MemoryError else "broken image: KeyError"):
        read_image(path)
