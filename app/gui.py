"""`gui`: the window."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from app.options import add_class_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "--source",
        default="",
        metavar="SOURCE",
        help="what to open at once: a camera (0, 1, … or camera:NAME), a video, a picture, a folder of "
        "pictures, or the address of a stream (default: nothing)",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="weights: a file, or a name that `models list` shows (default: those used last)",
    )
    add_class_argument(
        parser, "what to look for, such as person,dog (default: what was looked for last; all: every class)"
    )


def run(args: argparse.Namespace) -> NoReturn:
    """Show the window until it is closed, and end the process; only errors come back."""
    from app.threads import CoreSharing
    from ui.window.application import Start
    from ui.window.application import run as show

    def warn(text: str) -> None:
        print(f"warning: {text}", file=sys.stderr)

    start = Start(_found_again(args.source), args.weights, args.classes or (), CoreSharing())
    _end_at_once(show(start, warn))


def _end_at_once(code: int) -> NoReturn:
    """End the process, all being saved, though threads may be in what cannot be interrupted.

    Python would take down PyTorch and OpenVINO first, for seconds on a busy machine, and would abort where a
    thread is in native code meanwhile.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code)


def _found_again(source: str) -> str:
    """A file or folder with its whole path, for it is remembered and opened again from elsewhere."""
    path = Path(source)
    is_number_of_a_camera = source.isdecimal()
    return str(path.absolute()) if source and not is_number_of_a_camera and path.exists() else source
