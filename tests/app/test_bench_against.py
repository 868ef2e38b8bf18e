"""`bench --against`: this checkout beside another one, each driven by its command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.benchmarks import resident
from app.benchmarks.against.checkout import Checkout, CommandError, Spent
from app.benchmarks.against.comparison import Bench, annotating, compare, key_frames, same_weights
from app.benchmarks.against.detections import matched_share, same_lines
from app.benchmarks.against.ratios import CPU, FPS, FPS_AFTER_START, PEAK, ratio
from app.benchmarks.against.rounds import Clip, Taken, Way, alternately, take_rounds
from app.cli import main
from model.project import ROOT
from tests.clips import write_clip

pytest.importorskip("resource", reason="this system does not tell what a process has spent")

Said = pytest.CaptureFixture[str]
StandIn = Callable[..., Checkout]

FRAMES = 3
PROGRAM = """
import os, sys, time

command, *rest = sys.argv[1:]
with open({log!r}, "a") as log:
    print({name!r}, command, *rest[3:], file=log)
{body}
if command == "annotate" and rest == ["--help"]:
    print("--keyframes N")
elif command == "annotate" and rest[2].endswith(".mp4"):
    with open(rest[0], "rb") as clip, open(rest[2], "wb") as out:
        out.write(clip.read())
elif command == "annotate":
    with open(rest[2], "w") as out:
        out.write('{{"detections": []}}\\n' * {frames})
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    """Makes a folder with a run_app.py that copies the clip; `body` comes first."""

    def make(name: str, body: str = "") -> Checkout:
        folder = tmp_path / name
        folder.mkdir()
        text = PROGRAM.format(log=str(tmp_path / "log"), name=name, body=body, frames=FRAMES)
        (folder / "run_app.py").write_text(text)
        return Checkout(name, folder)

    return make


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """A tiny video."""
    write_clip(tmp_path / "clip.mp4", size=(96, 64), frames=FRAMES)
    return Clip(tmp_path / "clip.mp4", FRAMES)


def logged(tmp_path: Path) -> list[str]:
    return (tmp_path / "log").read_text().splitlines()


def taken(seconds: float, cpu: float = 1.0, peak: int = 1, first: float = 1.0) -> Taken:
    return Taken(100, Spent(first, 0.1, 1), Spent(seconds, cpu, peak))


def detection(score: float = 0.9, left: float = 10.0, name: str = "person") -> dict[str, Any]:
    return {"class": name, "score": score, "bbox": [left, 10.0, 100.0, 100.0]}


def written(path: Path, *frames: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps({"index": i, "detections": f}) + "\n" for i, f in enumerate(frames)))
    return path


def test_things_are_called_in_turn() -> None:
    calls: list[str] = []
    results = alternately([lambda: calls.append("old") or 1, lambda: calls.append("new") or 2], rounds=3)
    assert calls == ["old", "new"] * 3
    assert results == [[1, 1, 1], [2, 2, 2]]


def test_both_checkouts_are_warmed_up_and_then_annotate_in_turn(
    stand_in: StandIn, clip: Clip, tmp_path: Path
) -> None:
    ways = (Way("old", stand_in("old")), Way("new", stand_in("new"), ("--crf", "30")))
    old, new = take_rounds(ways, clip, 2, tmp_path / "out.mp4")

    a_round = ["old --max-frames 1", "old", "new --crf 30 --max-frames 1", "new --crf 30"]
    expected = ["old --max-frames 50", "new --crf 30 --max-frames 50", *a_round, *a_round]
    common = "annotate --overwrite -q"
    assert logged(tmp_path) == [" ".join([e[:3], common, e[4:]]).strip() for e in expected]
    assert len(old) == len(new) == 2


def test_a_command_is_measured_from_start_to_end_and_by_the_cpu_time_of_its_threads(
    stand_in: StandIn,
) -> None:
    idle = stand_in("idle", "time.sleep(0.2)").run("doctor")
    busy = stand_in("busy", "while time.process_time() < 0.2: pass").run("doctor")
    assert idle.seconds > 0.2
    assert busy.seconds > 0.1
    assert busy.cpu_seconds >= 0.2
    assert idle.cpu_seconds < 0.2


