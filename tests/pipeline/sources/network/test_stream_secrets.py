"""A network stream tells no password, and reaches nothing but the network."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import av.logging
import pytest

from model.errors import SourceError
from pipeline.sources.network.receiver import Reconnect
from pipeline.sources.network.stream import open_stream
from tests.clips import write_clip
from tests.pipeline.sources.media_server import closed_port, live, media, silence
from tests.pipeline.sources.rtsp_server import camera
from tests.weights_server import fixed, in_turn, serving, whole

QUICK = Reconnect(attempts=1, first_delay=0.01)
SOON = {"open_timeout": 0.5, "read_timeout": 0.5, "reconnect": QUICK}
USER, PASSWORD, TOKEN = "klaus", "geh3im", "t0ps3cret"

pytestmark = pytest.mark.usefixtures("no_proxy")


def secret(address: str) -> str:
    """The address with a user, a password and a token in it."""
    return f"{address.replace('://', f'://{USER}:{PASSWORD}@')}?token={TOKEN}"


def tells(*texts: object) -> list[str]:
    """The secrets that stand in any of these."""
    return [word for word in (USER, PASSWORD, TOKEN) if any(word in str(text) for text in texts)]


def everything_about(error: BaseException) -> str:
    """The message, the whole traceback, and all errors behind it, whether they are shown or not."""
    texts = ["".join(traceback.format_exception(error))]
    behind: BaseException | None = error
    while behind is not None:
        texts.append(repr(behind))
        behind = behind.__cause__ or behind.__context__
    return "\n".join(texts)


def test_what_is_known_of_an_open_stream_tells_no_secret():
    with serving(in_turn(live(media()), fixed(404), fixed(404))) as server:
        source = open_stream(secret(server.address), reconnect=QUICK)
        for _ in range(30):
            source.read()
        with pytest.raises(SourceError) as caught:
            source.read()
        source.close()

    assert source.info.name == f"{server.address.replace('://', '://***@')}?token=***"
    assert source.warnings
    assert tells(source.info, source.warnings, repr(source), everything_about(caught.value)) == []


def failing_addresses() -> dict[str, str]:
    port = closed_port()
    return {
        "refused": f"http://127.0.0.1:{port}/x",
        "refused rtsp": f"rtsp://127.0.0.1:{port}/x",
        "unknown host": "http://host.invalid/x",
        "malformed": "http://[::1/x",
        "bad port": "rtsp://127.0.0.1:notaport/x",
        "scheme": "ftp://host/x",
        "nul": "http://127.0.0.1/\0x",
        "surrogate": "http://127.0.0.1/\udcff",
    }


@pytest.mark.parametrize("kind", failing_addresses())
def test_no_error_of_opening_tells_a_secret(kind):
    with pytest.raises(SourceError) as caught:
        open_stream(secret(failing_addresses()[kind]), **SOON)

    assert tells(everything_about(caught.value)) == []
    assert "\n" not in str(caught.value)


def test_no_time_out_and_no_refused_password_tells_a_secret():
    with silence() as port, pytest.raises(SourceError) as late:
        open_stream(secret(f"rtsp://127.0.0.1:{port}/x"), **SOON)
    with camera(media(), login="another:one") as server, pytest.raises(SourceError) as refused:
        open_stream(secret(f"rtsp://127.0.0.1:{server.port}/x"), **SOON)

    assert tells(everything_about(late.value), everything_about(refused.value)) == []


def test_nothing_is_logged_or_printed(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with serving(fixed(404)) as server, pytest.raises(SourceError):
        open_stream(secret(server.address), **SOON)

    assert av.logging.get_level() is None  # FFmpeg's own messages, which tell addresses, go nowhere
    assert caplog.text == ""
    assert tells(*capfd.readouterr()) == []


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n"


def test_a_playlist_of_the_network_may_lead_to_the_network(tmp_path):
    playlist, segment = PLAYLIST.format(target="segment.ts").encode(), media()
    answers = {"list.m3u8": playlist, "segment.ts": segment}

    def answer(request):
        whole(answers[request.path.rpartition("/")[2]], Content_Type="application/x-mpegurl")(request)

    with serving(answer, name="list.m3u8") as server:
        source = open_stream(server.address)
        frames = list(iter(source.read, None))
        source.close()

    assert len(frames) == 30


@pytest.mark.parametrize("prefix", ["file://", ""])
def test_a_playlist_of_the_network_may_not_lead_to_a_file(tmp_path, prefix):
    path = tmp_path / "private.ts"
    write_clip(path)
    playlist = PLAYLIST.format(target=f"{prefix}{path}").encode()
    answer = whole(playlist, Content_Type="application/x-mpegurl")
    with serving(answer, name="list.m3u8") as server, pytest.raises(SourceError):
        open_stream(server.address, **SOON)


def test_a_redirection_may_not_lead_to_a_file(tmp_path):
    path = Path(tmp_path / "private.mp4")
    write_clip(path)
    with serving(fixed(302, Location=f"file://{path}")) as server, pytest.raises(SourceError):
        open_stream(server.address, **SOON)


def test_a_list_of_files_is_no_stream(tmp_path):
    path = tmp_path / "private.mp4"
    write_clip(path)
    content = f"ffconcat version 1.0\nfile {path}\n".encode()
    with serving(whole(content), name="list.ffconcat") as server, pytest.raises(SourceError):
        open_stream(server.address, **SOON)
