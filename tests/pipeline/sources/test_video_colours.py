"""Colours that take more than a matrix: grey of limited range, transparency, high dynamic range."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from pipeline.sources.images import read_image
from pipeline.sources.picture.colours import BT709, NO_TAGS, ColourTags
from pipeline.sources.picture.pixels import Pictures
from pipeline.sources.picture.tone_map import peak_of
from pipeline.sources.video import open_video
from pipeline.sources.warning_log import WarningLog
from tests.pipeline.sources.reading import read_video

LIMITED, FULL, UNTAGGED = 1, 2, 0
BT2020, PQ, HLG = 9, 16, 18


def flat(pixels: str, *values: int, size: tuple[int, int] = (64, 48)) -> av.VideoFrame:
    """A frame of one colour: a value for each plane."""
    frame = av.VideoFrame(*size, pixels)
    for plane, value, part in zip(frame.planes, values, frame.format.components, strict=True):
        kind = np.uint8 if part.bits == 8 else np.uint16
        plane.update(np.full(plane.buffer_size // np.dtype(kind).itemsize, value, kind).tobytes())
    return frame


def seen(frame: av.VideoFrame, declared: ColourTags = NO_TAGS) -> list[int]:
    """The BGR of the picture's middle."""
    return [int(value) for value in Pictures(WarningLog(), declared).make(frame)[24, 32]]


GREYS = {"gray": 8, "gray10le": 10, "gray12le": 12, "gray16le": 16}


@pytest.mark.parametrize(("luma", "expected"), [(16, 0), (60, 51), (128, 130), (235, 255)])
@pytest.mark.parametrize("pixels", GREYS)
def test_grey_of_limited_range_is_brought_to_the_full_one(pixels: str, luma: int, expected: int) -> None:
    frame = flat(pixels, luma << GREYS[pixels] - 8)
    frame.color_range = LIMITED
    assert seen(frame) == [expected] * 3
    frame.color_range = UNTAGGED
    assert seen(frame, ColourTags(range=LIMITED)) == [expected] * 3


@pytest.mark.parametrize("colour_range", [FULL, UNTAGGED])
def test_grey_that_is_not_called_limited_stays_as_it_is(colour_range: int) -> None:
    frame = flat("gray", 100)
    frame.color_range = colour_range
    assert seen(frame) == [100] * 3


def test_a_coded_grey_video_comes_back_in_its_levels(tmp_path: Path) -> None:
    write_frames(tmp_path / "a.mkv", "ffv1", [flat("gray", 16), flat("gray", 235)], colour_range=LIMITED)
    black, white = read_video(tmp_path / "a.mkv").images
    assert (black.max(), white.min()) == (0, 255)


BGRA = (40, 90, 200, 100)
ON_WHITE = [round(value * 100 / 255 + 155) for value in BGRA[:3]]


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.png", "apng", "rgba"),
        ("a.mov", "prores_ks", "yuva444p10le"),
        ("a.mov", "qtrle", "argb"),
        ("a.mkv", "ffv1", "bgra"),
        ("a.mkv", "ffv1", "yuva420p"),
        ("a.mov", "png", "rgba"),
    ],
)
def test_transparent_pixels_of_videos_lie_on_white_paper(
    tmp_path: Path, name: str, codec: str, pixels: str
) -> None:
    picture = np.empty((48, 64, 4), np.uint8)
    picture[:24], picture[24:] = BGRA, (0, 0, 255, 0)
    frame = av.VideoFrame.from_ndarray(picture, format="bgra").reformat(format=pixels)
    write_frames(tmp_path / name, codec, [frame, frame], container="apng" if codec == "apng" else None)
    image = read_video(tmp_path / name).images[0]
    assert np.abs(image[8, 32].astype(int) - ON_WHITE).max() <= 4
    assert image[40, 32].min() >= 252


@pytest.mark.parametrize("codec", ["libvpx-vp9", "libvpx"])
def test_the_transparency_of_webm_is_heeded_from_any_place_on(tmp_path: Path, codec: str) -> None:
    picture = np.zeros((48, 64, 4), np.uint8)
    picture[:24], picture[24:] = (40, 90, 200, 255), (0, 0, 255, 0)
    frame = av.VideoFrame.from_ndarray(picture, format="bgra").reformat(format="yuva420p")
    write_frames(tmp_path / "a.webm", codec, [frame] * 10, options={"auto-alt-ref": "0", "g": "1"})
    reading = read_video(tmp_path / "a.webm")
    assert len(reading.frames) == 10
    with closing(open_video(tmp_path / "a.webm")) as source:
        source.seek(Fraction(8, 25))
        sought = source.read()
    assert sought is not None
    assert sought.time == Fraction(8, 25)
    for image in (reading.images[-1], sought.image):
        assert np.abs(image[8, 32].astype(int) - (40, 90, 200)).max() <= 8
        assert image[40, 32].min() >= 250


