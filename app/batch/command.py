"""`batch`: many videos, by several workers, on one machine or several that share a folder."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from app.annotate.command import options_of, terminated_like_ctrl_c
from app.annotate.flags import add_making_arguments, add_working_arguments
from app.annotate.report import Report, print_report
from app.cli import EXIT_FAILED, EXIT_OK
from app.options import record
from app.values import at_least_one, zero_or_more

EPILOG = (
    "A batch can be ended in any way at any moment; `batch start` with the same inputs makes exactly what is "
    "missing. Exit code: 0 everything is finished; 1 some video failed; 2 wrong usage; 130 after Ctrl-C."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `start`, `status`, `retry`, `verify` and `clean`."""
    parser.epilog = EPILOG
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_start(actions.add_parser("start", help="make what is missing of a batch", epilog=EPILOG))

    status = _with_folder(actions.add_parser("status", help="what is finished, failed and running"))
    status.add_argument("--json", action="store_true", help="print a json object for programs")

    retry = _with_folder(
        actions.add_parser("retry", help="try again what failed, and make whatever else is missing")
    )
    add_working_arguments(retry, "local")
    retry.add_argument("-q", "--quiet", action="store_true", help="no progress")

    verify = _with_folder(
        actions.add_parser(
            "verify", help="compare outputs with their records, their inputs and a second computation"
        )
    )
    verify.add_argument(
        "--sample",
        type=zero_or_more,
        default=3,
        metavar="N",
        help="compute N videos again, and compare their JSON lines byte for byte (default: %(default)s)",
    )
    verify.add_argument(
        "--frames",
        type=at_least_one,
        default=50,
        metavar="N",
        help="the first N frames of each of them (default: %(default)s)",
    )

    _with_folder(actions.add_parser("clean", help="remove parts of outputs that nobody works on"))


def run(args: argparse.Namespace) -> int:
    """Run the action and return the exit code. Raises LiveMaskError."""
    return ACTIONS[args.action](args)


def _with_folder(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder that `batch start -o` named")
    return parser


def _add_start(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        nargs="*",
        default=[],
        metavar="INPUT",
        help="videos; folders of them (with subfolders: --recursive); patterns such as '*.mp4'; @FILE for a "
        "list of inputs",
    )
    parser.add_argument(
        "--list",
        dest="lists",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a file with an input in each line; may be given several times",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="folder to write to, made when absent; several machines may share it",
    )
    parser.add_argument("--recursive", action="store_true", help="search the subfolders of folders, too")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace outputs that exist and that no batch has made"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be made of what, and make nothing"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    add_working_arguments(parser, "local")
    add_making_arguments(parser)


def _start(args: argparse.Namespace) -> int:
    from app.batch.start import BatchOptions, start

    started, options, report = time.perf_counter(), options_of(args), Report()
    how = record(BatchOptions, args)
    try:
        with terminated_like_ctrl_c():
            report, photos = start(options, how)
        if photos:
            many = f"{len(photos)} photograph{'s' * (len(photos) > 1)}"
            print(f"note: {many} left out: a batch is of videos; `annotate` takes them", file=sys.stderr)
    finally:
        print_report(report, time.perf_counter() - started, args.output)
    return EXIT_FAILED if report.failures else EXIT_OK


def _status(args: argparse.Namespace) -> int:
    from app.batch.manifest import Manifest
    from app.batch.status import status_of, told
    from app.batch.store import BatchFolder

    status = status_of(Manifest(BatchFolder(args.out)))
    print(json.dumps(status.as_json(), indent=1) if args.json else "\n".join(told(status)))
    return EXIT_OK


def _retry(args: argparse.Namespace) -> int:
    from app.batch.retrying import retry
    from app.batch.start import BatchOptions

    started, report = time.perf_counter(), Report()
    try:
        with terminated_like_ctrl_c():
            report = retry(args.out, record(BatchOptions, args), args.quiet)
    finally:
        print_report(report, time.perf_counter() - started, args.out)
    return EXIT_FAILED if report.failures else EXIT_OK


def _verify(args: argparse.Namespace) -> int:
    from app.batch.manifest import Manifest
    from app.batch.store import BatchFolder
    from app.batch.verifying import Checks, Verified, verify

    differs = False
    for found in verify(Manifest(BatchFolder(args.out)), record(Checks, args)):
        if isinstance(found, Verified):
            for name, why in found.untold:
                print(f"note: {name}: {why}" if name else f"note: {why}", file=sys.stderr)
            computed = f"{found.recomputed} of them computed again"
            print(f"{found.videos} finished videos compared, {computed}: {len(found.faults)} differences")
        else:
            differs = True
            print(f"differs: {found[0]}: {found[1]}", file=sys.stderr)
    if differs:
        print("`batch start` makes again whatever is not there: remove what differs first", file=sys.stderr)
    return EXIT_FAILED if differs else EXIT_OK


def _clean(args: argparse.Namespace) -> int:
    from app.batch.cleaning import sweep
    from app.batch.manifest import Manifest
    from app.batch.store import BatchFolder

    folder = BatchFolder(args.out)
    Manifest(folder).planned()  # raises where there is no batch
    swept = sweep(folder, drafts=True)
    busy = f"; {swept.busy} are being worked on" if swept.busy else ""
    print(f"{swept.parts} parts removed, {swept.size / 1e6:.1f} MB, and {swept.claims} claims{busy}")
    return EXIT_OK


ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "start": _start,
    "status": _status,
    "retry": _retry,
    "verify": _verify,
    "clean": _clean,
}
