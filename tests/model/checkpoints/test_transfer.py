import dataclasses
import itertools
import socket

import pytest

from model.checkpoints.transfer import fetch
from model.errors import DownloadError
from tests.weights_server import (
    CONTENT,
    IN_THE_CLEAR,
    chunked,
    fixed,
    get,
    in_turn,
    nothing_is_kept,
    stalled,
    whole,
)

# --- the plain way


def test_a_file_arrives_whole(server, part):
    assert get(server, part) == CONTENT


def test_a_body_of_unannounced_length_is_taken_when_its_end_is_marked(server, part):
    server.answer_with(chunked([CONTENT[:7], CONTENT[7:]]))
    assert get(server, part) == CONTENT


def test_progress_starts_at_nothing_rises_and_ends_at_the_whole(server, part):
    seen = []
    get(server, part, progress=lambda done, total: seen.append((done, total)))
    counts = [done for done, _ in seen]
    assert counts[0] == 0
    assert counts[-1] == len(CONTENT)
    assert counts == sorted(set(counts))
    assert {total for _, total in seen} == {len(CONTENT)}


def test_progress_of_an_unannounced_length_has_no_total(server, part):
    seen = []
    server.answer_with(chunked([CONTENT]))
    get(server, part, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(CONTENT), None)


def test_a_redirect_within_the_allowed_schemes_is_followed(server, part):
    server.answer_with(in_turn(fixed(302, Location="/elsewhere"), whole(CONTENT)))
    assert get(server, part) == CONTENT


# --- slow, broken and oversized answers


def test_a_stalled_server_is_given_up_on_and_what_arrived_is_kept(server, part):
    server.answer_with(stalled(CONTENT, after=1000))
    with pytest.raises(DownloadError, match=r"broke.*timed out"):
        get(server, part, dataclasses.replace(IN_THE_CLEAR, timeout=0.5))
    assert part.read_bytes() == CONTENT[:1000]
    server.answer_with(whole(CONTENT))
    assert get(server, part) == CONTENT
    assert server.requests[-1]["Range"] == "bytes=1000-"


def test_a_server_that_never_answers_is_given_up_on(server, part):
    server.answer_with(lambda request: request.server.closing.wait(10))
    with pytest.raises(DownloadError, match=r"cannot be reached.*timed out"):
        get(server, part, dataclasses.replace(IN_THE_CLEAR, timeout=0.5))


def test_a_slow_server_is_waited_for_as_long_as_something_comes(server, part):
    def drip(request):
        request.send_head(200, Content_Length=8)
        for byte in b"abcdefgh":
            request.wfile.write(bytes([byte]))
            request.server.closing.wait(0.2)

    server.answer_with(drip)
    assert get(server, part, dataclasses.replace(IN_THE_CLEAR, timeout=1.0)) == b"abcdefgh"


def test_a_body_of_unannounced_length_that_breaks_off_is_an_error(server, part):
    server.answer_with(chunked([CONTENT[:500]], ends=False))
    with pytest.raises(DownloadError, match="connection broke"):
        get(server, part)


def test_an_announced_oversize_is_refused_before_it_is_read(server, part):
    server.answer_with(lambda request: request.send_head(200, Content_Length=10**12))
    with pytest.raises(DownloadError, match=r"1000000000000 bytes long, more than the 200000"):
        get(server, part)
    assert nothing_is_kept(part)


def test_an_endless_body_is_stopped_at_the_limit(server, part):
    server.answer_with(chunked(itertools.repeat(b"x" * 10_000)))
    with pytest.raises(DownloadError, match="sent more than 200000 bytes"):
        get(server, part)
    assert nothing_is_kept(part)


def test_a_file_of_exactly_the_limit_is_taken(server, part):
    assert get(server, part, dataclasses.replace(IN_THE_CLEAR, max_bytes=len(CONTENT))) == CONTENT


@pytest.mark.parametrize("status", [204, 401, 404, 429, 500, 503])
def test_any_other_status_is_an_error_that_names_it(server, part, status):
    server.answer_with(fixed(status))
    with pytest.raises(DownloadError, match=f"answered {status}"):
        get(server, part)
    assert nothing_is_kept(part)


def test_an_empty_file_is_refused(server, part):
    server.answer_with(fixed(200))
    with pytest.raises(DownloadError, match="empty"):
        get(server, part)
    assert nothing_is_kept(part)


def test_a_web_page_in_place_of_weights_is_refused(server, part):
    server.answer_with(whole(b"<html>please log in</html>", Content_Type="text/html; charset=utf-8"))
    with pytest.raises(DownloadError, match="page of text"):
        get(server, part)
    assert nothing_is_kept(part)


def test_an_answer_without_length_or_end_mark_is_refused(server, part):
    def endless(request):
        request.send_head(200, Connection="close")
        request.wfile.write(CONTENT[:100])

    server.answer_with(endless)
    with pytest.raises(DownloadError, match="no length"):
        get(server, part)


def test_an_answer_that_is_not_http_is_an_error(server, part):
    server.answer_with(lambda request: request.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n"))
    with pytest.raises(DownloadError, match="cannot be reached"):
        get(server, part)


def test_redirects_in_a_circle_are_an_error(server, part):
    server.answer_with(fixed(302, Location="/tiny.pth"))
    with pytest.raises(DownloadError, match="cannot be reached"):
        get(server, part)


def test_without_a_server_the_error_says_what_to_check(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1.*cannot be reached.*check the network"):
        fetch(f"http://127.0.0.1:{port}/tiny.pth", tmp_path / "part", IN_THE_CLEAR)
