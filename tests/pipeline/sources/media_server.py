"""Streams on loopback for tests: over HTTP, well and badly, and over UDP."""

from __future__ import annotations

import contextlib
import functools
import socket
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2

from tests.clips import numbered_picture, write_clip
from tests.weights_server import Answer, Handler

PIECE = 1880  # bytes, ten packets of MPEG-TS


@functools.cache
def media(name: str = "a.ts", frames: int = 30) -> bytes:
    """A small video as bytes; the suffix says in which container. MPEG-TS can be joined at any key frame."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        fast_start = {"movflags": "+faststart"} if path.suffix == ".mp4" else {}
        write_clip(path, frames=frames, options={"g": "10"}, container_options=fast_start)
        return path.read_bytes()


def live(content: bytes, *, stalls: bool = False) -> Answer:
    """A body of no announced length, as of a camera; at its end the server hangs up, or keeps silent."""

    def answer(request: Handler) -> None:
        request.send_head(200, Transfer_Encoding="chunked", Content_Type="video/mp2t")
        for start in range(0, len(content), PIECE):
            piece = content[start : start + PIECE]
            request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if stalls:
            request.server.closing.wait(20)
        else:
            request.wfile.write(b"0\r\n\r\n")

    return answer


def motion_jpeg(count: int, *, pause: float) -> Answer:
    """What most cameras send to a browser: one JPEG after another, without time stamps or an end."""

    def answer(request: Handler) -> None:
        request.send_head(200, Content_Type="multipart/x-mixed-replace; boundary=frame")
        for number in range(count):
            picture = cv2.imencode(".jpg", numbered_picture(number, 64, 48))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            request.wfile.write(head.encode() + picture + b"\r\n")
            request.server.closing.wait(pause)

    return answer


@contextlib.contextmanager
def nonsense(content: bytes) -> Iterator[int]:
    """A port that answers whoever asks with these bytes, whatever is asked, and hangs up."""

    class Answering(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):
                self.request.recv(4096)
                self.request.sendall(content)

    with socketserver.TCPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="nonsense server")
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def silence() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def closed_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port at which nobody listens."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def sending_over_udp(port: int, content: bytes) -> Iterator[None]:
    """Sends an MPEG-TS file again and again, in real datagrams of FFmpeg's size, until the block ends."""
    ended = threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not ended.is_set():
                for start in range(0, len(content), 1316):
                    with contextlib.suppress(ConnectionError):  # nobody listens yet
                        sender.sendto(content[start : start + 1316], ("127.0.0.1", port))
                    ended.wait(0.002)

    thread = threading.Thread(target=send, name="udp sender")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