@pytest.mark.skipif(not resident.STATUS.exists(), reason="this system has no /proc")
def test_the_peak_is_that_of_the_command_however_much_the_measuring_process_holds(stand_in: StandIn) -> None:
    size = 64 * 2**20
    ballast = bytearray(b"x") * (3 * size)
    peak = stand_in("new", f"held = bytearray(b'x') * {size}").run("doctor").peak
    assert size < peak < 2 * size < len(ballast) <= resident.in_bytes("VmHWM")


def test_a_command_runs_in_its_own_checkout_with_what_it_prints_kept_apart(stand_in: StandIn) -> None:
    checkout = stand_in("new", "print('{}', os.getcwd()); print('careful', file=sys.stderr)")
    assert checkout.run("doctor").seconds > 0
    assert checkout.printed("doctor") == f"{{}} {checkout.folder}\n"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("sys.exit('first\\nerror: no such weights\\n')", "old failed at `annotate`: error: no such weights"),
        ("raise ValueError('odd')", "old failed at `annotate`: ValueError: odd"),
        ("sys.exit(3)", "old failed at `annotate`: exit code 3"),
        ("os.kill(os.getpid(), 9)", "old failed at `annotate`: exit code -9"),
    ],
)
def test_a_failing_command_is_told_with_the_last_line_of_its_errors(
    body: str, said: str, stand_in: StandIn
) -> None:
    with pytest.raises(CommandError) as caught:
        stand_in("old", body).run("annotate", "clip.mp4")
    assert str(caught.value) == said


def test_who_leaves_frames_out_is_not_measured(stand_in: StandIn, clip: Clip, tmp_path: Path) -> None:
    longer = replace(clip, frames=FRAMES + 1)
    with pytest.raises(CommandError, match="old wrote 3 of 4 frames"):
        take_rounds([Way("old", stand_in("old"))], longer, 1, tmp_path / "out.mp4")


def test_a_ratio_is_the_median_of_the_rounds_and_is_judged_in_the_right_direction() -> None:
    old = [taken(10, cpu=20, peak=1000), taken(20, cpu=20, peak=1000), taken(10, cpu=20, peak=1000)]
    new = [taken(5, cpu=5, peak=400), taken(5, cpu=10, peak=400), taken(4, cpu=10, peak=400)]
    names = ("old", "new")

    fps = ratio("clip", replace(FPS, least=2.5), old, new, names)
    assert (fps.name, fps.value, fps.reached) == ("clip: frames a second", 2.5, True)
    assert fps.note == "old 10 (5 to 10), new 20 (20 to 25) fps; ratios 2 to 4, rounds: 3"
    cpu = ratio("clip", replace(CPU, most=0.42), old, new, names)
    assert (cpu.value, cpu.reached) == (0.5, False)
    peak = ratio("clip", PEAK, old, new, names)
    assert (peak.value, peak.reached) == (0.4, None)


def test_the_start_is_taken_off_where_the_clip_is_long_enough() -> None:
    after = ratio("clip", FPS_AFTER_START, [taken(12, first=1)], [taken(7.5, first=2)], ("old", "new"))
    assert after.value == pytest.approx(2)
    short = ratio("clip", FPS_AFTER_START, [taken(1, first=1)], [taken(7.5, first=2)], ("old", "new"))
    assert (short.value, short.note) == (None, "too short a clip to tell")


@pytest.mark.parametrize(
    ("one", "two", "share"),
    [
        ([[detection()]], [[detection(score=0.89, left=10.5)]], 1),
        ([[detection()]], [[detection(score=0.889)]], 0),
        ([[detection()]], [[detection(left=12)]], 0),
        ([[detection()]], [[detection(name="dog")]], 0),
        ([[detection()], []], [[], [detection()]], 0),
        ([[detection(), detection(left=300)]], [[detection(left=300)]], 0.5),
        ([[detection()]], [[detection(), detection()]], 0.5),
        ([[detection()]], [[detection()], [detection(left=300)]], 0.5),
        ([[detection(0.89), detection(0.9)]], [[detection(0.9), detection(0.91)]], 1),
        ([[]], [[]], 1),
    ],
)
def test_detections_match_frame_by_frame_each_with_one_at_most(
    one: list[list[dict[str, Any]]], two: list[list[dict[str, Any]]], share: float, tmp_path: Path
) -> None:
    files = written(tmp_path / "one.jsonl", *one), written(tmp_path / "two.jsonl", *two)
    assert matched_share(*files) == matched_share(*reversed(files)) == share


