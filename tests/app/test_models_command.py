import dataclasses
import hashlib
import json
import re
import subprocess
import sys

import pytest

from app.cli import main
from model.checkpoints.catalog import CATALOG, TWO_STAGE, CatalogEntry, all_entries
from model.checkpoints.pins import read_pins
from model.checkpoints.yolact import save_checkpoint
from tests.small_networks import TINY, small_network
from tests.weights_server import CONTENT, serving, tls_context, whole


@pytest.fixture
def server(certificate, monkeypatch):
    """A trusted https server whose file is in the catalogue under the name "tiny"."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(whole(CONTENT), tls_context(certificate)) as running:
        entry = CatalogEntry("tiny", "yolact_resnet50", "MIT", address=running.address)
        monkeypatch.setitem(CATALOG, "tiny", entry)
        yield running


def test_list_shows_every_entry_with_figure_size_licence_state_and_address(capsys):
    assert main(["models", "list"]) == 0
    out = capsys.readouterr().out
    for entry in all_entries().values():
        assert entry.name in out
        assert entry.licence in out
        # a figure that was measured on other images does not stand in the same column
        assert str(entry.value if entry.value and entry.name in CATALOG else "-") in out
        assert (entry.address or "") in out
    for name in TWO_STAGE:
        assert re.search(rf"^{name} +- ", out, re.MULTILINE)
    assert "about 201 MB" in out
    assert "not downloaded" in out
    assert "path" in out.splitlines()[-1]


def test_list_is_plain_off_a_terminal(capsys):
    main(["models", "list"])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert max(map(len, out.split("Addresses:")[0].splitlines())) <= 80


def test_list_as_json_gives_one_record_an_entry(capsys):
    assert main(["models", "list", "--json"]) == 0
    records = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    assert set(records) == set(all_entries())
    base = records["yolact_base"]
    assert base["value"] == 29.8
    assert base["address"] == CATALOG["yolact_base"].address
    assert base["size"] is None
    assert base["state"] == "not downloaded"


def test_a_two_stage_model_is_shown_with_what_its_figure_is_of(capsys):
    assert main(["models", "show", "maskrcnn_resnet50_fpn"]) == 0
    out = capsys.readouterr().out
    for fact in ("34.6", "COCO val2017", "BSD-3-Clause", "about 178 MB", "two-stage"):
        assert fact in out
    assert "image size" not in out


def test_list_tells_bundled_from_missing_weights(bundle, capsys):
    main(["models", "list"])
    assert "missing" in capsys.readouterr().out
    (bundle / "livemask_s.pt").write_bytes(bytes(2_345_678))
    main(["models", "list"])
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("livemask_s"))
    assert "bundled" in row
    assert "2.3 MB" in row


def test_show_tells_what_is_known_and_nothing_that_is_not(capsys):
    assert main(["models", "show", "yolact_im700"]) == 0
    out = capsys.readouterr().out
    for fact in ("31.2", "COCO test-dev", "MIT", "about 201 MB", CATALOG["yolact_im700"].address, "700"):
        assert fact in out
    assert "sha256" not in out
    assert "None" not in out


def test_show_of_an_unknown_name_is_wrong_usage_and_suggests_one(capsys):
    assert main(["models", "show", "yolact_bass"]) == 2
    assert "did you mean 'yolact_base'" in capsys.readouterr().err


def test_download_then_show_and_path_agree_on_file_and_digest(server, home, capsys):
    assert main(["models", "download", "tiny"]) == 0
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert digest in capsys.readouterr().out
    assert read_pins(home)["tiny"].sha256 == digest

    assert main(["models", "show", "tiny"]) == 0
    shown = capsys.readouterr().out
    assert digest in shown
    assert "0.1 MB" in shown
    assert "downloaded" in shown

    assert main(["models", "path", "tiny"]) == 0
    assert capsys.readouterr().out == f"{home / 'tiny.pth'}\n"
    assert (home / "tiny.pth").read_bytes() == CONTENT


@pytest.mark.usefixtures("server")
def test_a_download_draws_nothing_off_a_terminal(capsys):
    main(["models", "download", "tiny"])
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("server")
def test_a_download_draws_a_bar_on_the_error_output_of_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    main(["models", "download", "tiny"])
    captured = capsys.readouterr()
    size = f"{len(CONTENT) / 1000:.1f}"
    assert f"{size}/{size} kB" in captured.err
    assert "kB" not in captured.out


def test_a_mistyped_name_among_several_downloads_nothing(server, capsys):
    assert main(["models", "download", "tiny", "tinny"]) == 2
    assert "did you mean 'tiny'" in capsys.readouterr().err
    assert server.requests == []


def test_offline_download_fails_at_once(server, capsys):
    assert main(["models", "download", "--offline", "tiny"]) == 1
    assert "--offline forbids the network" in capsys.readouterr().err
    assert server.requests == []


def test_a_download_without_network_fails_with_a_message(certificate, monkeypatch, capsys):
    with serving(whole(CONTENT), tls_context(certificate)) as gone:
        address = gone.address
    monkeypatch.setitem(CATALOG, "tiny", CatalogEntry("tiny", "yolact_resnet50", "MIT", address=address))
    assert main(["models", "download", "tiny"]) == 1
    captured = capsys.readouterr()
    assert "cannot be reached" in captured.err
    assert captured.out == ""


def test_download_of_bundled_weights_says_where_they_are(bundle, capsys):
    (bundle / "livemask_s.pt").write_bytes(b"x")
    assert main(["models", "download", "livemask_s"]) == 0
    assert str(bundle / "livemask_s.pt") in capsys.readouterr().out


def test_path_without_a_name_is_that_of_the_default_weights(bundle, capsys):
    (bundle / "livemask_s.pt").write_bytes(b"x")
    assert main(["models", "path"]) == 0
    assert capsys.readouterr().out == f"{bundle / 'livemask_s.pt'}\n"


@pytest.mark.parametrize("name", ["livemask_s", "yolact_base"])
@pytest.mark.usefixtures("bundle")
def test_path_of_weights_that_are_not_there_fails_and_prints_no_path(name, capsys):
    assert main(["models", "path", name]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert name in captured.err


def test_the_command_needs_no_torch():
    code = (
        "import sys; from app.cli import main; main(['models', 'list']); "
        "sys.exit('torch was loaded' if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_show_of_bundled_weights_tells_the_size_and_the_classes_that_the_file_has(bundle, capsys):
    config = dataclasses.replace(TINY, image_size=96)
    save_checkpoint(bundle / "livemask_s.pt", config, small_network(config).state_dict())
    assert main(["models", "show", "livemask_s"]) == 0
    shown = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert (shown["image size"].strip(), shown["classes"].strip()) == ("96", "cat, dog, bird")
    assert shown["score thresholds"].strip() == "0.3"


def test_show_tells_the_range_of_the_thresholds_that_the_classes_have(bundle, capsys):
    detection = dataclasses.replace(TINY.detection, class_thresholds=(0.25, 0.4, 0.125))
    config = dataclasses.replace(TINY, detection=detection)
    save_checkpoint(bundle / "livemask_s.pt", config, small_network(config).state_dict())
    main(["models", "show", "livemask_s"])
    shown = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert shown["score thresholds"].strip() == "0.125 to 0.4, by class"


@pytest.mark.usefixtures("bundle")
def test_show_of_bundled_weights_that_are_missing_makes_no_size_up(capsys):
    assert main(["models", "show", "livemask_s"]) == 0
    assert "image size" not in capsys.readouterr().out
