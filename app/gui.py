"""`gui`: the window."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from app.options import add_class_argument, add_weights_argument

if TYPE_CHECKING:
    from model.instance_predictor import LoadedPredictor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "--source",
        default="",
        metavar="SOURCE",
        help="what to open at once: a camera (0, 1, … or camera:NAME), a video, a picture, a folder of "
        "pictures, or the address of a stream (default: nothing)",
    )
    add_weights_argument(parser, "those used last")
    add_class_argument(
        parser, "what to look for, such as person,dog (default: what was looked for last; all: every class)"
    )


def run(args: argparse.Namespace) -> NoReturn:
    """Show the window until it is closed, and end the process; only errors come back."""
    from ui.window.application import Start
    from ui.window.application import run as show

    def warn(text: str) -> None:
        print(f"warning: {text}", file=sys.stderr)

    start = Start(_found_again(args.source), args.weights, args.classes or (), CoreSharing())
    _end_at_once(show(start, warn))


class CoreSharing:
    """Shares the cores for networks that come one after another: PyTorch's threads come back with its engine.

    Call it in the thread that uses the predictor: PyTorch's setting is that thread's, and that of all threads
    that have not worked yet.
    """

    def __init__(self) -> None:
        self._own: int | None = None  # PyTorch's threads, as they were before any were taken away

    def __call__(self, predictor: LoadedPredictor) -> None:
        """Make ready for this network."""
        from app.predictors import runs_in_openvino, set_torch_threads, share_cores, torch_threads

        if self._own is None:
            self._own = torch_threads()
        elif not runs_in_openvino(predictor):
            set_torch_threads(self._own)
        share_cores(predictor)


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
