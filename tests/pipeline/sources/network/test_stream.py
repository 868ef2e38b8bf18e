"""Network streams, all of them on loopback."""

from __future__ import annotations

import socket
from fractions import Fraction

import pytest

from model.errors import SourceError
from pipeline.sources.addresses import SCHEMES
from pipeline.sources.network.receiver import Reconnect
from pipeline.sources.network.stream import open_stream
from pipeline.sources.network.transports import TRANSPORTS
from tests.pipeline.sources.media_server import (
    closed_port,
    live,
    media,
    motion_jpeg,
    nonsense,
    sending_over_udp,
    silence,
)
from tests.pipeline.sources.reading import read_all
from tests.pipeline.sources.rtsp_server import camera
from tests.weights_server import cut_off, fixed, in_turn, serving, stalled, tls_context, whole

QUICK = Reconnect(attempts=2, first_delay=0.01, longest_delay=0.02)
SOON = {"open_timeout": 0.7, "read_timeout": 0.7, "reconnect": QUICK}
PATIENT = {"open_timeout": 20.0, "read_timeout": 20.0}
STALLED = SOON | {"open_timeout": 20.0}

pytestmark = pytest.mark.usefixtures("no_proxy")


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts"])
def test_a_recording_over_http_is_read_whole_and_waits_for_its_reader(name):
    with serving(whole(media(name)), name=name) as server:
        reading = read_all(open_stream(server.address))

    assert reading.numbers == list(range(30))
    assert [time - reading.times[0] for time in reading.times] == [Fraction(n, 25) for n in range(30)]
    assert (reading.info.live, reading.info.name, reading.info.path) == (False, server.address, None)
    assert reading.warnings == ()


def test_a_live_stream_is_told_by_its_missing_length():
    with serving(live(media()), name="live.ts") as server:
        source = open_stream(server.address)
        info = source.info
        source.close()

    assert info.live
    assert (info.width, info.height, info.frame_rate) == (64, 48, Fraction(25))
    assert (info.frame_count, info.duration) == (None, None)


def test_a_stream_over_udp():
    port = closed_port(socket.SOCK_DGRAM)
    with sending_over_udp(port, media()):
        reading = read_all(open_stream(f"udp://127.0.0.1:{port}", **PATIENT), at_most=40)

    assert [frame.index for frame in reading.frames] == list(range(40))
    assert reading.info.live
    assert reading.stamps == sorted(set(reading.stamps))


def test_a_camera_over_rtsp_with_its_password():
    with camera(media(), login="admin:geheim") as server:
        source = open_stream(f"rtsp://admin:geheim@127.0.0.1:{server.port}/ch1", **PATIENT)
        reading = read_all(source, at_most=25)

    assert reading.numbers == list(range(25))
    assert [time - reading.times[0] for time in reading.times] == [Fraction(n, 25) for n in range(25)]
    assert reading.info.live


def test_a_camera_that_wants_another_password_is_refused():
    with (
        camera(media(), login="admin:geheim") as server,
        pytest.raises(SourceError, match="401 Unauthorized"),
    ):
        open_stream(f"rtsp://admin:falsch@127.0.0.1:{server.port}/ch1", **PATIENT)


def test_pictures_without_stamps_are_stamped_as_they_come():
    with serving(motion_jpeg(12, pause=0.05)) as server:
        reading = read_all(open_stream(server.address, reconnect=QUICK), at_most=12)

    arrived = [frame.captured_at - reading.frames[0].captured_at for frame in reading.frames]
    shown = [float(time - reading.times[0]) for time in reading.times]
    assert reading.numbers == list(range(12))
    assert reading.info.frame_rate is None
    assert shown == pytest.approx(arrived, abs=1e-4)  # one look at the clock serves both
    assert (
        shown[-1] > 5 * 0.05
    )  # at 25 a second, as FFmpeg has it, it would be 0.44, however slowly they come


def test_a_stream_that_is_joined_between_key_frames_is_not_called_damaged():
    with camera(media(), first=5) as server:  # a key frame every 10
        reading = read_all(open_stream(f"rtsp://127.0.0.1:{server.port}/ch1", **PATIENT), at_most=15)

    assert reading.numbers == list(range(10, 25))
    assert not any("damaged" in warning for warning in reading.warnings)


def test_a_lost_connection_is_made_again_and_time_goes_on():
    with serving(live(media())) as server:
        reading = read_all(open_stream(server.address, reconnect=QUICK), at_most=75)

    assert [frame.index for frame in reading.frames] == list(range(75))
    assert reading.numbers == [*range(30), *range(30), *range(15)]
    assert reading.stamps == sorted(set(reading.stamps))
    assert reading.warnings[0].startswith("the connection was lost 2 time(s): ")
    assert len(reading.warnings) == 1


def test_a_stream_that_stalls_is_connected_anew():
    with serving(in_turn(live(media(), stalls=True), live(media()))) as server:
        reading = read_all(open_stream(server.address, **STALLED), at_most=45)

    assert reading.numbers == [*range(30), *range(15)]
    assert "the connection was lost 1 time(s): no data within 0.7 s" in reading.warnings


