"""The video sink: colours, tags, the shape of pixels, and sizes that codecs do not like."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import Colorspace

from pipeline.frame import Image
from pipeline.native_memory import SLACK
from pipeline.sinks import colour as colour_module
from pipeline.sinks.colour import PictureConverter, choose_tags, padded_size
from pipeline.sinks.formats import CODECS
from pipeline.sinks.video import VideoSink
from pipeline.sources.picture.colours import ColourTags
from tests.clips import Colour, write_clip
from tests.pipeline.sinks.recordings import fill, info, noise, pictures, result, through

# luma weights of red and blue by matrix, from ITU-T H.273, table 4
WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
COLOURS = [(0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 255), (0, 0, 0), (40, 90, 200), (128, 128, 128)]


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (64, 48)) -> Image:
    return np.full((size[1], size[0], 3), colour, np.uint8)


def tags_of(path: Path) -> tuple[int, int, int, int]:
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        return context.color_primaries, context.color_trc, context.colorspace, context.color_range


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("colour", COLOURS, ids=str)
def test_a_colour_becomes_what_its_matrix_says(colour: tuple[int, int, int], matrix: int, full: bool) -> None:
    frame = PictureConverter("yuv420p", ColourTags(1, 1, matrix, 2 if full else 1))(plain(colour))
    got = [int(np.frombuffer(bytes(plane), np.uint8)[0]) for plane in frame.planes]
    blue, green, red = (value / 255 for value in colour)
    of_red, of_blue = WEIGHTS[matrix]
    luma = of_red * red + (1 - of_red - of_blue) * green + of_blue * blue
    chroma = ((blue - luma) / (2 - 2 * of_blue), (red - luma) / (2 - 2 * of_red))
    scale, offset, spread = (255, 0, 255) if full else (219, 16, 224)
    expected = [offset + scale * luma, *(min(128 + spread * c, 255) for c in chroma)]
    assert np.abs(np.subtract(got, expected)).max() <= 1


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("matrix", "code"), [(Colorspace.ITU601, 6), (Colorspace.ITU709, 1), (Colorspace.BT2020, 9)]
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_tags_of_the_source_are_kept(
    tmp_path: Path, matrix: Colorspace, code: int, full: bool, suffix: str
) -> None:
    write_clip(tmp_path / "in.mp4", frames=2, colour=Colour(matrix, full))
    before = tags_of(tmp_path / "in.mp4")
    through(VideoSink(tmp_path / f"out{suffix}"), tmp_path / "in.mp4")
    assert tags_of(tmp_path / f"out{suffix}") == before
    assert before[2:] == (code, 2 if full else 1)


@pytest.mark.parametrize(("height", "code"), [(48, 6), (720, 1)])
def test_an_untagged_source_is_tagged_as_players_take_it(tmp_path: Path, height: int, code: int) -> None:
    write_clip(tmp_path / "in.mp4", frames=1, size=(64, height), colour=Colour(tagged=False))
    through(VideoSink(tmp_path / "out.mp4"), tmp_path / "in.mp4")
    assert tags_of(tmp_path / "out.mp4") == (code, code, code, 1)


def test_a_matrix_that_cannot_be_made_gives_way_to_the_usual_one() -> None:
    ictcp = 14
    assert choose_tags(ColourTags(9, 14, ictcp, 0), 1080) == ColourTags(9, 14, 1, 1)


def test_colours_come_back_as_they_went_in(tmp_path: Path) -> None:
    for colour in COLOURS:
        fill(VideoSink(tmp_path / "o.mp4", crf=1, overwrite=True), info(), [result(plain(colour))])
        assert np.abs(pictures(tmp_path / "o.mp4")[0].astype(int) - colour).max() <= 6


def test_ffv1_keeps_every_pixel(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (47, 63, 3), np.uint8)
    report = fill(VideoSink(tmp_path / "o.mkv", codec="ffv1"), info(), [result(noise)])
    assert np.array_equal(pictures(tmp_path / "o.mkv")[0], noise)
    assert "padded" not in report.summary


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "mpeg4", "prores"])
def test_an_odd_size_is_padded_by_repeating_the_edge_and_said(tmp_path: Path, codec: str) -> None:
    report = fill(
        VideoSink(tmp_path / "o.mkv", codec=codec), info(), [result(plain((40, 90, 200), (63, 47)))]
    )
    picture = pictures(tmp_path / "o.mkv")[0]
    assert picture.shape == (48, 64, 3)
    assert np.abs(picture.astype(int) - (40, 90, 200)).max() <= 12
    assert "padded to 64 x 48" in report.summary


@pytest.mark.parametrize("size", [(64, 48), (63, 47), (1000, 6)])
def test_what_is_lent_to_ffmpeg_has_bytes_to_spare_behind_it(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    lent: list[Image] = []
    real = av.VideoFrame

    class Watched:
        @staticmethod
        def from_numpy_buffer(array: Image, format: str) -> av.VideoFrame:
            lent.append(array)
            return real.from_numpy_buffer(array, format)

    monkeypatch.setattr(colour_module.av, "VideoFrame", Watched)
    PictureConverter("yuv420p", ColourTags(1, 1, 1, 1))(plain((40, 90, 200), size))
    (image,) = lent
    assert image.base is not None
    end_of_all = image.base.__array_interface__["data"][0] + image.base.nbytes
    end_of_pixels = image.__array_interface__["data"][0] + image.nbytes
    assert end_of_all - end_of_pixels >= SLACK >= 64


def test_only_formats_that_share_colour_need_even_sizes() -> None:
    assert padded_size(63, 47, "yuv420p") == padded_size(64, 48, "yuv420p") == (64, 48)
    assert padded_size(63, 47, "bgr0") == (63, 47)


@pytest.mark.parametrize("rotation", [0, 90, 180])
def test_upright_frames_are_written_without_a_rotation(tmp_path: Path, rotation: int) -> None:
    write_clip(tmp_path / "in.mp4", frames=2, rotation=rotation)
    through(VideoSink(tmp_path / "out.mp4"), tmp_path / "in.mp4", rotation=rotation)
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
        assert frame.rotation == 0
        assert (frame.width, frame.height) == ((48, 64) if rotation == 90 else (64, 48))


def test_a_frame_that_is_read_only_or_a_view_is_written(tmp_path: Path) -> None:
    whole = plain((40, 90, 200), (128, 96))
    whole.setflags(write=False)
    for picture in (whole[::2, ::2], whole[:48, :64], whole[:48, :64][:, ::-1]):
        fill(VideoSink(tmp_path / "o.mp4", overwrite=True), info(), [result(picture)])
        assert np.abs(pictures(tmp_path / "o.mp4")[0].astype(int) - (40, 90, 200)).max() <= 6


@pytest.mark.parametrize(
    "name", [name for name, codec in CODECS.items() if codec.quality_options and "_nvenc" not in name]
)
def test_a_smaller_crf_makes_a_larger_file(tmp_path: Path, name: str) -> None:
    codec = CODECS[name]
    sizes = {}
    for crf in (codec.best, None, codec.worst):
        path = tmp_path / f"{crf}.mkv"
        fill(VideoSink(path, name, crf=crf), info(), noise(3, (128, 96)))
        sizes[crf] = path.stat().st_size
    best, usual, worst = sizes.values()
    assert best > 1.2 * usual > 1.5 * worst