def test_lines_are_the_same_to_the_last_byte_or_not_at_all(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"a\nb\nc\n")
    assert same_lines(one, one) == 1
    two.write_bytes(b"a\nB\nc\n")
    assert same_lines(one, two) == 0.75
    two.write_bytes(b"a\nb\nc")
    assert same_lines(one, two) < 1


def test_both_checkouts_are_compared_with_their_own_defaults(
    stand_in: StandIn, clip: Clip, tmp_path: Path
) -> None:
    figures = annotating(Bench(stand_in("old"), stand_in("new"), tmp_path, 1), clip, clip)
    targets = [f.target for f in figures if f.value is not None and "after the start" not in f.name]
    assert targets == ["≥ 2.5", "≤ 0.42", "≤ 0.35", "≤ 0.45", "≤ 0.45", "", ""]
    assert not any("--weights" in line for line in logged(tmp_path))


def test_both_checkouts_are_compared_with_the_same_weights_wherever_each_runs(
    stand_in: StandIn, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny.pt").touch()
    monkeypatch.chdir(tmp_path)
    figures = same_weights(Bench(stand_in("old"), stand_in("new"), tmp_path, 1), "tiny.pt", [clip])
    values = {f.target: f.value for f in figures if f.target}
    assert values.keys() == {"≥ 1.6", "≥ 99"}
    assert values["≥ 99"] == 100
    assert values["≥ 1.6"] is not None
    assert all(f"--weights {tmp_path / 'tiny.pt'}" in line for line in logged(tmp_path))


@pytest.mark.parametrize(("body", "known"), [("", True), ("rest == ['--help'] and sys.exit()", False)])
def test_key_frames_are_compared_with_every_frame_where_there_are_any(
    body: str, known: bool, stand_in: StandIn, clip: Clip, tmp_path: Path
) -> None:
    new = stand_in("new", body)
    first, *_ = key_frames(Bench(stand_in("old"), new, tmp_path, 1), clip)
    assert (first.value is not None) is known
    assert first.target == ("≥ 1.8" if known else "")
    assert any("--keyframes 3" in line for line in logged(tmp_path)) is known


def test_where_the_other_checkout_fails_its_figures_are_missing_and_the_others_come(
    stand_in: StandIn, clip: Clip, tmp_path: Path
) -> None:
    bench = Bench(stand_in("old", "sys.exit('error: too old')"), stand_in("new"), tmp_path, 1)
    figures = {f.name: f for f in compare(bench, clip, clip, None)}
    fps = figures["annotate, clip: frames a second"]
    assert (fps.value, fps.note) == (None, "old failed at `annotate`: error: too old")
    assert figures["doctor"].value is not None
    assert figures["JSON of two runs: lines that are the same"].value == 100
    assert figures["the same weights in both"].value is None


@pytest.mark.parametrize(
    ("make", "said"), [(False, "is no folder"), (True, "has no run_app.py")], ids=["absent", "empty"]
)
def test_a_folder_that_is_no_checkout_is_told(make: bool, said: str, tmp_path: Path, capsys: Said) -> None:
    folder = tmp_path / "other"
    if make:
        folder.mkdir()
    assert main(["bench", "--against", str(folder)]) == 2
    assert f"{folder} {said}" in capsys.readouterr().err


def test_only_one_option_says_what_is_measured(tmp_path: Path, capsys: Said) -> None:
    assert main(["bench", "--against", str(tmp_path), "--only", "startup"]) == 2
    assert "give one of them" in capsys.readouterr().err


@pytest.mark.slow
def test_the_project_is_compared_with_itself(tmp_path: Path, weights: Path) -> None:
    out = tmp_path / "figures.json"
    options = ["--against", str(ROOT), "--frames", "12", "--rounds", "1", "--weights", str(weights)]
    assert main(["bench", *options, "--json", str(out)]) == 0
    figures = {f["name"]: f for f in json.loads(out.read_text())["figures"]}
    absent = [name for name, figure in figures.items() if figure["value"] is None]
    assert [name for name in absent if "after the start" not in name] == []
    matched = [f["value"] for name, f in figures.items() if name.startswith("detections that match")]
    assert matched == [100, 100]
