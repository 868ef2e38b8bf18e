"""`annotate`: photographs, videos, cameras and streams in, the same with their instances drawn out."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from app.annotate.report import Report, print_report
from app.changes import CHANGEABLE, changes
from app.drawing import add_drawing_arguments
from app.options import (
    add_predictor_arguments,
    add_tracking_arguments,
    at_least_one,
    follow_options,
    frame_rate,
    refuse_early,
    zero_or_more,
)

if TYPE_CHECKING:
    from app.annotate.plan import AnyJob, Job, VideoJob

AS = ("video", "images", "json")
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
        "--json",
        action="store_true",
        help="write the detections too: NAME.json for an image, NAME.jsonl (a line a frame) for a video",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be made of what, and make nothing"
    )
    loud = parser.add_mutually_exclusive_group()
    loud.add_argument("-q", "--quiet", action="store_true", help="no progress and no table of timings")
    loud.add_argument("-v", "--verbose", action="store_true", help="a table of timings for every video")
    add_predictor_arguments(parser)
    _add_video_arguments(parser)
    add_tracking_arguments(parser)
    parser.add_argument(
        "--compare",
        type=changes,
        metavar="KEY=VALUE[,KEY=VALUE…]",
        help="show each frame of a video twice: as the other options say and, beside it, with these changed: "
        f"any of {', '.join(CHANGEABLE)}. Below each stands how much its masks jitter (NAME_compare.mp4)",
    )
    add_drawing_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Annotate every input; the exit code is 1 when any of them failed, else 3 when a stream broke off."""
    from app.annotate.inputs import gather
    from app.annotate.leftovers import without_busy
    from app.annotate.plan import Wanted, plan
    from app.cli import EXIT_CUT, EXIT_FAILED, EXIT_OK

    started = time.perf_counter()
    inputs = gather(args.inputs, args.recursive)
    report = Report(failures=inputs.failures)
    if not inputs.photos and not inputs.videos:  # nothing to complain about OUT for
        print_report(report, 0.0, Path())
        return EXIT_FAILED
    if args.compare is None:
        wanted = Wanted(args.output, args.as_, args.json, args.trace, args.tracks_as)
        photos, videos = plan(inputs, wanted)
    else:
        from app.annotate.compare import plan_comparison

        photos, videos = [], plan_comparison(inputs, args)
    for note in inputs.notes:
        print(f"note: {note}", file=sys.stderr)
    _check_video_arguments(args, videos)
    photos, videos = _pending(photos, args, report), _pending(videos, args, report)
    videos = without_busy(videos, args, report)
    if args.dry_run:
        return _tell_plan(photos, videos, report)
    try:
        with _terminated_like_ctrl_c():
            if photos or videos:
                _annotate_all(photos, videos, args, report)
    finally:  # also after Ctrl-C: what is done is done, and is told
        print_report(report, time.perf_counter() - started, args.output or Path())
    return EXIT_FAILED if report.failures else EXIT_CUT if report.cut else EXIT_OK


def _add_video_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("video")
    group.add_argument(
        "--as",
        dest="as_",
        choices=AS,
        default=AS[0],
        help="what becomes of a video's frames: a video, a folder of images, or JSON lines alone "
        "(default: %(default)s)",
    )
    group.add_argument("--codec", metavar="NAME", help="of videos (default: h264, of .webm vp9)")
    group.add_argument(
        "--crf",
        type=zero_or_more,
        metavar="Q",
        help="quality of videos, lower is better (default: the codec's own, 23 for h264)",
    )
    group.add_argument(
        "--batch",
        type=at_least_one,
        default=1,
        metavar="N",
        help="frames that go through the network together (default: %(default)s). What is found is the same "
        "to the last bit with the openvino engine; PyTorch may compute a single frame by another algorithm, "
        "and scores then differ in their last digits",
    )
    group.add_argument(
        "--stride", type=at_least_one, default=1, metavar="N", help="take every Nth frame only"
    )
    group.add_argument("--max-frames", type=at_least_one, metavar="N", help="stop after N frames")
    group.add_argument(
        "--frame-rate",
        type=frame_rate,
        metavar="FPS",
        help="of a video made of photographs (default: 25), and of files whose frames have no times, such as "
        ".h264, .hevc, .obu and .mjpeg (default: what the codec says, or 25)",
    )
    group.add_argument(
        "--trace", type=Path, metavar="FILE", help="write a timeline for Perfetto or chrome://tracing"
    )


