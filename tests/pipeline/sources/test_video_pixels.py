"""The pictures of a video: their colours, which way up they are, and what becomes of interlaced ones."""

from __future__ import annotations

import gc
import io
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import Colorspace

from pipeline.sources.picture.pixels import Pictures
from pipeline.sources.video import open_video
from pipeline.sources.warning_log import WarningLog
from tests.clips import Colour, number_of, numbered_picture, turned, write_clip
from tests.pipeline.sources.reading import read_video

WEIGHTS = {  # of red and blue in luma: ITU-R BT.601, BT.709 and BT.2020
    "601": (0.299, 0.114),
    "709": (0.2126, 0.0722),
    "2020": (0.2627, 0.0593),
}
MATRIX_TAGS = {"709": (1,), "601": (5, 6), "2020": (9, 10)}  # ISO/IEC 23091-2
LIMITED, FULL = 1, 2  # AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG
UNTAGGED = 2
WITHIN = {"yuv420p": (-3, 0.5), "yuv422p": (-3, 0.5), "yuv444p": (-0.6, 0.6), "yuv420p10le": (-0.6, 0.6)}


def exact_bgr(y: float, u: float, v: float, weights: tuple[float, float], full: bool) -> np.ndarray:
    """By the definition of the matrix, in floating point; y, u and v on the scale of 8 bits."""
    red_weight, blue_weight = weights
    if full:
        luma, blue_diff, red_diff = y / 255, (u - 128) / 255, (v - 128) / 255
    else:
        luma, blue_diff, red_diff = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    red, blue = luma + 2 * (1 - red_weight) * red_diff, luma + 2 * (1 - blue_weight) * blue_diff
    green = (luma - red_weight * red - blue_weight * blue) / (1 - red_weight - blue_weight)
    return np.clip(np.array([blue, green, red]) * 255, 0, 255)