def test_a_picture_and_a_video_of_the_same_transparent_pixels_look_the_same(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rgba = random.integers(0, 256, (48, 64, 4), np.uint8)
    Pillow.fromarray(rgba).save(tmp_path / "a.png")
    write_frames(tmp_path / "a.mkv", "ffv1", [av.VideoFrame.from_ndarray(rgba, format="rgba")], pixels="bgra")
    video = read_video(tmp_path / "a.mkv").images[0]
    assert np.abs(video.astype(int) - read_image(tmp_path / "a.png")).max() <= 1


def test_an_animation_with_a_transparent_palette_lies_on_white_paper(tmp_path: Path) -> None:
    pictures = [Pillow.new("P", (64, 48), 0) for _ in range(2)]
    for number, picture in enumerate(pictures):
        picture.putpalette([200, 0, 0, 0, 0, 200, 0, 90, 0])
        picture.paste(1 + number, (0, 0, 64, 24))
    first, second = pictures
    first.save(tmp_path / "a.png", save_all=True, append_images=[second], transparency=0, duration=40)
    image = read_video(tmp_path / "a.png").images[0]
    assert image[8, 32].tolist() == [200, 0, 0]
    assert image[40, 32].tolist() == [255, 255, 255]


# nits -> level of BT.709: below half of paper white as bright as a display of 203 nits and gamma 2.4 shows it
PQ_LEVELS = {0.1: 11, 1: 28, 10: 73, 26: 108, 50: 142, 203: 230, 1000: 255, 4000: 255}


def pq(nits: float) -> float:
    """The inverse EOTF of SMPTE ST 2084."""
    power = (nits / 10_000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


def hdr_grey(level: float, transfer: int = PQ) -> av.VideoFrame:
    frame = flat("yuv420p10le", round(64 + 876 * level), 512, 512)
    frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range = (
        BT2020,
        transfer,
        BT2020,
        LIMITED,
    )
    return frame


@pytest.mark.parametrize(("nits", "level"), PQ_LEVELS.items())
def test_pq_keeps_what_paper_shows_and_presses_highlights_together(nits: float, level: int) -> None:
    assert np.abs(np.subtract(seen(hdr_grey(pq(nits))), level)).max() <= 2


@pytest.mark.parametrize(("level", "expected"), [(0.25, 72), (0.5, 143), (0.75, 230), (1, 255)])
def test_hlg_is_shown_as_on_a_display_of_1000_nits(level: float, expected: int) -> None:
    assert np.abs(np.subtract(seen(hdr_grey(level, HLG)), expected)).max() <= 2


def test_highlights_keep_their_hue_and_colours_beyond_bt709_lose_saturation() -> None:
    orange = np.full((48, 64, 3), (0, 44_000, 52_000), np.uint16)
    frame = av.VideoFrame.from_ndarray(orange, format="bgr48le")
    frame.color_primaries, frame.color_trc = BT2020, PQ
    blue, green, red = seen(frame)
    assert red > 240
    assert blue < green - 30
    assert green < red - 30


@pytest.mark.parametrize(("transfer", "name"), [(PQ, "PQ"), (HLG, "HLG")])
def test_tone_mapping_is_told_and_what_is_left_is_bt709(tmp_path: Path, transfer: int, name: str) -> None:
    options = {"x265-params": "log-level=none:pools=1", "preset": "ultrafast"}
    frames = [hdr_grey(0.5, transfer)] * 6  # x265 gives one or two no stamps to decode at
    write_frames(tmp_path / "a.mp4", "libx265", frames, options=options, tags=(BT2020, transfer, BT2020))
    with closing(open_video(tmp_path / "a.mp4")) as source:
        assert source.info.colours == BT709
        assert source.warnings == (f"high dynamic range ({name}) was tone-mapped to BT.709",)


def test_tags_that_only_the_container_has_are_heeded() -> None:
    frame = hdr_grey(pq(50))
    expected = seen(frame)
    frame.color_primaries = frame.color_trc = frame.colorspace = 2
    frame.color_range = UNTAGGED
    assert seen(frame, ColourTags(BT2020, PQ, BT2020, LIMITED)) == expected


def test_the_peak_is_what_the_content_reaches_or_else_its_display() -> None:
    kind = av.sidedata.sidedata.Type
    light = np.array([800, 200], np.uint32).tobytes()
    display = np.array([0, 1] * 9 + [4000 * 10_000, 10_000, 1, 1], np.int32).tobytes()
    assert peak_of({}) == 1000
    assert peak_of({kind.MASTERING_DISPLAY_METADATA: display}) == 4000
    both = {kind.MASTERING_DISPLAY_METADATA: display, kind.CONTENT_LIGHT_LEVEL: light}
    assert peak_of(both) == 800


def write_frames(
    path: Path,
    codec: str,
    frames: list[av.VideoFrame],
    *,
    pixels: str | None = None,
    container: str | None = None,
    options: dict[str, str] | None = None,
    colour_range: int = UNTAGGED,
    tags: tuple[int, int, int] | None = None,
) -> None:
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height = frames[0].width, frames[0].height
        stream.pix_fmt = pixels or frames[0].format.name
        context = stream.codec_context
        if colour_range:
            context.color_range = colour_range
        if tags:
            context.color_primaries, context.color_trc, context.colorspace = tags
        for number, frame in enumerate(frames):
            frame = frame.reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            if colour_range:
                frame.color_range = colour_range
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