def _check_video_arguments(args: argparse.Namespace, videos: Sequence[VideoJob]) -> None:
    """Refuse what no video can be made with, and tell what has no effect, before any work."""
    from model.errors import ConfigError

    if args.trace is not None and len(videos) != 1:
        raise ConfigError(f"--trace is of one video, camera or stream, got {len(videos)}")
    if args.trace is not None and args.trace.exists() and not args.overwrite:
        raise ConfigError(f"--trace {args.trace} exists; use --overwrite, or name another file")
    if args.frame_rate is not None:
        _check_frame_rate(videos)
    follow_options(args)
    if not videos:
        tracking = {
            "--no-track": args.no_track,
            "--stabilise": args.stabilise != "off",
            "--tracks-as": args.tracks_as,
        }
        _tell_no_effect(tracking, "photographs have no tracks")
    outputs = [job.video for job in videos if job.video is not None]
    if outputs:
        from pipeline.sinks.video import check_output

        for output in outputs:
            check_output(output, args.codec, args.crf)
        return
    encoding = {"--codec": args.codec is not None, "--crf": args.crf is not None}
    _tell_no_effect(encoding, "no video is made")


def _check_frame_rate(videos: Sequence[VideoJob]) -> None:
    """Refuse --frame-rate where it has no effect at all, and name the inputs on which it has none."""
    from model.errors import ConfigError, SourceError
    from pipeline.sources.video_file import frames_have_times

    timed = []
    for job in videos:
        try:
            path = job.source.path
            if job.source.kind != "images" and (path is None or frames_have_times(path)):
                timed.append(job.name)
        except SourceError:  # which is told when it is its turn
            continue
    if len(timed) == len(videos):
        raise ConfigError(
            "--frame-rate is of a video made of photographs (-o NAME.mp4) or of a file without times (.h264, "
            ".mjpeg, …), and there is none; the frames of a video keep their own times"
        )
    for name in timed:
        print(f"note: --frame-rate has no effect on {name}: its frames keep their own times", file=sys.stderr)


def _tell_no_effect(given: Mapping[str, object], why: str) -> None:
    """A line for each option that was given."""
    for option, is_given in given.items():
        if is_given:
            print(f"note: {option} has no effect: {why}", file=sys.stderr)


def _pending(jobs: Sequence[AnyJob], args: argparse.Namespace, report: Report) -> list[AnyJob]:
    """The jobs that are left to do once existing outputs are dealt with."""
    if args.overwrite:
        return list(jobs)
    pending = []
    for job in jobs:
        existing = [path for path in job.outputs if path.exists()]
        if args.skip_existing and len(existing) == len(job.outputs):
            report.skipped += 1
        elif existing and not args.skip_existing:
            hint = "use --overwrite or --skip-existing"
            report.failures.append(f"{job.name}: the output {existing[0]} exists; {hint}")
        else:
            pending.append(job)
    return pending


def _tell_plan(photos: Sequence[Job], videos: Sequence[VideoJob], report: Report) -> int:
    """Print a line for each input, as --dry-run does, on the standard output."""
    from app.cli import EXIT_FAILED, EXIT_OK

    for job in (*photos, *videos):
        print(f"{job.name} -> {', '.join(map(str, job.outputs))}")
    for failure in report.failures:
        print(f"failed: {failure}", file=sys.stderr)
    skipped = f", {report.skipped} skipped" if report.skipped else ""
    print(f"{len(photos) + len(videos)} to annotate{skipped}; nothing was written", file=sys.stderr)
    return EXIT_FAILED if report.failures else EXIT_OK


def _annotate_all(
    photos: Sequence[Job], videos: Sequence[VideoJob], args: argparse.Namespace, report: Report
) -> None:
    refuse_early(args, args.weights)
    if args.compare is not None:
        from app.annotate.compare import annotate_compared, right_side

        right = right_side(args)
        refuse_early(right, right.weights)
        annotate_compared(videos, args, report)
        return

    from app.annotate.predictors import Predictors

    predictors = Predictors(args)
    if photos:
        from app.annotate.photos import annotate_photos

        annotate_photos(photos, predictors, args, report)
    if videos:
        from app.annotate.videos import annotate_videos, one_by_one

        annotate_videos(videos, one_by_one(predictors, args), args, report)


@contextmanager
def _terminated_like_ctrl_c() -> Iterator[None]:
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
