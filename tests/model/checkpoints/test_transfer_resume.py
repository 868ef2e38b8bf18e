import pytest

from model.checkpoints.transfer import fetch
from model.errors import DownloadError
from tests.weights_server import (
    CONTENT,
    ETAG,
    IN_THE_CLEAR,
    cut_off,
    fixed,
    get,
    nothing_is_kept,
    whole,
)


def break_off(server, part, after=1000, **options):
    server.answer_with(cut_off(CONTENT, after, **options))
    with pytest.raises(DownloadError, match=f"ended after {after} of {len(CONTENT)} bytes"):
        get(server, part)


def test_a_body_shorter_than_announced_is_an_error_and_its_part_is_kept(server, part):
    break_off(server, part)
    assert part.read_bytes() == CONTENT[:1000]


def test_a_broken_download_goes_on_where_it_stopped(server, part):
    break_off(server, part)
    server.answer_with(whole(CONTENT))
    seen = []
    assert get(server, part, progress=lambda done, total: seen.append((done, total))) == CONTENT
    assert server.requests[-1]["Range"] == "bytes=1000-"
    assert server.requests[-1]["If-Range"] == ETAG
    assert seen[0] == (1000, len(CONTENT))


def test_a_download_can_break_again_and_again_and_still_be_right(server, part):
    def part_way(request):
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        status = 206 if start else 200
        span = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        request.send_head(status, Content_Length=len(CONTENT) - start, Content_Range=span, ETag=ETAG)
        request.wfile.write(CONTENT[start : start + 20_000])

    server.answer_with(part_way)
    for _ in range(3):
        with pytest.raises(DownloadError, match="run the command again"):
            get(server, part)
    assert get(server, part) == CONTENT


def test_a_server_that_ignores_the_range_is_read_from_the_start(server, part):
    break_off(server, part)
    server.answer_with(fixed(200, CONTENT, ETag=ETAG))
    assert get(server, part) == CONTENT


def test_a_file_that_changed_meanwhile_is_read_from_the_start(server, part):
    break_off(server, part)
    server.answer_with(whole(CONTENT[::-1], etag='"version-2"'))
    assert get(server, part) == CONTENT[::-1]


def test_a_part_that_is_already_whole_is_complete_on_416(server, part):
    break_off(server, part)
    part.write_bytes(CONTENT)
    server.answer_with(whole(CONTENT))
    assert get(server, part) == CONTENT
    assert server.requests[-1]["Range"] == f"bytes={len(CONTENT)}-"


def test_a_part_longer_than_the_file_is_thrown_away_on_416(server, part):
    break_off(server, part)
    part.write_bytes(CONTENT + b"more")
    server.answer_with(whole(CONTENT))
    assert get(server, part) == CONTENT
    assert "Range" not in server.requests[-1]


@pytest.mark.parametrize("etag", [None, 'W/"weak"', "unquoted"])
def test_without_a_strong_entity_tag_the_next_try_starts_over(server, part, etag):
    break_off(server, part, etag=etag)
    server.answer_with(whole(CONTENT))
    assert get(server, part) == CONTENT
    assert "Range" not in server.requests[-1]


def test_a_part_of_another_address_is_not_gone_on_with(server, part):
    break_off(server, part)
    server.answer_with(whole(CONTENT))
    fetch(server.address.replace("/tiny", "/v2/tiny"), part, IN_THE_CLEAR)
    assert "Range" not in server.requests[-1]


@pytest.mark.parametrize("note", ["", "[]", '{"address": 1}', "no json"])
def test_a_part_whose_origin_is_not_known_is_not_gone_on_with(server, part, note):
    break_off(server, part)
    part.with_name("tiny.pth.part.json").write_text(note)
    server.answer_with(whole(CONTENT))
    assert get(server, part) == CONTENT
    assert "Range" not in server.requests[-1]


@pytest.mark.parametrize(
    ("span", "etag", "complaint"),
    [
        ("bytes 0-76799/76800", ETAG, "sent the range"),
        ("bytes 1001-76799/76800", ETAG, "sent the range"),
        ("bytes 1000-76799/*", ETAG, "sent the range"),
        ("", ETAG, "sent the range"),
        ("bytes 1000-76799/76800", '"version-2"', "another version"),
    ],
)
def test_a_continuation_that_does_not_fit_the_part_is_refused(server, part, span, etag, complaint):
    break_off(server, part)
    server.answer_with(fixed(206, CONTENT[1000:], Content_Range=span, ETag=etag))
    with pytest.raises(DownloadError, match=complaint):
        get(server, part)
    assert nothing_is_kept(part)


def test_a_part_that_was_not_asked_for_is_refused(server, part):
    server.answer_with(fixed(206, CONTENT[:9], Content_Range=f"bytes 0-8/{len(CONTENT)}", ETag=ETAG))
    with pytest.raises(DownloadError, match="206"):
        get(server, part)


def test_an_oversize_continuation_is_refused(server, part):
    break_off(server, part)
    server.answer_with(fixed(206, b"x", Content_Range=f"bytes 1000-{10**12}/{10**12 + 1}", ETag=ETAG))
    with pytest.raises(DownloadError, match="more than the 200000"):
        get(server, part)
    assert nothing_is_kept(part)


def test_a_continuation_with_surplus_bytes_is_refused(server, part):
    break_off(server, part)
    body = CONTENT[1000:] + b"surplus"
    server.answer_with(fixed(206, body, Content_Range="bytes 1000-76799/76800", ETag=ETAG))
    with pytest.raises(DownloadError, match="sent more than 76800 bytes"):
        get(server, part)
    assert nothing_is_kept(part)


def test_a_part_survives_a_server_error(server, part):
    break_off(server, part)
    server.answer_with(fixed(503))
    with pytest.raises(DownloadError, match="503"):
        get(server, part)
    assert part.read_bytes() == CONTENT[:1000]
