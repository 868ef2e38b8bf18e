"""A camera that speaks RTSP, as far as one reader over TCP needs it (RFC 2326, RFC 6184)."""

from __future__ import annotations

import base64
import contextlib
import io
import socket
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import av

from tests.pipeline.sources.media_server import closed_port

_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track1\r\n"
)


@dataclass
class Camera:
    """A running camera; `login` is what it wants as user:password, `first` where in the video it begins."""

    port: int
    login: str | None
    content: bytes
    first: int


class _Reader(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while request := self._request():
                self._answer(*request)

    def _request(self) -> tuple[str, dict[str, str]] | None:
        line = self.rfile.readline().decode().strip()
        headers = {}
        while header := self.rfile.readline().decode().strip():
            key, _, value = header.partition(":")
            headers[key.lower()] = value.strip()
        return (line.split()[0], headers) if line else None

    def _answer(self, method: str, headers: dict[str, str]) -> None:
        camera: Camera = self.server.camera
        login = base64.b64decode(headers.get("authorization", "").removeprefix("Basic ")).decode()
        if camera.login not in (None, login):
            self._send(headers, "401 Unauthorized", "WWW-Authenticate: Basic realm=camera\r\n")
        elif method == "DESCRIBE":
            self._send(headers, "200 OK", "Content-Type: application/sdp\r\n", _SDP)
        elif method == "SETUP":
            self._send(headers, "200 OK", f"Transport: {headers['transport']}\r\nSession: 1\r\n")
        else:
            self._send(headers, "200 OK", "Public: DESCRIBE, SETUP, PLAY\r\nSession: 1\r\n")
        if method == "PLAY":
            for packet in rtp_packets(camera.content)[camera.first :]:
                self.wfile.write(b"$\0" + len(packet).to_bytes(2, "big") + packet)

    def _send(self, headers: dict[str, str], status: str, more: str, body: str = "") -> None:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self.wfile.write(f"RTSP/1.0 {status}\r\nCSeq: {headers['cseq']}\r\n{more}{length}\r\n{body}".encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = False
    allow_reuse_address = True
    camera: Camera


@contextlib.contextmanager
def camera(content: bytes, login: str | None = None, first: int = 0) -> Iterator[Camera]:
    """A camera that shows an H.264 video once to everyone who asks, then keeps silent."""
    with _Server(("127.0.0.1", 0), _Reader) as server:
        server.camera = Camera(server.server_address[1], login, content, first)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="rtsp server")
        thread.start()
        try:
            yield server.camera
        finally:
            server.shutdown()
            thread.join()


def rtp_packets(content: bytes) -> list[bytes]:
    """A video as FFmpeg packs it into RTP, caught on its way."""
    port = closed_port(socket.SOCK_DGRAM)
    packets: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as catcher:
        catcher.bind(("127.0.0.1", port))
        catcher.setblocking(False)
        with (
            av.open(io.BytesIO(content)) as source,
            av.open(f"rtp://127.0.0.1:{port}", "w", format="rtp", options={"payload_type": "96"}) as output,
        ):
            stream = output.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    output.mux(packet)
                    with contextlib.suppress(BlockingIOError):
                        while True:
                            packets.append(catcher.recv(2048))
    return packets
