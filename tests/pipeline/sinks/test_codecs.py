"""Every codec in every container that is offered, and what is refused before work starts."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest

from model.errors import ConfigError, SinkError
from pipeline.sinks.codecs import available, check_output, default_codec
from pipeline.sinks.formats import CODECS, CONTAINERS, VideoCodec
from pipeline.sinks.video import VideoSink
from tests.clips import number_of
from tests.pipeline.sinks.recordings import fill, info, left_in, numbered, pictures, times
from tests.source_tree import ROOT

SOFTWARE = [name for name in CODECS if not name.endswith("_nvenc")]
PAIRS = [(suffix, name) for suffix, c in CONTAINERS.items() for name in c.codecs if name in SOFTWARE]
STAMPS = [0, 40, 70, 160, 200, 240]


@pytest.mark.parametrize(("suffix", "codec"), PAIRS)
def test_every_pair_on_offer_keeps_every_frame_and_stamp(
    tmp_path: Path, suffix: str, codec: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"o{suffix}"
    report = fill(VideoSink(path, codec), info(), numbered(STAMPS, size=(128, 96)))
    assert times(path) == [Fraction(t, 1000) for t in STAMPS]
    assert [number_of(picture) for picture in pictures(path)] == list(range(6))
    assert not report.problems
    assert capfd.readouterr() == ("", "")  # no library talks on its own


@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_videos_are_whole_too(tmp_path: Path, suffix: str, frames: int) -> None:
    for codec in CONTAINERS[suffix].codecs[:2]:
        sink = VideoSink(tmp_path / f"o{suffix}", codec, overwrite=True)
        assert fill(sink, info(), numbered(STAMPS[:frames])).whole


def test_this_build_has_all_software_codecs() -> None:
    assert set(SOFTWARE) <= set(available())


def test_players_of_apple_find_the_tag_that_they_want(tmp_path: Path) -> None:
    fill(VideoSink(tmp_path / "o.mp4", "hevc"), info(), numbered(STAMPS))
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


@pytest.mark.parametrize(("preset", "effort"), [("ultrafast", b"subme=0"), ("medium", b"subme=7")])
def test_the_preset_reaches_the_encoder(tmp_path: Path, preset: str, effort: bytes) -> None:
    fill(VideoSink(tmp_path / "o.mp4", preset=preset), info(), numbered(STAMPS))
    assert effort in (tmp_path / "o.mp4").read_bytes()  # x264 writes its settings into the video


def test_the_tables_of_formats_are_there_without_ffmpeg() -> None:
    code = "import sys, pipeline.sinks.formats; print({'av', 'cv2', 'numpy', 'torch'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert told.stdout == "set()\n"


def test_a_suffix_in_capitals_is_the_same(tmp_path: Path) -> None:
    assert fill(VideoSink(tmp_path / "O.MP4"), info(), numbered(STAMPS)).path == tmp_path / "O.MP4"


@pytest.mark.parametrize(
    ("name", "codec", "crf", "said"),
    [
        ("o.avi", None, None, r"o\.avi: videos end in \.mp4, \.mov, \.mkv, \.webm, got \.avi"),
        ("o", None, None, "got no suffix"),
        ("o.webm", "h264", None, r"\.webm does not go with h264; it takes vp9, av1"),
        ("o.mp4", "prores", None, r"\.mp4 does not go with prores; it takes h264"),
        ("o.mp4", "h265", None, "no video codec is named 'h265'; there are h264, hevc"),
        ("o.mp4", "h264", 52, r"a CRF of 52 is out of range for h264: 0 \(best\) to 51"),
        ("o.mp4", "h264", -1, "CRF of -1"),
        ("o.mp4", "av1", 0, r"0 is out of range for av1: 1 \(best\) to 63"),
        ("o.mov", "prores", 20, "prores has no quality to choose, got a CRF of 20"),
        ("o.mkv", "ffv1", 0, "ffv1 has no quality to choose, got a CRF of 0"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(
    tmp_path: Path, name: str, codec: str | None, crf: int | None, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        check_output(tmp_path / name, codec, crf)
    assert left_in(tmp_path) == []


def test_the_sink_refuses_the_same_and_leaves_nothing(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "o.webm", "h264")
    with pytest.raises(ConfigError, match="does not go with"):
        sink.open(info())
    assert left_in(tmp_path) == []


def test_an_encoder_that_this_build_lacks_is_refused_with_what_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CODECS, "h264", VideoCodec(("no_such_encoder",)))
    with pytest.raises(ConfigError, match="h264: this build of FFmpeg has no such encoder; it has hevc"):
        check_output(Path("o.mp4"))


@pytest.mark.parametrize(("name", "codec"), [("o.mp4", "h264"), ("o.webm", "vp9"), ("o.mkv", "h264")])
def test_each_container_has_its_usual_codec(name: str, codec: str) -> None:
    assert default_codec(Path(name)) == codec
    check_output(Path(name))


def test_hardware_that_is_not_there_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    if "h264_nvenc" not in available():
        pytest.skip("this build of FFmpeg does not know NVIDIA's encoders")
    sink = VideoSink(tmp_path / "o.mp4", "h264_nvenc")
    sink.open(info())
    try:
        sink.write(next(numbered(STAMPS, size=(256, 256))))
    except SinkError as error:
        assert "the encoder h264_nvenc refuses 256 x 256" in str(error)  # noqa: PT017
    else:
        sink.close(complete=True)
        pytest.skip("this machine has the hardware")
    assert sink.close(complete=False).path is None
    assert left_in(tmp_path) == []
