"""`annotate`: photographs, videos, cameras and streams in, the same with their instances drawn out."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from app.annotate.flags import add_making_arguments, add_working_arguments
from app.annotate.options import AnnotateOptions, OutputOptions, TrackingOptions, VideoOptions
from app.annotate.report import Report, print_report
from app.cli import EXIT_CUT, EXIT_FAILED, EXIT_OK
from app.options import record, refuse_early
from app.values import CHANGEABLE, changes
from pipeline.settings import DetectionSettings, DisplaySettings

if TYPE_CHECKING:
    from app.annotate.plan import Job, VideoJob
    from model.options import LoadOptions

EXIT_CODES = (
    "Exit code: 0 everything was annotated; 1 some input failed; 2 wrong usage; 3 nothing failed, but a "
    "stream broke off before its end, and a part is left that can be played; 130 after Ctrl-C."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.epilog = EXIT_CODES
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="photographs and videos; folders of them (with subfolders: --recursive); patterns such as "
        "'*.jpg'; a camera: 0, 1, … or camera:NAME; a stream: rtsp://, http(s)://, udp://",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help="folder to write to, made when absent; for a single input also a file. A video file makes "
        "photographs its frames (default: NAME_masks.mp4 or NAME_masks.jpg in the current folder)",
    )
    parser.add_argument("--recursive", action="store_true", help="search the subfolders of folders, too")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    existing.add_argument("--skip-existing", action="store_true", help="make only outputs that do not exist")
    parser.add_argument(
        "--remove-parts",
        action="store_true",
        help="remove what runs that did not end have left of the outputs, NAME.….part.mp4 and such",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be made of what, and make nothing"
    )
    loud = parser.add_mutually_exclusive_group()
    loud.add_argument("-q", "--quiet", action="store_true", help="no progress and no table of timings")
    loud.add_argument("-v", "--verbose", action="store_true", help="a table of timings for every video")
    add_working_arguments(parser)
    add_making_arguments(parser)
    parser.add_argument(
        "--share",
        action="store_true",
        help="work on several videos, cameras and streams at a time, all through one network: cameras and "
        "streams all at once, files four at a time. One that breaks off costs the others nothing. On a GPU "
        "frames of different sources make one batch; on a CPU, where it is no faster, up to --batch of them",
    )
    parser.add_argument(
        "--trace", type=Path, metavar="FILE", help="write a timeline for Perfetto or chrome://tracing"
    )
    parser.add_argument(
        "--compare",
        type=changes,
        metavar="KEY=VALUE[,KEY=VALUE…]",
        help="show each frame of a video twice: as the other options say and, beside it, with these changed: "
        f"any of {', '.join(CHANGEABLE)}. Below each stands how much its masks jitter (NAME_compare.mp4)",
    )


def run(args: argparse.Namespace) -> int:
    """Annotate every input; the exit code is 1 when any of them failed, else 3 when a stream broke off."""
    from app.annotate.inputs import gather
    from app.annotate.jobs import prepare

    started = time.perf_counter()
    options = options_of(args)
    if args.on is not None:
        return _run_as_batch(options, args)
    inputs = gather(options.inputs, options.recursive)
    report = Report(failures=inputs.failures)
    if not inputs.photos and not inputs.videos:  # nothing to complain about OUT for
        print_report(report, 0.0, Path())
        return EXIT_FAILED
    photos, videos = prepare(inputs, options, report)
    if options.output.dry_run:
        return _tell_plan(photos, videos, report)
    try:
        with terminated_like_ctrl_c():
            if photos or videos:
                _annotate_all(photos, videos, options, report)
    finally:  # also after Ctrl-C: what is done is done, and is told
        print_report(report, time.perf_counter() - started, options.output.output or Path())
    return EXIT_FAILED if report.failures else EXIT_CUT if report.cut else EXIT_OK


def _run_as_batch(options: AnnotateOptions, args: argparse.Namespace) -> int:
    """Annotate by several workers, and photographs afterwards in this process."""
    from app.batch.start import BatchOptions, refuse_single, start

    refuse_single(options)
    started = time.perf_counter()
    report = Report()
    try:
        with terminated_like_ctrl_c():
            report, photos = start(options, record(BatchOptions, args))
            if photos and options.output.dry_run:
                _tell_plan(photos, [], Report())
            elif photos:
                _annotate_all(photos, [], options, report)
    finally:
        print_report(report, time.perf_counter() - started, options.output.output or Path())
    return EXIT_FAILED if report.failures else EXIT_OK


def options_of(args: argparse.Namespace) -> AnnotateOptions:
    """Return the options of parsed arguments; those that were not declared keep their defaults."""
    return record(
        AnnotateOptions,
        args,
        detection=record(DetectionSettings, args),
        tracking=record(TrackingOptions, args),
        drawing=record(DisplaySettings, args),
        video=record(VideoOptions, args),
        output=record(OutputOptions, args),
    )


def _tell_plan(photos: Sequence[Job], videos: Sequence[VideoJob], report: Report) -> int:
    """Print a line for each input, as --dry-run does, on the standard output."""
    jobs: list[Job | VideoJob] = [*photos, *videos]
    for job in jobs:
        print(f"{job.name} -> {', '.join(map(str, job.outputs))}")
    for failure in report.failures:
        print(f"failed: {failure}", file=sys.stderr)
    skipped = f", {report.skipped} skipped" if report.skipped else ""
    print(f"{len(jobs)} to annotate{skipped}; nothing was written", file=sys.stderr)
    return EXIT_FAILED if report.failures else EXIT_OK


def _annotate_all(
    photos: Sequence[Job], videos: Sequence[VideoJob], options: AnnotateOptions, report: Report
) -> None:
    for detection in dict.fromkeys((options.detection, options.right.detection)):
        refuse_early(detection)
    more: LoadOptions = {"crop_masks": options.crop_masks, "with_masks": options.drawing.masks}
    if options.compare is not None:
        from app.annotate.compare import annotate_compared

        annotate_compared(videos, options, more, report)
        return
    from app.predictors import Predictors

    predictors = Predictors(options.detection, options.output.quiet, more=more)
    if photos:
        from app.annotate.photos import annotate_photos

        annotate_photos(photos, predictors, options, report)
    if videos and options.video.share:
        from app.annotate.sharing import annotate_shared

        annotate_shared(videos, predictors, options, report)
    elif videos:
        from app.annotate.videos import annotate_videos, one_by_one

        annotate_videos(videos, one_by_one(predictors, options), options, report)


@contextmanager
def terminated_like_ctrl_c() -> Iterator[None]:
    """Treat a request to end the process as Ctrl-C: whole files stay, parts are closed."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
