"""FFmpeg's protocols, formats and options for each kind of network stream."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

from pipeline.sources.ffmpeg import CONTAINERS, limits

_WEB = ("http", "https", "httpproxy", "tcp", "tls", "crypto")
_HLS = ("hls", "aac", "mp3", "ac3", "eac3", "webvtt")


@dataclass(frozen=True)
class Transport:
    """FFmpeg's protocols that a kind of address may use (`file` is never among them), and its formats.

    endless: a stream has no end of its own, so that an end is a lost connection
    """

    protocols: tuple[str, ...]
    formats: tuple[str, ...] = CONTAINERS
    options: dict[str, str] = field(default_factory=dict)
    endless: bool = True


# a dropped download of known length goes on where it was; FFmpeg does that by itself
_RESUMED = {"reconnect": "1", "reconnect_delay_max": "4"}
# interleaved in one connection: nothing is lost or reordered, and it passes firewalls
_INTERLEAVED = {"rtsp_transport": "tcp"}
# a burst of a megabyte waits for its reader; more than that is dropped, and does not end the stream
_DATAGRAMS = {"buffer_size": "1048576", "overrun_nonfatal": "1"}

TRANSPORTS = {
    "http": Transport(_WEB, CONTAINERS + _HLS, _RESUMED, endless=False),
    "https": Transport(_WEB, CONTAINERS + _HLS, _RESUMED, endless=False),
    "rtmp": Transport(("rtmp", "tcp"), options={"rtmp_live": "live"}),
    "rtmps": Transport(("rtmps", "rtmp", "tls", "tcp"), options={"rtmp_live": "live"}),
    "rtsp": Transport(("rtsp", "rtp", "tcp"), ("rtsp",), _INTERLEAVED),
    "rtsps": Transport(("rtsps", "rtsp", "rtp", "tls", "tcp"), ("rtsp",), _INTERLEAVED),
    "udp": Transport(("udp",), options=_DATAGRAMS),
}
"""The kinds of addresses that can be opened."""

# What is known of a stream after three frames is enough: waiting for more only delays the first picture.
# Frames that were read on the way are kept (no `nobuffer`): they decode at once, and without its key frame a
# stream shows nothing for seconds. No `low_delay` either: it breaks the order of streams with B-frames.
_LOW_LATENCY = {"fpsprobesize": "3", "analyzeduration": "3000000"}


def options_for(transport: Transport) -> dict[str, str]:
    """Return the options for FFmpeg."""
    secure = _verified() if "tls" in transport.protocols else {}
    return limits(transport.formats, transport.protocols) | _LOW_LATENCY | secure | transport.options


def _verified() -> dict[str, str]:
    """Certificates are checked, against the authorities that Python trusts too (`SSL_CERT_FILE`)."""
    authorities = ssl.get_default_verify_paths().cafile
    return {"tls_verify": "1"} | ({"ca_file": authorities} if authorities else {})
