"""The shape of pictures: EXIF orientations, sizes that change in mid-file, pixels that are not square."""

from __future__ import annotations

import io
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from pipeline.frame import Image
from pipeline.sources.picture.letterbox import letterboxed
from pipeline.sources.picture.pixels import Pictures
from pipeline.sources.video import open_video
from pipeline.sources.warning_log import WarningLog
from tests.clips import write_clip
from tests.orientations import uprights
from tests.pipeline.sources.reading import read_video

STORED = np.zeros((48, 64, 3), np.uint8)
STORED[:24, :32], STORED[:24, 32:], STORED[24:, :32] = (200, 30, 30), (30, 200, 30), (30, 30, 200)
UPRIGHT = uprights(STORED)


def photograph(orientation: int, kind: str) -> bytes:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Pillow.fromarray(STORED[..., ::-1]).save(
        file, kind, exif=exif, **({"quality": 98} if kind == "JPEG" else {})
    )
    return file.getvalue()


def time_lapse(path: Path, orientations: list[int], kind: str = "JPEG") -> None:
    """Photographs, as they are, one after another in a video."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mjpeg" if kind == "JPEG" else "png", rate=25)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if kind == "JPEG" else "rgb24"
        output.start_encoding()
        for number, orientation in enumerate(orientations):
            packet = av.Packet(photograph(orientation, kind))
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.is_keyframe = True
            output.mux(packet)


@pytest.mark.parametrize(
    ("name", "kind"), [("a.mov", "JPEG"), ("a.mkv", "JPEG"), ("a.avi", "JPEG"), ("a.mov", "PNG")]
)
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_photographs_in_a_video_come_out_upright(
    tmp_path: Path, name: str, kind: str, orientation: int
) -> None:
    time_lapse(tmp_path / name, [orientation, orientation], kind)
    for image in read_video(tmp_path / name).images:
        assert image.shape == UPRIGHT[orientation].shape
        assert np.abs(image.astype(int) - UPRIGHT[orientation]).mean() < 4


def test_an_animated_png_with_exif_comes_out_upright(tmp_path: Path) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    first, second = Pillow.fromarray(STORED[..., ::-1]), Pillow.fromarray(STORED[:, ::-1, ::-1])
    first.save(tmp_path / "a.png", save_all=True, append_images=[second], duration=40, exif=exif)
    assert np.array_equal(read_video(tmp_path / "a.png").images[0], UPRIGHT[6])


def test_each_photograph_is_turned_by_its_own_orientation(tmp_path: Path) -> None:
    time_lapse(tmp_path / "a.mov", list(UPRIGHT))
    reading = read_video(tmp_path / "a.mov")
    for image, upright in zip(reading.images, UPRIGHT.values(), strict=True):
        expected = letterboxed(np.ascontiguousarray(upright), (48, 64))
        assert np.abs(image.astype(int) - expected).mean() < 4
    assert reading.warnings == ("the picture size changed; 4 frame(s) were fitted into the first one's",)


def test_a_picture_of_another_shape_is_shown_whole_between_bars(tmp_path: Path) -> None:
    pictures = Pictures(WarningLog())
    wide, high = (av.VideoFrame.from_ndarray(plain(size), format="bgr24") for size in ((96, 48), (48, 96)))
    assert pictures.make(wide).shape == (48, 96, 3)
    boxed = pictures.make(high)
    assert boxed.shape == (48, 96, 3)
    assert (boxed[:, 36:60] == 200).all()
    assert not boxed[:, :36].any()
    assert not boxed[:, 60:].any()


def test_a_file_that_changes_its_shape_is_letterboxed_from_there_on(tmp_path: Path) -> None:
    parts = b""
    for number, size in enumerate([(96, 48), (48, 96)]):
        path = tmp_path / f"{number}.ts"
        write_clip(path, size=size, frames=4, picture=lambda number, width, height: plain((width, height)))
        parts += path.read_bytes()
    (tmp_path / "a.ts").write_bytes(parts)
    reading = read_video(tmp_path / "a.ts")
    before, after = reading.images[0], reading.images[-1]
    assert before.shape == after.shape == (48, 96, 3)
    assert before.min() > 190
    assert after[:, 40:56].min() > 190
    assert after[:, :30].max() < 10
    assert any("fitted into the first one's" in warning for warning in reading.warnings)


def joined(path: Path, codec: str, aspects: list[Fraction], size: tuple[int, int]) -> Path:
    """Recordings of six white pictures each, with pixels of several shapes, behind one another."""
    options = {"bf": "2", **({"x264-params": "log-level=none"} if codec == "libx264" else {})}
    parts = b""
    for aspect in aspects:
        with io.BytesIO() as file:
            with av.open(file, "w", "mpegts") as output:
                stream = output.add_stream(codec, rate=25, options=options)
                stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
                stream.codec_context.sample_aspect_ratio = aspect
                for number in range(6):
                    frame = av.VideoFrame.from_ndarray(plain(size), format="bgr24")
                    frame.pts, frame.time_base = number, Fraction(1, 25)
                    output.mux(stream.encode(frame))
                output.mux(stream.encode(None))
            parts += file.getvalue()
    path.write_bytes(parts)
    return path


PAL, WIDE_PAL = Fraction(16, 15), Fraction(64, 45)


@pytest.mark.parametrize(("codec", "size"), [("libx264", (64, 48)), ("mpeg2video", (720, 576))])
def test_pixels_that_change_their_shape_are_shown_in_that_of_the_first(
    tmp_path: Path, codec: str, size: tuple[int, int]
) -> None:
    """From 4:3 to 16:9 there is more to be seen at the sides, so bars above and below, and back again."""
    path = joined(tmp_path / "a.ts", codec, [PAL, WIDE_PAL, PAL], size)
    reading = read_video(path)
    height = size[1]
    for number, image in enumerate(reading.images):
        lit = np.flatnonzero(image[:, size[0] // 2, 0] > 100)
        expected = (height // 8, height - height // 8) if 6 <= number < 12 else (0, height)
        assert (lit[0], lit[-1] + 1) == expected, number
        assert image[height // 2].min() > 100  # to its full width
    assert "the shape of pixels changed; 6 frame(s) were fitted into the first one's" in reading.warnings


def test_from_wide_pixels_to_narrow_ones_the_bars_stand_at_the_sides(tmp_path: Path) -> None:
    image = read_video(joined(tmp_path / "a.ts", "libx264", [WIDE_PAL, PAL], (64, 48))).images[-1]
    lit = np.flatnonzero(image[24, :, 0] > 100)
    assert (lit[0], lit[-1] + 1) == (8, 56)


def test_a_seek_finds_pixels_in_the_shape_of_the_first(tmp_path: Path) -> None:
    path = joined(tmp_path / "a.ts", "libx264", [PAL, WIDE_PAL], (64, 48))
    expected = read_video(path).images
    with closing(open_video(path)) as video:
        for number in (9, 2, 7):
            video.seek(video.info.start + Fraction(number, 25))
            frame = video.read()
            assert frame is not None
            assert np.array_equal(frame.image, expected[number])


CODECS = [
    ("a.mp4", "libx264", "yuv420p"),
    ("a.mkv", "libx264", "yuv420p"),
    ("a.mp4", "libvpx-vp9", "yuv420p"),
    ("a.mov", "prores_ks", "yuv422p10le"),
    ("a.avi", "mpeg4", "yuv420p"),
]


@pytest.mark.parametrize(("name", "codec", "pixels"), CODECS)
def test_the_shape_of_pixels_is_read_whoever_tells_it(
    tmp_path: Path, name: str, codec: str, pixels: str
) -> None:
    write_clip(tmp_path / name, frames=2, codec=codec, pixel_format=pixels, options={"aspect": "64:45"})
    with closing(open_video(tmp_path / name)) as source:
        assert source.info.pixel_aspect == Fraction(64, 45)


@pytest.mark.parametrize(
    ("rotation", "aspect"), [(0, Fraction(4, 3)), (90, Fraction(3, 4)), (180, Fraction(4, 3))]
)
def test_pixels_turn_with_the_picture(tmp_path: Path, rotation: int, aspect: Fraction) -> None:
    write_clip(tmp_path / "a.mov", frames=2, rotation=rotation, options={"aspect": "4:3"})
    with closing(open_video(tmp_path / "a.mov")) as source:
        assert source.info.pixel_aspect == aspect


@pytest.mark.parametrize("width", [0, 7000])
def test_pixels_of_an_impossible_shape_are_square(tmp_path: Path, width: int) -> None:
    path = tmp_path / "a.mov"
    write_clip(path, frames=2, codec="mpeg4", options={"aspect": "7:1"})
    told, lie = (b"pasp" + n.to_bytes(4, "big") + (1).to_bytes(4, "big") for n in (7, width))
    assert told in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(told, lie))
    with closing(open_video(path)) as source:
        assert source.info.pixel_aspect == (1 if width else 7)  # the codec tells it, too
        told = ("its pixels are said to be 7000 times as wide as high; taken for square",)
        assert source.warnings == (told if width else ())


def plain(size: tuple[int, int]) -> Image:
    return np.full((size[1], size[0], 3), 200, np.uint8)
