"""The tables of codecs and containers that videos can be written in; a cheap import, without FFmpeg."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class VideoCodec:
    """A codec by the name that people know it by.

    encoders:        FFmpeg's names of the encoders that can make it, the best first
    pixels:          FFmpeg's pixel format that goes in; yuv420p is what every player can show
    options:         always given to the encoder
    quality_options: those that take the quality, where there are any
    quality:         their value unless somebody asks for another; smaller is better and larger
    best, worst:     the smallest and the largest value that the encoder takes for a quality
    has_presets:     True where the encoder knows x264's presets, such as "veryfast"
    tag:             the four letters that mp4 and mov name it by, where FFmpeg's own choice is not the best
    environment:     variables that the encoder's library reads when it starts
    """

    encoders: tuple[str, ...]
    pixels: str = "yuv420p"
    options: Mapping[str, str] = field(default_factory=dict)
    quality_options: tuple[str, ...] = ()
    quality: int = 0
    best: int = 0
    worst: int = 51
    has_presets: bool = False
    tag: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def encoder_options(self, quality: int | None, preset: str) -> dict[str, str]:
        """The options for the encoder; `quality` None takes the codec's own."""
        options = dict(self.options)
        if self.has_presets:
            options["preset"] = preset
        chosen = self.quality if quality is None else quality
        return options | dict.fromkeys(self.quality_options, str(chosen))


def _nvidia(encoder: str, quality: int, worst: int = 51, tag: str | None = None) -> VideoCodec:
    options = {"preset": "p4", "rc": "vbr"}
    return VideoCodec(
        (encoder,),
        options=options,
        quality_options=("cq",),
        quality=quality,
        best=1,  # 0 leaves it to the encoder
        worst=worst,
        tag=tag,
    )


CODECS: dict[str, VideoCodec] = {
    "h264": VideoCodec(("libx264",), quality_options=("crf",), quality=23, has_presets=True),
    # players of Apple open HEVC only under this tag; the library would talk on stderr unasked
    "hevc": VideoCodec(("libx265",), options={"x265-params": "log-level=none"},
                       quality_options=("crf",), quality=28, has_presets=True, tag="hvc1"),
    # a CRF of 0 would count as none
    "av1": VideoCodec(("libsvtav1",), options={"preset": "8"}, quality_options=("crf",), quality=35,
                      best=1, worst=63, environment={"SVT_LOG": "1"}),
    "vp9": VideoCodec(("libvpx-vp9",), quality_options=("crf",), quality=32, worst=63,
                      options={"b": "0", "deadline": "good", "cpu-used": "5", "row-mt": "1"}),
    "prores": VideoCodec(("prores_ks",), pixels="yuv422p10le", options={"profile": "3"}),
    # one quantiser throughout: this encoder heeds `global_quality` only where each frame carries it too
    "mpeg4": VideoCodec(("mpeg4",), quality_options=("qmin", "qmax"), quality=4, best=1, worst=31),
    "ffv1": VideoCodec(("ffv1",), pixels="bgr0", options={"level": "3", "slices": "4"}),
    "h264_nvenc": _nvidia("h264_nvenc", 23),
    "hevc_nvenc": _nvidia("hevc_nvenc", 28, tag="hvc1"),
    "av1_nvenc": _nvidia("av1_nvenc", 35, worst=63),
}  # fmt: skip


@dataclass(frozen=True)
class VideoContainer:
    """A container by its suffix.

    format:  FFmpeg's name
    codecs:  keys of `CODECS` that players expect in it; the first one is its default
    exact:   True where it holds any time stamp exactly, False where it counts whole milliseconds
    """

    format: str
    codecs: tuple[str, ...]
    exact: bool


_MP4 = ("h264", "hevc", "av1", "vp9", "mpeg4", "h264_nvenc", "hevc_nvenc", "av1_nvenc")
_MOV = ("h264", "hevc", "prores", "mpeg4", "h264_nvenc", "hevc_nvenc")
CONTAINERS: dict[str, VideoContainer] = {
    ".mp4": VideoContainer("mp4", _MP4, exact=True),
    ".mov": VideoContainer("mov", _MOV, exact=True),
    ".mkv": VideoContainer("matroska", tuple(CODECS), exact=False),
    ".webm": VideoContainer("webm", ("vp9", "av1", "av1_nvenc"), exact=False),
}