def plain_frame(
    yuv: tuple[int, int, int], pixel_format: str, size: tuple[int, int] = (64, 48)
) -> av.VideoFrame:
    """One colour all over."""
    frame = av.VideoFrame(*size, pixel_format)
    ten_bit = "10" in pixel_format
    for plane, value in zip(frame.planes, yuv, strict=True):
        if ten_bit:
            plane.update(np.full(plane.buffer_size // 2, value * 4, np.uint16).tobytes())
        else:
            plane.update(np.full(plane.buffer_size, value, np.uint8).tobytes())
    return frame


COLOURS = [(16, 128, 128), (235, 128, 128), (100, 90, 160), (60, 150, 110), (180, 110, 120)]


@pytest.mark.parametrize("pixel_format", WITHIN)
@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
@pytest.mark.parametrize(("name", "tag"), [(name, tag) for name, tags in MATRIX_TAGS.items() for tag in tags])
def test_colours_are_those_of_the_matrix_and_range_that_are_tagged(name, tag, colour_range, pixel_format):
    lowest, highest = WITHIN[pixel_format]
    for colour in COLOURS:
        frame = plain_frame(colour, pixel_format)
        frame.colorspace, frame.color_range = tag, colour_range

        error = Pictures(WarningLog()).make(frame) - exact_bgr(*colour, WEIGHTS[name], colour_range == FULL)

        assert lowest <= error.min()
        assert error.max() <= highest


@pytest.mark.parametrize(("size", "name"), [((720, 576), "601"), ((1280, 720), "709")])
@pytest.mark.parametrize("tag", [UNTAGGED, 3, 17])
def test_a_frame_without_a_usable_tag_is_taken_for_what_its_size_suggests(size, name, tag):
    frame = plain_frame((100, 90, 160), "yuv444p", size)
    frame.colorspace = tag

    error = Pictures(WarningLog()).make(frame) - exact_bgr(100, 90, 160, WEIGHTS[name], full=False)

    assert np.abs(error).max() <= 0.6


def test_the_full_range_of_a_jpeg_format_needs_no_tag():
    frame = plain_frame((100, 90, 160), "yuvj420p")

    error = Pictures(WarningLog()).make(frame) - exact_bgr(100, 90, 160, WEIGHTS["601"], full=True)

    assert error.min() >= -3
    assert error.max() <= 0.5


@pytest.mark.parametrize("matrix", [Colorspace.ITU601, Colorspace.ITU709, Colorspace.BT2020])
@pytest.mark.parametrize("full_range", [False, True])
def test_a_coded_and_tagged_video_comes_back_in_its_colours(tmp_path, matrix, full_range):
    patches = np.zeros((48, 96, 3), np.uint8)
    patches[:, :32], patches[:, 32:64], patches[:, 64:] = (200, 60, 40), (40, 180, 60), (60, 60, 210)
    write_clip(
        tmp_path / "a.mp4",
        size=(96, 48),
        frames=1,
        colour=Colour(matrix, full_range),
        picture=lambda number, width, height: patches,
    )

    (image,) = read_video(tmp_path / "a.mp4").images

    for column in (16, 48, 80):
        assert np.abs(image[24, column].astype(int) - patches[24, column]).max() <= 6


TURNS = [
    (rotation, hflip, vflip)
    for rotation in (0, 90, 180, 270)
    for hflip in (False, True)
    for vflip in (False, True)
]


@pytest.mark.parametrize(("rotation", "hflip", "vflip"), TURNS)
def test_pictures_are_upright_whatever_the_file_says_of_rotation_and_flips(tmp_path, rotation, hflip, vflip):
    path = tmp_path / "a.mov"
    stored = write_clip(path, frames=2, rotation=rotation, hflip=hflip, vflip=vflip)

    reading = read_video(path)

    expected = turned(stored[0], rotation, hflip, vflip)
    assert (reading.info.height, reading.info.width) == expected.shape[:2]
    assert np.abs(reading.images[0].astype(int) - expected).mean() < 3
    assert all(image.flags.c_contiguous for image in reading.images)


def test_a_matrix_of_the_standard_takes_every_point_where_it_says():
    """The slow, obvious way: each point of the stored picture goes to (a*x + c*y, b*x + d*y)."""
    stored = numbered_picture(5, 8, 6)
    for a, b, c, d in [
        (0, 1, -1, 0),
        (0, -1, 1, 0),
        (0, 1, 1, 0),
        (0, -1, -1, 0),
        (-1, 0, 0, 1),
        (1, 0, 0, -1),
    ]:
        upright = Pictures(WarningLog()).make(decoded_with_matrix(stored, (a, b, 0, c, d, 0, 0, 0, 1)))
        points = {(x, y): (a * x + c * y, b * x + d * y) for y in range(6) for x in range(8)}
        left, top = min(x for x, _ in points.values()), min(y for _, y in points.values())
        for (x, y), (to_x, to_y) in points.items():
            assert np.abs(upright[to_y - top, to_x - left].astype(int) - stored[y, x]).max() <= 1


def test_a_rotation_that_is_no_quarter_turn_is_left_out_with_a_warning(tmp_path):
    path = tmp_path / "a.mov"
    write_clip(path, frames=3, rotation=30)

    reading = read_video(path)

    assert reading.numbers == [0, 1, 2]
    assert reading.warnings == ("the rotation is not by quarter turns and was left out",)


def combed(number: int, width: int, height: int) -> np.ndarray:
    """Two moments in one picture, as interlaced cameras make it: a bar that moves on between the fields."""
    picture = numbered_picture(number, width, height)
    for field in (0, 1):
        left = 8 + 16 * number + 8 * field
        picture[16 + field :: 2, :] = 40
        picture[16 + field :: 2, left : left + 24] = 215
    return picture


def comb_strength(image: np.ndarray) -> float:
    """How much neighbouring rows differ where rows two apart are alike."""
    rows = image[18:-2].astype(float)
    return float((np.abs(rows[1:-1] - rows[2:]) - np.abs(rows[:-2] - rows[2:])).mean())


@pytest.mark.parametrize(("name", "options"), [("a.mp4", {}), ("a.mkv", {"rotation": 180})])
def test_interlaced_video_gives_one_whole_picture_for_each_frame_with_its_stamp(tmp_path, name, options):
    interlaced, progressive = tmp_path / name, tmp_path / f"progressive_{name}"
    times = [0, 40, 80, 130, 170, 300]
    for path, flag in ((interlaced, True), (progressive, False)):
        changes = options | {"interlaced": flag, "picture": combed, "time_base": Fraction(1, 1000)}
        write_clip(path, size=(160, 64), times=times, **changes)

    whole, torn = read_video(interlaced), read_video(progressive)

    assert whole.times == torn.times
    assert len(whole.frames) == len(times)
    upright = [image[::-1, ::-1] if options else image for image in whole.images]
    assert [number_of(image) for image in upright] == list(range(len(times)))
    assert comb_strength(torn.images[2]) > 10
    assert comb_strength(whole.images[2]) < comb_strength(torn.images[2]) / 4


def test_what_was_decoded_is_freed_at_once_and_not_when_garbage_is_collected(tmp_path):
    write_clip(tmp_path / "a.mov", frames=50, rotation=90)
    source = open_video(tmp_path / "a.mov")
    gc.collect()
    gc.disable()
    try:
        while source.read() is not None:
            pass
        garbage = gc.collect()
    finally:
        gc.enable()
        source.close()

    assert garbage < 25  # some objects for a file, none for a frame


def test_pictures_are_not_changed_by_reading_on(tmp_path):
    write_clip(tmp_path / "a.mp4", frames=10)
    source = open_video(tmp_path / "a.mp4")
    first = source.read()
    before = first.image.copy()
    while source.read() is not None:
        pass
    source.close()

    assert np.array_equal(first.image, before)


def decoded_with_matrix(picture: np.ndarray, matrix: tuple[int, ...]) -> av.VideoFrame:
    """A frame as a decoder gives it for a file with this display matrix; lossless."""
    file = io.BytesIO()
    with av.open(file, "w", format="mov") as output:
        stream = output.add_stream("libx264rgb", rate=25, options={"qp": "0", "preset": "ultrafast"})
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "bgr24"
        scale = [1 << 16, 1 << 16, 1 << 30] * 3
        stream.set_display_matrix([value * unit for value, unit in zip(matrix, scale, strict=True)])
        output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        output.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as source:
        return next(source.decode(video=0))
