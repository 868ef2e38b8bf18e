"""The command line: a table of commands, one module each, loaded only when it is asked for.

A command's module offers `add_arguments(parser)` and `run(args) -> int`, whose result is the exit code.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from model.errors import ConfigError, LiveMaskError, is_out_of_memory

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_CUT = 3
EXIT_INTERRUPTED = 130

# command -> (module, what it does)
COMMANDS: dict[str, tuple[str, str]] = {
    "gui": ("app.gui", "open the window: live segmentation on the desktop (also without a command)"),
    "annotate": (
        "app.annotate.command",
        "segment photographs, videos, cameras and streams, and draw the masks",
    ),
    "batch": (
        "app.batch.command",
        "annotate many videos by several workers, beside other machines, and go on after any fault",
    ),
    "models": ("app.models", "list, show, download and locate weights"),
    "eval": ("app.evaluate.command", "measure weights on a labelled data set or video"),
    "stability": (
        "app.stability.command",
        "measure how still masks are from frame to frame, and write a report",
    ),
    "export": ("app.export.command", "write weights as an ONNX or OpenVINO model, proven against PyTorch"),
    "train": ("app.train.command", "train a network on a labelled data set"),
    "calibrate": (
        "app.calibrate.command",
        "make scores probabilities, and choose a threshold for every class",
    ),
    "fill-masks": ("app.train.fill_masks", "give masks to objects of a data set that have only a box"),
    "bench": ("app.bench", "measure how fast this machine is"),
    "doctor": ("app.doctor", "tell what is found on this machine, and what `auto` would choose"),
    "yolact": (
        "app.annotate.yolact",
        "take the evaluation command line of the YOLACT reference, and annotate",
    ),
}

DEFAULT_COMMAND = "gui"


def build_parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the command that `argv` names; the others are listed but not loaded."""
    parser = argparse.ArgumentParser(
        prog="run_app.py", description="Real-time instance segmentation for webcams and video."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name in argv[:1]:
            loaded = importlib.import_module(module)
            loaded.add_arguments(command)
            command.set_defaults(run=loaded.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 done, 1 failed, 2 wrong usage, 3 done but for streams that broke off, 130 interrupted.
    """
    argv = _with_command(sys.argv[1:] if argv is None else argv)
    args = _parse(argv)
    _print_any_name()
    try:
        code = int(args.run(args))
        if sys.stdout is not None:  # None where it was closed from the start
            sys.stdout.flush()  # here, where a full disk can still be told
        return code
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USAGE
    except LiveMaskError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        print(
            "error: this machine has not enough memory for it; choose a smaller --image-size, or a smaller "
            "--batch-size where images are worked on together",
            file=sys.stderr,
        )
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read the output has seen enough
        _flush_or_discard_output()
        return EXIT_FAILED
    except OSError as error:
        _flush_or_discard_output()
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED


def _with_command(argv: Sequence[str]) -> Sequence[str]:
    """Return the arguments with the default command, `gui`, in front where none is named."""
    asks_for_help = argv[:1] in (["-h"], ["--help"])
    return argv if asks_for_help or (argv and not argv[0].startswith("-")) else [DEFAULT_COMMAND, *argv]


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments; inputs after an option, which argparse leaves over, join the others."""
    parser = build_parser(argv)
    args, late = parser.parse_known_args(argv)
    if late and (not hasattr(args, "inputs") or any(word.startswith("-") for word in late)):
        parser.error(f"unrecognized arguments: {' '.join(late)}")
    if late:
        args.inputs += late
    return args


def _print_any_name() -> None:
    """Print file names that are not in the output's encoding as their own bytes."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")


def _flush_or_discard_output() -> None:
    """Write what was printed before an error; send it nowhere where the output itself is at fault.

    The interpreter would try to write it once more as it ends, and complain.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError), Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
