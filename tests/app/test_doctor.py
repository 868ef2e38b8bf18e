"""`doctor`, on this machine and on made-up ones."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from app import doctor, machine, versions
from app.cli import main
from app.doctor import ABSENT, BROKEN, CHECKS, FAILED, THOROUGH, examine, problems, told
from model.checkpoints.catalog import CATALOG

WELL = {
    "versions": dict.fromkeys(doctor.NEEDED, "1.0"),
    "engines": {"torch fp32 on cpu": "usable", "auto": "torch fp32 on cpu: the fastest"},
    "weights": {"livemask_s": "bundled", "yolact_base": "not downloaded"},
}

CPUINFO = """processor\t: 0
model name\t: Testing CPU @ 1 GHz
flags\t\t: fpu avx2 avx512f avx512_bf16 avx512_vnni

processor\t: 1
model name\t: another
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, doctor.Facts]:
    """What doctor really finds here; examined once, for it loads libraries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIVEMASK_HOME", str(tmp_path_factory.mktemp("home")))
        return examine(CHECKS)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A folder that looks like Linux's /proc."""
    folder = tmp_path / "proc"
    folder.mkdir()
    (folder / "cpuinfo").write_text(CPUINFO)
    (folder / "meminfo").write_text("MemTotal:  16000000 kB\nMemFree: 1 kB\nMemAvailable:  4000000 kB\n")
    return folder


def test_every_check_succeeds_on_this_machine(report: dict[str, doctor.Facts]) -> None:
    assert list(report) == list(CHECKS)
    assert [name for name, facts in report.items() if FAILED in facts or not facts] == []
    assert problems(report) == []


def test_the_versions_are_those_of_the_libraries_that_are_loaded(report: dict[str, doctor.Facts]) -> None:
    import av
    import cv2

    there = report["versions"]
    assert there["Python"] == sys.version.split()[0]
    assert there["PyTorch"] == metadata.version("torch")
    assert there["OpenCV"] == cv2.__version__
    assert there["PyAV"] == av.__version__
    assert there["FFmpeg"] == av.ffmpeg_version_info


def test_what_takes_long_to_load_is_loaded_on_demand_alone() -> None:
    code = "import sys; from app.cli import main; main({0!r}); print(sorted(set({1!r}) & set(sys.modules)))"
    heavy = [package for package, _ in versions.HEAVY.values()]
    said = subprocess.run(
        [sys.executable, "-c", code.format(["doctor"], heavy)], capture_output=True, text=True, check=True
    ).stdout
    assert said.splitlines()[-1] == "[]"
    assert THOROUGH["versions"]()["PyTorch"] == sys.modules["torch"].__version__


def test_a_library_that_was_built_for_another_one_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"torch": "2.11.0", "torchvision": "0.29.1"}
    monkeypatch.setattr(metadata, "version", lambda name: there[name])
    monkeypatch.setattr(
        metadata, "requires", lambda name: ["numpy", "torch==2.14.0; extra == 'x'", "torch>=2.14"]
    )
    assert versions.installed_version("torchvision") == "broken: 0.29.1 wants torch>=2.14, there is 2.11.0"


def test_codecs_name_decoders_and_encoders(report: dict[str, doctor.Facts]) -> None:
    decoders, encoders = report["codecs"]["h264"].split("; ")
    assert "h264" in decoders.removeprefix("decoders ").split(", ")
    assert "libx264" in encoders.removeprefix("encoders ").split(", ")


def test_engines_say_what_auto_would_choose_and_why(report: dict[str, doctor.Facts]) -> None:
    *options, auto = report["engines"]
    assert auto == "auto"
    chosen, _, why = report["engines"]["auto"].partition(": ")
    assert report["engines"][chosen] == "usable"
    assert why
    assert "torch fp32 on cpu" in options


def test_all_known_weights_are_listed_with_their_state(report: dict[str, doctor.Facts]) -> None:
    assert set(report["weights"]) == set(CATALOG)


def test_the_report_is_aligned_text_with_one_fact_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        doctor, "CHECKS", {"versions": lambda: {"a": "1", "longer": "2"}, "x": lambda: {"b": "3"}}
    )
    assert main(["doctor"]) == 0
    said = capsys.readouterr()
    assert said.out == "versions\n  a       1\n  longer  2\n\nx\n  b       3\n\nall is well\n"
    assert said.err == ""


