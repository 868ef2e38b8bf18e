"""Runs that are stopped from outside, as real processes."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from app.cli import main
from model.training.recipe import recipe_for
from model.training.saved_run import read_saved_run
from tests.shapes_data import write_shapes
from tests.source_tree import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")

ITERATIONS = 10
# two stages, and data made by another process, as in earnest
RUN = (
    *("train", "--config", "livemask_n", "--backbone", "scratch", "--device", "cpu"),
    *("--image-size", "64", "--stages", "0.6:64:mild,1:96:light", "--batch-size", "2", "--workers", "1"),
    *("--save-every", "4", "--iterations", str(ITERATIONS)),
)
# what a row says about speed differs from run to run
TIMINGS = {"seconds", "waited"}
PATIENCE = 120.0  # seconds


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("shapes"), images=5, side=80)


def rows(output: Path) -> list[dict[str, str]]:
    """The whole rows of the log so far, without timings."""
    log = output / "log.csv"
    if not log.exists():
        return []
    lines = [line for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [{k: v for k, v in row.items() if k not in TIMINGS} for row in csv.DictReader(lines)]


def begin(*arguments: object, launcher: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    command = [sys.executable, *launcher, str(ROOT / "run_app.py"), *map(str, arguments)]
    # as many threads as here: sums in another order differ in their last digit
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def wait_until(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not reached():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until, "the run took too long"
        time.sleep(0.01)


def catches(process: subprocess.Popen[str], number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for that signal."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def kill_after(process: subprocess.Popen[str], output: Path, iterations: int) -> None:
    wait_until(process, lambda: len(rows(output)) >= iterations)
    process.kill()
    process.communicate()


def killed_before_it_saved(shapes, tmp_path):
    """The folder of a run that was killed early; on a busy machine it may take some tries."""
    for number in range(10):
        output = tmp_path / f"killed_{number}"
        kill_after(begin(*RUN, "--data", shapes, "--output", output), output, 2)
        if not (output / "last.pt").exists():
            return output
    raise AssertionError("each time a state was saved before the run was killed")


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_moment_and_resumed_has_the_same_losses_as_one_that_was_not(
    shapes, tmp_path
):
    whole = tmp_path / "whole"
    assert main([*RUN, "--data", str(shapes), "--output", str(whole)]) == 0
    killed = killed_before_it_saved(shapes, tmp_path)
    resume = ("train", "--resume", "--output", killed)
    kill_after(begin(*resume), killed, 6)
    assert read_saved_run(killed / "last.pt").iteration in (4, 8)
    assert main([*map(str, resume)]) == 0
    assert len(rows(whole)) == ITERATIONS
    assert rows(killed) == rows(whole)
    final, expected = (torch.load(folder / "final.pt")["weights"] for folder in (killed, whole))
    for name, value in expected.items():
        torch.testing.assert_close(final[name], value, rtol=0, atol=0, msg=name)


@pytest.mark.slow
def test_ctrl_c_saves_what_was_learned_and_the_run_can_go_on(shapes, tmp_path):
    output = tmp_path / "run"
    process = begin(*RUN, "--data", shapes, "--output", output, "--save-every", 500)
    wait_until(process, lambda: len(rows(output)) >= 2)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 130
    saved = read_saved_run(output / "last.pt")
    assert saved.iteration == len(rows(output)) >= 2
    assert f"stopped after {saved.iteration} iterations; --resume goes on from there" in told
    assert "Traceback" not in told
    assert main(["train", "--resume", "--output", str(output)]) == 0
    assert [row["iteration"] for row in rows(output)] == [str(i) for i in range(ITERATIONS)]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells who catches what")
def test_a_second_ctrl_c_ends_the_run_at_once(shapes, tmp_path):
    output = tmp_path / "run"
    # an iteration takes so long that both come within it
    slow = ("--batch-size", 128, "--stages", "1:256:none", "--precision", "fp32")
    process = begin(*RUN, "--data", shapes, "--output", output, *slow)
    wait_until(process, lambda: catches(process, signal.SIGTERM))  # as it does SIGINT, from the same time on
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert any("once more to stop at once" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 130, told
    assert "interrupted" in told
    assert rows(output) == []


TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.mark.slow
def test_two_processes_under_torchrun_train_together_and_end_cleanly(shapes, tmp_path):
    output = tmp_path / "run"
    process = begin(*RUN, "--data", shapes, "--val", shapes, "--output", output, launcher=TORCHRUN)
    told = process.communicate(timeout=4 * PATIENCE)[1]
    assert process.returncode == 0, told
    saved = read_saved_run(output / "last.pt")
    # half of the iterations at twice the rate
    assert (saved.devices, saved.iteration) == (2, ITERATIONS // 2)
    assert saved.recipe.learning_rate == pytest.approx(2 * recipe_for("livemask_n").learning_rate)
    assert [row["images"] for row in rows(output)] == ["4"] * (ITERATIONS // 2)
    assert told.count("labels: 5 images") == 1
    assert (output / "final.pt").exists()


@pytest.mark.slow
def test_a_run_under_torchrun_that_is_interrupted_is_resumed_by_as_many_processes_only(
    shapes, tmp_path, capfd
):
    output = tmp_path / "run"
    long = [*RUN, "--data", shapes, "--output", output, "--iterations", 2000]
    process = begin(*long, launcher=TORCHRUN)
    wait_until(process, lambda: len(rows(output)) >= 2)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode != 0
    saved = read_saved_run(output / "last.pt")
    assert saved.iteration == len(rows(output))
    assert "stopped after" in told
    assert main(["train", "--resume", "--output", str(output)]) == 1
    assert "go on with as many processes" in capfd.readouterr().err
