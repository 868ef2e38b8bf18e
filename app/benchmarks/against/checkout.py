"""A checkout of the project, driven by its command line alone, so that it may be one of any age."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from app.benchmarks.against import launcher
from model.errors import ConfigError, LiveMaskError

PROGRAM = "run_app.py"


class CommandError(LiveMaskError):
    """A checkout's command that failed: the message says whose, and ends with the last line of its errors."""


@dataclass(frozen=True)
class Spent:
    """The cost of one command from its start to its end.

    cpu_seconds: of all its threads, user and system
    peak:        bytes of memory that it held at most
    """

    seconds: float
    cpu_seconds: float
    peak: int


@dataclass(frozen=True)
class Checkout:
    """A folder with the project in it, under the name that figures give it."""

    name: str
    folder: Path

    def run(self, *arguments: str | Path) -> Spent:
        """Run a command in a process of its own, and return what it spent; CommandError where it fails."""
        launch: list[str | Path] = [sys.executable, "-I", "-S", launcher.__file__, self.folder]
        done = self._process([*launch, *self._command(arguments)], arguments)
        spent = json.loads(done.stdout)
        self._expect_success(spent.pop("code"), done.stderr, arguments)
        return Spent(**spent)

    def printed(self, *arguments: str | Path) -> str:
        """Return what a command prints; CommandError where it fails."""
        done = self._process(self._command(arguments), arguments)
        return done.stdout

    def _command(self, arguments: tuple[str | Path, ...]) -> list[str | Path]:
        return [sys.executable, PROGRAM, *arguments]

    def _process(
        self, command: list[str | Path], arguments: tuple[str | Path, ...]
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, errors="replace", check=False
        )
        self._expect_success(done.returncode, done.stderr, arguments)
        return done

    def _expect_success(self, code: int, errors: str, arguments: tuple[str | Path, ...]) -> None:
        if code:
            said = [line.strip() for line in errors.splitlines() if line.strip()]
            how = said[-1] if said else f"exit code {code}"
            raise CommandError(f"{self.name} failed at `{arguments[0]}`: {how}")


def other_checkout(folder: Path) -> Checkout:
    """Return the checkout in a folder; ConfigError where there is none."""
    if not folder.is_dir():
        raise ConfigError(f"--against needs the folder of another checkout; {folder} is no folder")
    if not (folder / PROGRAM).is_file():
        raise ConfigError(f"--against needs the folder of another checkout; {folder} has no {PROGRAM}")
    return Checkout("the other checkout", folder.resolve())
