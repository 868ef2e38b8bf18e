"""Dolby Vision without a base layer that other decoders can show is refused; what is compatible is read."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from model.errors import SourceError
from tests.clips import write_clip
from tests.pipeline.sources.picture.entries import mp4_with
from tests.pipeline.sources.reading import read_video


def record(profile: int, compatibility: int) -> bytes:
    """A DOVIDecoderConfigurationRecord: version 1.0, level 6, with metadata and a base layer."""
    return bytes([1, 0, profile << 1, 6 << 3 | 0b101, compatibility << 4])


def in_mp4(path: Path, content: bytes) -> None:
    content = content.ljust(24, b"\0")
    mp4_with(path, (8 + len(content)).to_bytes(4) + b"dvcC" + content, frames=2)


def in_matroska(path: Path, content: bytes) -> None:
    """In the place of the track's name, which is as long."""
    content = content.ljust(14, b"\0")
    told = b"\x41\xe7\x84dvcC" + b"\x41\xed" + bytes([0x80 | len(content)]) + content
    plain = path.with_suffix(".mp4")
    write_clip(plain, frames=2)
    with av.open(str(plain)) as source, av.open(str(path), "w", "matroska") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        stream.metadata["title"] = "x" * len(told)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    size = bytes([0x80 | len(told)])
    data = path.read_bytes()
    name = b"\x53\x6e" + size + b"x" * len(told)
    assert data.count(name) == 1
    path.write_bytes(data.replace(name, b"\x41\xe4" + size + told))


@pytest.mark.parametrize(("name", "write"), [("a.mp4", in_mp4), ("a.mov", in_mp4), ("a.mkv", in_matroska)])
@pytest.mark.parametrize("profile", [5, 10])
def test_colours_that_only_dolby_can_decode_are_refused(
    tmp_path: Path, name: str, write, profile: int
) -> None:
    write(tmp_path / name, record(profile, 0))
    with pytest.raises(SourceError, match=f"{name}: Dolby Vision of profile {profile}, .* convert it"):
        read_video(tmp_path / name)


@pytest.mark.parametrize(("name", "write"), [("a.mp4", in_mp4), ("a.mkv", in_matroska)])
@pytest.mark.parametrize(("profile", "compatibility"), [(10, 1), (8, 1), (8, 4)])
def test_a_base_layer_that_is_hdr10_hlg_or_bt709_is_read(
    tmp_path: Path, name: str, write, profile: int, compatibility: int
) -> None:
    write(tmp_path / name, record(profile, compatibility))
    assert len(read_video(tmp_path / name).images) == 2
