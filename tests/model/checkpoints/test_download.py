import dataclasses
import hashlib
import io
import json
import threading

import pytest
import torch

from model.checkpoints import catalog
from model.checkpoints.catalog import CatalogEntry, resolve_weights
from model.checkpoints.download import download_weights
from model.checkpoints.pins import PINS_FILE, pin_or_check, read_pins
from model.checkpoints.transfer import HTTPS_ONLY
from model.errors import CheckpointError, DownloadError
from tests.weights_server import CONTENT, certify, cut_off, serving, tls_context, whole

RULES = dataclasses.replace(HTTPS_ONLY, schemes=("http",), timeout=5.0)


def entry_at(address, name="tiny"):
    return CatalogEntry(name=name, config="yolact_resnet50", licence="MIT", address=address)


def get(server, **options):
    return download_weights(entry_at(server.address), **{"rules": RULES, **options})


def visible(home):
    return sorted(path.name for path in home.iterdir() if not path.name.startswith("."))


# --- the plain way


def test_a_download_is_installed_whole_and_leaves_no_scraps(server, home):
    path = get(server)
    assert path == home / "tiny.pth"
    assert path.read_bytes() == CONTENT
    assert visible(home) == ["tiny.pth", PINS_FILE]


def test_the_digest_is_pinned_at_first_sight(server, home):
    get(server)
    values = json.loads((home / PINS_FILE).read_text())["tiny"]
    assert values["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert values["size"] == len(CONTENT)
    assert values["address"] == server.address
    assert len(values["first_seen"]) == len("2025-01-31")


def test_a_file_that_is_there_as_pinned_is_not_asked_for_again(server):
    assert get(server) == get(server)
    assert len(server.requests) == 1


def test_a_file_copied_into_the_cache_by_hand_is_pinned_without_network(server, home):
    home.mkdir()
    (home / "tiny.pth").write_bytes(CONTENT)
    get(server, offline=True)
    assert read_pins(home)["tiny"].sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert server.requests == []


def test_a_truncated_file_copied_by_hand_is_neither_pinned_nor_replaced(server, home):
    home.mkdir()
    older = io.BytesIO()
    torch.save({"weight": torch.ones(9000)}, older, _use_new_zipfile_serialization=False)
    for content in (CONTENT[:-100], older.getvalue()[:-100]):
        (home / "tiny.pth").write_bytes(content)
        with pytest.raises(DownloadError, match=r"tiny\.pth is there, but cannot be used; remove it"):
            get(server, offline=True)
        assert (home / "tiny.pth").read_bytes() == content
    assert read_pins(home) == {}


def test_a_download_that_is_no_weights_file_is_neither_pinned_nor_kept(server, home):
    server.answer_with(whole(b"\xff\xd8\xff\xe0 no weights"))
    with pytest.raises(DownloadError, match="what the server sent cannot be used, and is not kept"):
        get(server)
    assert visible(home) == []


def test_a_file_of_another_digest_than_was_published_is_neither_pinned_nor_kept(server, home):
    published = hashlib.sha256(CONTENT).hexdigest()[:8]
    entry = dataclasses.replace(entry_at(server.address), digest="0" * 8)
    for there in (False, True):
        if there:  # copied by hand
            (home / "tiny.pth").write_bytes(CONTENT)
        with pytest.raises(DownloadError, match=f"its sha256 is {published}.* 00000000… was published"):
            download_weights(entry, rules=RULES)
        assert read_pins(home) == {}
        assert visible(home) == ["tiny.pth"] * there
    right = dataclasses.replace(entry, digest=published)
    assert download_weights(right, rules=RULES).read_bytes() == CONTENT
    assert read_pins(home)["tiny"].sha256.startswith(published)


def test_bundled_weights_need_no_download(tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "BUNDLED_FOLDER", tmp_path)
    bundled = CatalogEntry("livemask_s", "livemask_s", "MIT", bundled="livemask_s.pt")
    with pytest.raises(CheckpointError):
        download_weights(bundled)
    (tmp_path / "livemask_s.pt").write_bytes(b"x")
    assert download_weights(bundled) == tmp_path / "livemask_s.pt"


# --- pins


def test_a_changed_file_is_refused_not_installed_and_the_pin_stays(server, home):
    get(server).unlink()
    before = (home / PINS_FILE).read_bytes()
    server.answer_with(whole(CONTENT[::-1], etag='"version-2"'))
    with pytest.raises(DownloadError, match="not the one that was first seen") as caught:
        get(server)
    assert hashlib.sha256(CONTENT).hexdigest() in str(caught.value)
    assert hashlib.sha256(CONTENT[::-1]).hexdigest() in str(caught.value)
    assert visible(home) == [PINS_FILE]
    assert (home / PINS_FILE).read_bytes() == before


def test_a_damaged_cached_file_is_replaced_by_the_pinned_one(server):
    path = get(server)
    path.write_bytes(CONTENT[:-1] + b"?")
    assert get(server).read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_a_damaged_cached_file_stays_when_the_server_has_nothing_better(server):
    path = get(server)
    path.write_bytes(b"damaged")
    server.answer_with(whole(b"changed"))
    with pytest.raises(DownloadError, match="not the one"):
        get(server)
    assert path.read_bytes() == b"damaged"


def test_an_unreadable_lock_file_stops_a_download_and_is_left_as_it_is(server, home):
    home.mkdir()
    (home / PINS_FILE).write_text("no json")
    with pytest.raises(DownloadError, match="not a readable list of digests"):
        get(server)
    assert (home / PINS_FILE).read_text() == "no json"
    assert not (home / "tiny.pth").exists()


def test_pins_written_at_the_same_time_are_all_kept(tmp_path):
    names = [f"weights_{i}" for i in range(12)]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    threads = [
        threading.Thread(target=pin_or_check, args=(tmp_path, name, tmp_path / name, "https://x/y"))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read_pins(tmp_path)) == sorted(names)


def test_a_broken_download_leaves_its_part_and_the_next_one_goes_on(server, home):
    server.answer_with(cut_off(CONTENT, 1000))
    with pytest.raises(DownloadError, match="run the command again"):
        get(server)
    assert visible(home) == ["tiny.pth.part", "tiny.pth.part.json"]
    server.answer_with(whole(CONTENT))
    assert get(server).read_bytes() == CONTENT
    assert server.requests[-1]["Range"] == "bytes=1000-"
    assert visible(home) == ["tiny.pth", PINS_FILE]


def test_a_cache_folder_that_cannot_be_made_is_an_error_that_names_livemask_home(server, home):
    home.write_text("a file in the way")
    with pytest.raises(DownloadError, match="LIVEMASK_HOME"):
        get(server)


# --- offline


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_offline_is_an_error_at_once_and_touches_no_network(server, monkeypatch, how):
    if how == "environment":
        monkeypatch.setenv("LIVEMASK_OFFLINE", "1")
    with pytest.raises(DownloadError, match="forbids the network"):
        get(server, offline=how == "argument")
    assert server.requests == []


@pytest.mark.parametrize("value", ["", "0", "false", "No"])
def test_livemask_offline_can_be_switched_off(server, monkeypatch, value):
    monkeypatch.setenv("LIVEMASK_OFFLINE", value)
    assert get(server).read_bytes() == CONTENT


def test_offline_weights_that_are_there_are_fine(server):
    assert get(server) == get(server, offline=True)


# --- two at once


def test_a_second_download_of_the_same_file_is_refused_while_one_runs(server, home):
    begun, go_on = threading.Event(), threading.Event()

    def slow(request):
        begun.set()
        go_on.wait(10)
        whole(CONTENT)(request)

    server.answer_with(slow)
    first = threading.Thread(target=get, args=(server,))
    first.start()
    try:
        assert begun.wait(5)
        with pytest.raises(DownloadError, match="by another process"):
            get(server)
    finally:
        go_on.set()
        first.join()
    assert (home / "tiny.pth").read_bytes() == CONTENT
    assert len(server.requests) == 1


# --- https


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return certify(tmp_path_factory.mktemp("tls"))


def test_the_default_rules_download_over_https(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(whole(CONTENT), tls_context(certificate)) as server:
        entry = entry_at(server.address)
        monkeypatch.setitem(catalog.CATALOG, entry.name, entry)
        path = download_weights(entry)
        assert path.read_bytes() == CONTENT
        assert resolve_weights("tiny") == path


def test_plain_http_is_refused_by_default(server, home):
    with pytest.raises(DownloadError, match="only https is allowed"):
        download_weights(entry_at(server.address))
    assert visible(home) == []
    assert server.requests == []
