"""`bench --gui`: that it measures the window, and judges what it measured."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from array import array
from pathlib import Path

import numpy as np
import pytest

from app.benchmarks import gui
from app.benchmarks.figures import Setup
from app.cli import main

Said = pytest.CaptureFixture[str]

SEEN = {
    "seconds": 120.0,
    "fps": 30.0,
    "forward": 12.0,
    "ages": {"p50": 30.0, "p95": 60.0, "p99": 80.0},
    "growth": 2.0,
    "delays": {"p50": 0.1, "p95": 1.0, "p99": 5.0, "max": 20.0},
    "loading": {"p50": 0.1, "p95": 5.0, "p99": 50.0, "max": 300.0},
    "memory": {"at": 60.0, "first": 900e6, "last": 910e6},
    "load": 1.5,
}


def judged(**changes: object) -> dict[str, bool | None]:
    return {figure.name.removeprefix("window: "): figure.reached for figure in gui.figures(SEEN | changes)}


def test_a_good_window_reaches_every_target() -> None:
    assert {name: reached for name, reached in judged().items() if reached is not None} == {
        "age of the shown frame, p95": True,
        "growth of the age's p95": True,
        "event loop late, p99": True,
        "event loop late, most": True,
        "growth of memory": True,
    }


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"ages": {"p50": 30.0, "p95": 101.0, "p99": 120.0}}, "age of the shown frame, p95"),
        ({"growth": 30.0}, "growth of the age's p95"),
        ({"delays": {"p99": 17.0, "max": 49.0}}, "event loop late, p99"),
        ({"delays": {"p99": 3.0, "max": 51.0}}, "event loop late, most"),
        ({"memory": {"at": 60.0, "first": 900e6, "last": 931e6}}, "growth of memory"),
    ],
)
def test_each_target_can_be_missed(changes: dict[str, object], missed: str) -> None:
    assert [name for name, reached in judged(**changes).items() if reached is False] == [missed]


def test_a_slow_machine_cannot_miss_the_age() -> None:
    old = {"p50": 90.0, "p95": 150.0, "p99": 200.0}
    assert judged(ages=old, forward=40.0)["age of the shown frame, p95"] is None


def test_what_a_system_does_not_tell_is_no_failure() -> None:
    assert judged(memory=None, load=None)["growth of memory"] is None


def test_how_busy_the_machine_was_is_told() -> None:
    assert "load average 1.5" in {figure.note for figure in gui.figures(SEEN)}


def test_it_is_told_that_the_start_is_the_best_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = iter((1.4, 0.9, 1.2, 1.0, 1.1))
    monkeypatch.setattr(gui, "_display", lambda: contextlib.nullcontext({}))
    monkeypatch.setattr(gui, "_child", lambda _, __, what, *___: SEEN if what == "watch" else next(starts))
    first = gui.run(Setup(None, None, None, 1.0, 600))[0]
    assert (first.value, first.note) == (0.9, "the best of 5 starts")


def test_without_a_display_and_without_xvfb_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("sys.platform", "linux")
    assert main(["bench", "--gui"]) == 0
    assert "there is no display" in capsys.readouterr().out


@pytest.mark.parametrize("minutes", ["0", "-1", "nan"])
def test_a_time_that_makes_no_sense_is_refused(minutes: str, capsys: Said) -> None:
    assert main(["bench", "--gui", "--minutes", minutes]) == 2
    assert "--minutes must be more than 0" in capsys.readouterr().err


def test_growth_is_that_of_the_last_quarter_over_the_first() -> None:
    from app.benchmarks.gui_watch import growth

    steady = np.tile([0.02, 0.03], 200)
    assert growth(steady) == pytest.approx(0, abs=1e-9)
    assert growth(steady + np.linspace(0, 0.1, 400)) == pytest.approx(0.075, abs=0.002)
    assert growth(np.array(array("d", [0.02]))) == 0


@pytest.mark.slow
def test_the_window_is_measured(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    assert main(["bench", "--gui", "--minutes", "0.05", "--json", str(out)]) == 0
    values = {figure["name"]: figure["value"] for figure in json.loads(out.read_text())["figures"]}
    assert 0 < values["window: seen after the command"] < 60
    assert 0 < values["window: age of the shown frame, p50"] <= values["window: age of the shown frame, p99"]
    assert 0 <= values["window: event loop late, p99"] <= values["window: event loop late, most"]
    assert not Path(os.environ["LIVEMASK_HOME"]).exists()  # the user's settings were left alone
