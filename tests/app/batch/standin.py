"""The lightest work that there is, behind the same protocol as annotating: it copies text."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from app.batch.records import PlannedVideo
from app.batch.tasks import Made
from model.errors import SourceError


class Copying:
    """Writes each line of an input, numbered, to the first output, and how many there are to the others.

    A line `sleep S` takes so many seconds, `fail` fails, `kill` kills the worker; `once FILE` waits until the
    file is there, `log FILE` adds a line with the video's name to it.
    """

    def __init__(self, out: Path) -> None:
        self._out = out

    def make(self, video: PlannedVideo, folder: Path) -> Made:
        self._name = video.name
        lines = Path(video.source).read_text(errors="replace").splitlines()
        texts = [self._text(lines), *[f"{len(lines)}\n"] * (len(video.outputs) - 1)]
        for (_, path), text in zip(video.outputs, texts, strict=True):
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("w") as file:
                for line in text.splitlines(keepends=True):
                    file.write(line)
                    file.flush()
                    self._do(*line.split()[1:3])
        return Made(len(lines))

    def _text(self, lines: list[str]) -> str:
        return "".join(f"{number} {line}\n" for number, line in enumerate(lines))

    def _do(self, word: str = "", value: str = "") -> None:
        if word == "sleep":
            time.sleep(float(value))
        elif word == "fail":
            raise SourceError("it says that it fails")
        elif word == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == "log":
            with Path(value).open("a") as file:
                file.write(f"{self._name}\n")
        elif word == "once":
            while not Path(value).exists():
                time.sleep(0.005)
