"""The window: how soon it is there, how old its pictures are, how soon it answers, what memory it takes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

from app.benchmarks.figures import Figure, Setup, at_most, missing
from model.project import DEMO, ROOT
from ui.window.qt import missing_display

STARTS = 5
FAST_FORWARD = 12.0  # ms of the forward pass where pictures that young are asked for


def run(setup: Setup) -> list[Figure]:
    """The window with the shipped weights on a clip that is played at 30 frames a second, over and over."""
    with _display() as environment, tempfile.TemporaryDirectory() as home:
        if environment is None:
            return [missing("window", "there is no display, and no Xvfb to stand in for one")]
        # settings and caches of its own: the user's are left alone, and change nothing
        environment = {**environment, "LIVEMASK_HOME": home}
        clip = str(setup.clip or DEMO)
        arguments = ("gui", "--source", clip, *(("--weights", setup.weights) if setup.weights else ()))
        starts = [
            _child(environment, "gui_start", "time_start", time.time(), arguments) for _ in range(STARTS)
        ]
        seen = _child(environment, "gui_watch", "watch", clip, setup.weights, 60 * setup.minutes)
    return [
        at_most("window: seen after the command", min(starts), 1.5, "s", f"the best of {STARTS} starts"),
        *figures(seen),
    ]


def figures(seen: Mapping[str, Any]) -> list[Figure]:
    """The figures of what `gui_watch.watch` has seen; milliseconds and bytes."""
    how = f"{seen['fps']:.1f} fps shown, forward p50 {seen['forward']:.1f} ms, {seen['seconds']:.0f} s"
    # others that compute at the same time make the event loop wait for a core
    load = "" if seen["load"] is None else f"load average {seen['load']:.1f}"
    ages, delays = seen["ages"], seen["delays"]
    return [
        Figure("window: age of the shown frame, p50", ages["p50"], "ms", note=how),
        _judged("window: age of the shown frame, p95", ages["p95"], seen["forward"]),
        Figure("window: age of the shown frame, p99", ages["p99"], "ms"),
        at_most("window: growth of the age's p95", seen["growth"], 10, "ms", "last quarter less the first"),
        at_most("window: event loop late, p99", delays["p99"], 16, "ms"),
        at_most("window: event loop late, most", delays["max"], 50, "ms", load),
        Figure("window: event loop late while loading, p99", seen["loading"]["p99"], "ms"),
        Figure("window: event loop late while loading, most", seen["loading"]["max"], "ms"),
        _memory(seen["memory"]),
    ]


def _judged(name: str, age: float, forward: float) -> Figure:
    """A slow machine may reach the target, but cannot miss it."""
    figure = at_most(name, age, 100, "ms")
    if figure.reached or forward <= FAST_FORWARD:
        return figure
    note = f"asked for only where the forward pass takes {FAST_FORWARD:g} ms"
    return Figure(name, age, "ms", figure.target, None, note)


def _memory(memory: Mapping[str, float] | None) -> Figure:
    name = "window: growth of memory"
    if memory is None:
        return missing(name, "this system has no /proc to read it from")
    note = f"from {memory['first'] / 1e6:.0f} MB after {memory['at']:.0f} s"
    return at_most(name, (memory["last"] - memory["first"]) / 1e6, 30, "MB", note)


def _child(environment: Mapping[str, str], module: str, function: str, *arguments: object) -> Any:
    """Run a function of a module here in a process of its own, and return the json that it prints."""
    code = f"from app.benchmarks import {module}; {module}.{function}{arguments!r}"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@contextlib.contextmanager
def _display() -> Iterator[dict[str, str] | None]:
    """An environment in which windows can be shown, by way of Xvfb where there is no display; None if not."""
    if not missing_display():
        yield dict(os.environ)
    elif shutil.which("Xvfb") is None:
        yield None
    else:
        with _xvfb() as number:
            yield {**os.environ, "DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}


@contextlib.contextmanager
def _xvfb() -> Iterator[int]:
    """The number of a display in memory, 1920 x 1080."""
    read, write = os.pipe()
    screen = ("-screen", "0", "1920x1080x24", "-nolisten", "tcp")
    # it would begin anew, and be deaf for a while, whenever its last client goes
    command = ["Xvfb", "-displayfd", str(write), *screen, "-noreset"]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        try:
            with os.fdopen(read) as told:
                yield int(told.readline())
        finally:
            server.terminate()