def test_the_report_as_json_is_one_record(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", {name: lambda name=name: WELL[name] for name in WELL})
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {**WELL, "problems": []}


def test_long_facts_are_folded_under_their_column_on_a_terminal() -> None:
    lines = told({"codecs": {"h264": "one two three four five six seven"}}, 32).splitlines()
    assert lines == ["codecs", "  h264  one two three four five", "        six seven"]
    assert all(len(line) < 33 for line in lines)


def test_a_check_that_fails_says_so_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> doctor.Facts:
        raise OSError("the driver\nis gone")

    monkeypatch.setattr(doctor, "CHECKS", {"gpus": fail, "folders": lambda: {"cache": "there"}})
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "this check failed  OSError: the driver is gone" in out
    assert "cache" in out


def test_the_user_s_name_is_kept_out_of_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/anna"))

    def fail() -> doctor.Facts:
        raise OSError("/home/anna/.cache: no space")

    found = examine({"a": fail, "b": lambda: {"downloads": "/home/anna/.cache/livemask (writable)"}})
    assert found == {
        "a": {FAILED: "OSError: ~/.cache: no space"},
        "b": {"downloads": "~/.cache/livemask (writable)"},
    }


@pytest.mark.parametrize("state", [ABSENT, f"{BROKEN}ImportError: libcudart.so"])
def test_a_library_that_is_needed_and_not_there_is_a_problem(
    state: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", {"versions": lambda: {"OpenVINO": ABSENT, "PyTorch": state}})
    assert main(["doctor"]) == 1
    assert f"problem: PyTorch is {state}; run `pip install" in capsys.readouterr().out


def test_libraries_that_are_not_there_or_do_not_load_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_there.py").write_text("import nothing_like_that")
    (tmp_path / "crashes.py").write_text("raise OSError('no libGL.so.1')")
    monkeypatch.syspath_prepend(tmp_path)
    libraries = {
        "A": ("not_there_at_all", "x"),
        "B": ("half_there", "x"),
        "C": ("crashes", "x"),
        "D": ("json", "x"),
    }
    monkeypatch.setattr(versions, "LIBRARIES", libraries)
    there = examine({"versions": CHECKS["versions"]})["versions"]
    assert there["A"] == ABSENT
    assert there["B"] == "broken: ModuleNotFoundError: No module named 'nothing_like_that'"
    assert there["C"] == "broken: OSError: no libGL.so.1"
    assert there["D"] == "there, but does not tell its version"


def test_no_usable_engine_and_no_weights_are_problems() -> None:
    assert problems(WELL) == []
    lame = {**WELL, "engines": {"auto": "unknown: ConfigError: nothing goes together"}}
    assert problems(lame) == ["no engine can be used: ConfigError: nothing goes together"]
    bare = {**WELL, "weights": {"livemask_s": "missing", "yolact_base": "not downloaded"}}
    assert len(problems(bare)) == 1
    assert "there are no weights" in problems(bare)[0]


def test_a_check_that_failed_is_no_reason_to_say_that_nothing_works() -> None:
    assert problems({name: {FAILED: "OSError"} for name in CHECKS}) == []


def test_missing_bundled_weights_are_seen(bundle: Path) -> None:
    assert bundle.is_dir()
    assert CHECKS["weights"]()["livemask_s"] == "missing"


def test_folders_say_whether_they_can_be_written_to(home: Path) -> None:
    assert CHECKS["folders"]()["downloads"] == f"{home} (not made yet)"
    home.mkdir()
    assert CHECKS["folders"]()["downloads"] == f"{home} (writable)"


def test_the_processor_its_instructions_and_the_memory_are_read_from_the_system(proc: Path) -> None:
    assert machine.processor(proc) == "Testing CPU @ 1 GHz"
    assert machine.instructions(proc) == "AVX2, AVX512, VNNI, BF16"
    assert machine.memory(proc) == "16.4 GB, 4.1 GB of it free"


def test_arm_processors_are_understood_too(proc: Path) -> None:
    (proc / "cpuinfo").write_text("processor : 0\nFeatures : fp asimd asimddp bf16 i8mm\n")
    assert machine.instructions(proc) == "BF16, NEON, I8MM"


def test_the_display_is_named_by_its_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert machine.display() == "Wayland"
    monkeypatch.delenv("WAYLAND_DISPLAY")
    assert machine.display().startswith("none: windows cannot be shown")
