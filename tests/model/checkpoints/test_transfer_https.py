import dataclasses

import pytest

from model.checkpoints.transfer import HTTPS_ONLY, fetch
from model.errors import DownloadError
from tests.weights_server import CONTENT, ETAG, cut_off, fixed, serving, tls_context, whole


@pytest.fixture
def part(tmp_path):
    return tmp_path / "tiny.pth.part"


@pytest.fixture
def tls(certificate):
    return tls_context(certificate)


@pytest.fixture
def trusted(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def test_plain_http_is_refused_before_anything_is_sent(server, part):
    with pytest.raises(DownloadError, match="only https is allowed"):
        fetch(server.address, part)
    assert server.requests == []


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1/tiny.pth", "tiny.pth"])
def test_other_schemes_are_refused(address, part):
    with pytest.raises(DownloadError, match="only https is allowed"):
        fetch(address, part)


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/tiny.pth"])
def test_a_redirect_to_another_scheme_is_refused(server, part, target):
    server.answer_with(fixed(302, Location=target))
    with pytest.raises(DownloadError, match="allowed"):
        fetch(server.address, part, dataclasses.replace(HTTPS_ONLY, schemes=("http",)))
    assert not part.exists()


@pytest.mark.usefixtures("trusted")
def test_a_file_arrives_whole_over_https(tls, part):
    with serving(whole(CONTENT), tls) as secure:
        fetch(secure.address, part)
    assert part.read_bytes() == CONTENT


def test_a_certificate_that_nobody_vouches_for_is_refused(tls, part):
    with serving(whole(CONTENT), tls) as secure:
        with pytest.raises(DownloadError, match="certificate"):
            fetch(secure.address, part)
        assert secure.requests == []


@pytest.mark.usefixtures("trusted")
def test_a_redirect_from_https_to_http_is_refused_and_not_followed(tls, server, part):
    clear = server.address + "?signature=secret"
    with serving(fixed(302, Location=clear), tls) as secure:
        with pytest.raises(DownloadError, match="only https is allowed") as caught:
            fetch(secure.address, part)
        assert "secret" not in str(caught.value)
    assert server.requests == []


@pytest.mark.usefixtures("trusted")
def test_a_redirect_from_https_to_https_keeps_the_range(tls, part):
    with serving(cut_off(CONTENT, 1000), tls) as cdn, serving(fixed(302, Location=cdn.address), tls) as hub:
        with pytest.raises(DownloadError, match="what arrived is kept"):
            fetch(hub.address, part)
        cdn.answer_with(whole(CONTENT))
        fetch(hub.address, part)
        assert part.read_bytes() == CONTENT
        assert cdn.requests[-1]["Range"] == "bytes=1000-"
        assert cdn.requests[-1]["If-Range"] == ETAG