def test_a_stream_that_stays_away_ends_in_an_error_after_the_attempts_are_used_up():
    answers = in_turn(live(media()), fixed(404), fixed(503))
    with serving(answers) as server:
        source = open_stream(server.address, reconnect=QUICK, **PATIENT)
        for _ in range(30):
            assert source.read() is not None
        with pytest.raises(SourceError, match=r"the stream is lost after 2 attempt\(s\) to reconnect"):
            source.read()
        with pytest.raises(SourceError, match="the stream is lost"):
            source.read()
        source.close()

    assert len(server.requests) == 3


def test_pauses_between_attempts_double_up_to_the_longest():
    delays = [Reconnect(first_delay=0.5, longest_delay=3).delay(attempt) for attempt in (1, 2, 3, 4, 50)]

    assert delays == [0.5, 1, 2, 3, 3]


@pytest.mark.parametrize("answer", [stalled, cut_off])
def test_a_recording_that_breaks_off_gives_what_is_there_and_says_so(answer):
    content = media("clip.mp4", 50)
    with serving(answer(content, len(content) * 6 // 10)) as server:
        reading = read_all(open_stream(server.address, **STALLED))

    assert 15 <= len(reading.frames) < 45
    assert reading.numbers == list(range(len(reading.frames)))
    assert any(warning.startswith("the file breaks off: ") for warning in reading.warnings)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (fixed(404), "server returned 404 Not Found"),
        (fixed(401), "server returned 401 Unauthorized"),
        (fixed(500), "server returned 5XX Server Error"),
        (fixed(200, b"<html>no video here</html>" * 40), "invalid data found"),
        (fixed(200, bytes(range(256)) * 400), ""),
        (fixed(200), ""),
    ],
    ids=["404", "401", "500", "a page", "garbage", "nothing"],
)
def test_what_is_no_stream_is_refused_at_the_first_attempt(answer, why):
    with serving(answer) as server, pytest.raises(SourceError) as caught:
        open_stream(server.address, **PATIENT)

    assert str(caught.value).startswith(f"{server.address}: cannot be opened: {why}")
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [stalled(media("clip.mp4"), 0), live(b"", stalls=True)])
def test_an_answer_without_a_body_is_given_up_in_time(answer):
    with serving(answer) as server, pytest.raises(SourceError) as caught:
        open_stream(server.address, **SOON)

    assert str(caught.value) == f"{server.address}: cannot be opened: no answer within 0.7 s"


@pytest.mark.parametrize("scheme", ["http", "https", "rtmp", "rtsp", "rtsps"])
def test_a_server_that_never_answers_is_given_up_in_time(scheme):
    with silence() as port, pytest.raises(SourceError, match=r"cannot be opened: no answer within 0\.7 s"):
        open_stream(f"{scheme}://127.0.0.1:{port}/x", **SOON)


def test_datagrams_that_never_come_are_given_up_in_time():
    with pytest.raises(SourceError, match=r"cannot be opened: no answer within 0\.7 s"):
        open_stream(f"udp://127.0.0.1:{closed_port(socket.SOCK_DGRAM)}", **SOON)


@pytest.mark.parametrize("scheme", ["http", "rtmp", "rtsp"])
def test_a_closed_port_is_refused_at_once(scheme):
    with pytest.raises(SourceError, match="cannot be opened: connection refused"):
        open_stream(f"{scheme}://127.0.0.1:{closed_port()}/x", **PATIENT)


@pytest.mark.parametrize("scheme", ["http", "https", "rtmp", "rtsps"])
def test_an_answer_that_makes_no_sense_is_told_from_a_host_that_is_unknown(scheme):
    with nonsense(bytes(range(256)) * 40) as port, pytest.raises(SourceError) as caught:
        open_stream(f"{scheme}://127.0.0.1:{port}/x", **PATIENT)

    assert f"what answers there does not speak {scheme}, or" in str(caught.value)


def test_a_server_that_hangs_up_without_an_answer_is_told():
    with (
        nonsense(b"SSH-2.0-OpenSSH_9.6\r\n") as port,
        pytest.raises(SourceError, match="cannot be opened: the other side ended it before any picture"),
    ):
        open_stream(f"http://127.0.0.1:{port}/x", **PATIENT)


def test_every_scheme_has_its_transport():
    assert set(TRANSPORTS) == set(SCHEMES)


def test_a_name_that_no_host_has_is_refused():
    with pytest.raises(SourceError, match="cannot be opened: no connection: the host is unknown"):
        open_stream("http://host.invalid/x", **PATIENT)


@pytest.mark.parametrize("address", ["ftp://host/x", "file:///etc/passwd", "concat://a|b", "clip.mp4"])
def test_other_schemes_are_refused(address):
    with pytest.raises(SourceError, match="expected an address that begins with http://, https://, "):
        open_stream(address)


def test_a_certificate_is_checked(certificate, monkeypatch):
    with serving(whole(media("clip.mp4")), tls=tls_context(certificate)) as server:
        with pytest.raises(SourceError, match="its certificate is not one to trust"):
            open_stream(server.address, **PATIENT)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        trusted = read_all(open_stream(server.address, **PATIENT))

    assert trusted.numbers == list(range(30))


def test_a_password_may_hold_signs_that_end_a_host():
    with camera(media(), login="admin:ge/h#e?im") as server:
        source = open_stream(f"rtsp://admin:ge/h#e?im@127.0.0.1:{server.port}/ch1", **PATIENT)
        reading = read_all(source, at_most=5)

    assert reading.numbers == list(range(5))
