"""A real HTTP(S) server on loopback that answers well or badly, as a test tells it to."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import io
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from model.checkpoints.transfer import HTTPS_ONLY, Progress, TransferRules, fetch

ETAG = '"version-1"'


def _weights_file() -> bytes:
    file = io.BytesIO()
    torch.save({"weight": torch.arange(19_000, dtype=torch.float32)}, file)
    return file.getvalue()


CONTENT = _weights_file()
IN_THE_CLEAR = dataclasses.replace(HTTPS_ONLY, schemes=("http",), max_bytes=200_000, timeout=5.0)


class Handler(http.server.BaseHTTPRequestHandler):
    """Notes the request's headers and leaves the answer to the server's `answer`."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self.server.requests.append(dict(self.headers))
        self.close_connection = True
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.server.answer(self)

    def send_head(self, status: int, **headers: object) -> None:
        """Status line and headers; `Content_Length=3` becomes `Content-Length: 3`."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


Answer = Callable[[Handler], None]


class _Server(http.server.ThreadingHTTPServer):
    answer: Answer
    requests: list[dict[str, str]]
    closing: threading.Event

    def handle_error(self, *args: object) -> None:
        pass  # a client that hangs up, in a handshake too, is what some tests want


@dataclass
class WeightsServer:
    """A running server: where it is, what it answers next, and which headers it was sent so far."""

    address: str
    server: _Server = field(repr=False)

    @property
    def requests(self) -> list[dict[str, str]]:
        return self.server.requests

    def answer_with(self, answer: Answer) -> None:
        self.server.answer = answer


@contextlib.contextmanager
def serving(
    answer: Answer, tls: ssl.SSLContext | None = None, name: str = "tiny.pth"
) -> Iterator[WeightsServer]:
    """Serve `answer` for every request until the block ends; all threads have ended then."""
    server = _Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    server.answer, server.requests, server.closing = answer, [], threading.Event()
    if tls is not None:
        # the handshake then happens in the request's own thread
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="weights-server")
    thread.start()
    try:
        scheme = "https" if tls else "http"
        yield WeightsServer(f"{scheme}://127.0.0.1:{server.server_port}/{name}", server)
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def whole(content: bytes, etag: str | None = ETAG, **headers: object) -> Answer:
    """The file as a server should send it: Range and If-Range are honoured when there is an `etag`."""

    def answer(request: Handler) -> None:
        tag = {"ETag": etag} if etag else {}
        wanted = request.headers.get("Range", "")
        if not wanted or request.headers.get("If-Range") != etag:
            request.send_head(200, Content_Length=len(content), **tag, **headers)
            request.wfile.write(content)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            request.send_head(416, Content_Range=f"bytes */{len(content)}", Content_Length=0)
            return
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        request.send_head(206, Content_Length=len(content) - start, Content_Range=span, **tag)
        request.wfile.write(content[start:])

    return answer


def cut_off(content: bytes, after: int, etag: str | None = ETAG) -> Answer:
    """Announces all of `content` but hangs up after the first bytes."""

    def answer(request: Handler) -> None:
        request.send_head(200, Content_Length=len(content), **({"ETag": etag} if etag else {}))
        request.wfile.write(content[:after])

    return answer


def stalled(content: bytes, after: int) -> Answer:
    """Sends the first bytes, then nothing more, but stays connected."""

    def answer(request: Handler) -> None:
        request.send_head(200, Content_Length=len(content), ETag=ETAG)
        request.wfile.write(content[:after])
        request.server.closing.wait(10)

    return answer


def chunked(pieces: Iterator[bytes] | list[bytes], *, ends: bool = True) -> Answer:
    """A body whose length is not announced; without `ends` the last chunk never comes."""

    def answer(request: Handler) -> None:
        request.send_head(200, Transfer_Encoding="chunked", ETag=ETAG)
        for piece in pieces:
            request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if ends:
            request.wfile.write(b"0\r\n\r\n")

    return answer


def fixed(status: int, body: bytes = b"", **headers: object) -> Answer:
    """One status, some headers and a body, whatever was asked for."""

    def answer(request: Handler) -> None:
        request.send_head(status, Content_Length=len(body), **headers)
        request.wfile.write(body)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """The first answer to the first request, the second to the second, and so on."""
    queue = list(answers)
    return lambda request: queue.pop(0)(request)


def certify(folder: Path) -> Path:
    """A new certificate for 127.0.0.1 with its key, in one file; name it in SSL_CERT_FILE to trust it."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl program, which makes the test server's certificate")
    path = folder / "server.pem"
    key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        str(folder / "key"),
    ]
    owner = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    command = ["openssl", "req", "-x509", *key, *owner, "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text((folder / "key").read_text() + path.read_text())
    return path


def tls_context(certificate: Path) -> ssl.SSLContext:
    """The server's side of TLS with a certificate of `certify`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def get(
    server: WeightsServer, part: Path, rules: TransferRules = IN_THE_CLEAR, progress: Progress | None = None
) -> bytes:
    """What `fetch` makes of the server's answer."""
    part.parent.mkdir(exist_ok=True)
    fetch(server.address, part, rules, progress)
    return part.read_bytes()


def nothing_is_kept(part: Path) -> bool:
    """Whether the folder of an unfinished download is empty."""
    return not list(part.parent.iterdir())
