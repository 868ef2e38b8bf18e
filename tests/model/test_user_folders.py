"""Whoever has neither a home nor an account has folders all the same."""

import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from model.user_folders import expanded, own_folder, without_a_home


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """Somebody whose `~` nobody knows, and a temporary folder."""

    def unknown(path):
        if str(path).startswith("~"):
            raise RuntimeError("Could not determine home directory.")
        return path

    monkeypatch.setattr(Path, "expanduser", unknown)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_home_that_is_known_is_used(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert own_folder(lambda: "~/.cache/livemask") == tmp_path / ".cache" / "livemask"


def test_without_a_home_the_folder_is_a_temporary_one_for_this_user_alone(nobody):
    folder = own_folder(lambda: "~/.cache/livemask")
    assert folder.parent == nobody
    assert own_folder(lambda: "~/.config/livemask") == folder
    assert not stat.S_IMODE(folder.stat().st_mode) & 0o077
    assert own_folder(lambda: nobody / "mine") == nobody / "mine"
    assert expanded("~someone/a.pt") == Path("~someone/a.pt")


def test_a_folder_that_others_can_write_to_is_not_trusted(nobody):
    first = own_folder(lambda: "~/x")
    first.chmod(0o777)
    assert own_folder(lambda: "~/x") != first


@pytest.mark.skipif(sys.platform == "win32", reason="asks for a user without an account")
def test_the_cache_is_found_by_a_user_without_home_and_account(monkeypatch):
    monkeypatch.delenv("LIVEMASK_HOME")
    monkeypatch.delenv("HOME")
    code = (
        "import pwd; pwd.getpwuid = {}.__getitem__\n"
        "from model.checkpoints.catalog import cache_folder; from ui.control.settings import settings_path\n"
        "print(cache_folder(), settings_path())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(path.startswith(tempfile.gettempdir()) for path in done.stdout.split())


@pytest.mark.skipif(sys.platform == "win32", reason="asks for a user without an account")
def test_doctor_says_that_there_is_no_home_and_what_to_do(monkeypatch):
    monkeypatch.delenv("LIVEMASK_HOME")
    monkeypatch.delenv("HOME")
    code = (
        "import pwd; pwd.getpwuid = {}.__getitem__\n"
        "from app.doctor import _folders; print(_folders()['home'], _folders()['downloads'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "none is known" in done.stdout
    assert "LIVEMASK_HOME" in done.stdout
    assert tempfile.gettempdir() in done.stdout


def test_a_home_or_a_folder_that_was_named_is_no_news(monkeypatch, tmp_path):
    assert not without_a_home()
    monkeypatch.delenv("LIVEMASK_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert not without_a_home()
