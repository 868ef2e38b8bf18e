"""The jobs of one run of `annotate`: planned, checked, and without those that are done or cannot be."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.annotate.inputs import Inputs
from app.annotate.options import AnnotateOptions, OutputOptions
from app.annotate.plan import LINES, AnyJob, Job, VideoJob, Wanted, plan
from app.annotate.report import Report
from model.errors import ConfigError, SourceError
from pipeline.sinks.part_file import parts_of
from pipeline.sinks.unfinished import make_whole
from pipeline.sinks.video import check_output
from pipeline.sources.video_file import frames_have_times

COMPARED = "_compare"  # what the name of a comparison has behind that of its video
MOST_NAMES = 3


@dataclass(frozen=True)
class CompareJob(VideoJob):
    """A video under two settings: `record` is of the left side, `other_record` of the right one."""

    other_record: Path | None = None

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The files and folders to make."""
        other = () if self.other_record is None else (self.other_record,)
        return (*super().outputs, *other)


def prepare(inputs: Inputs, options: AnnotateOptions, report: Report) -> tuple[list[Job], list[VideoJob]]:
    """Return the photographs and videos that are left to annotate; what cannot be done is in the report.

    Raises ConfigError on what makes no sense for these inputs, before any work.
    """
    video, out = options.video, options.output
    wanted = Wanted(out.output, video.as_, out.json, video.trace, options.tracking.tracks_as)
    if options.compare is None:
        photos, videos = plan(inputs, wanted)
    else:
        photos, videos = [], _plan_comparison(inputs, options)
    for note in inputs.notes:
        print(f"note: {note}", file=sys.stderr)
    _check_video_options(options, videos)
    photos, videos = _pending(photos, out, report), _pending(videos, out, report)
    return photos, _without_busy(videos, out, report)


def _plan_comparison(inputs: Inputs, options: AnnotateOptions) -> list[VideoJob]:
    """Return a job for each video: `STEM_compare.mp4` and, if wanted, the lines of both sides."""
    _check_comparison(options)
    video, out = options.video, options.output
    photos, videos = plan(inputs, Wanted(out.output, video.as_, out.json, video.trace, mark=COMPARED))
    if photos:
        raise ConfigError(
            f"--compare is of videos, and {photos[0].name} is a photograph; -o NAME.mp4 makes photographs "
            "the frames of one"
        )
    return [_two_records(job) for job in videos]


def _check_comparison(options: AnnotateOptions) -> None:
    refused = {
        "--as json": (
            options.video.as_ == "json",
            "the comparison is a picture; --json writes the lines of both sides",
        ),
        "--no-masks": (not options.drawing.masks, "the score is of masks"),
        "--no-track": (not options.tracking.track, "the score is of tracks"),
        "--tracks-as": (options.tracking.tracks_as, "tracks are written of one setting at a time"),
        "--share": (options.video.share, "a comparison works on one video at a time"),
    }
    for option, (given, why) in refused.items():
        if given:
            raise ConfigError(f"{option} does not go with --compare: {why}")
    if options.right == options:
        given = (options.compare or {}).items()
        told = ", ".join(f"{key.replace('_', ' ')} is {value} already" for key, value in given)
        raise ConfigError(f"--compare: both sides would be the same; {told}")


def _two_records(job: VideoJob) -> CompareJob:
    left, right = (
        job.record and job.record.with_name(f"{job.record.stem}_{side}{LINES}") for side in ("left", "right")
    )
    return CompareJob(job.source, job.video, job.frames, left, other_record=right)


def _check_video_options(options: AnnotateOptions, videos: Sequence[VideoJob]) -> None:
    """Refuse what no video can be made with, and tell what has no effect."""
    video = options.video
    if video.trace is not None and video.share:
        raise ConfigError("--trace does not go with --share: a timeline is of one source")
    if video.trace is not None and len(videos) != 1:
        raise ConfigError(f"--trace is of one video, camera or stream, got {len(videos)}")
    if video.trace is not None and video.trace.exists() and not options.output.overwrite:
        raise ConfigError(f"--trace {video.trace} exists; use --overwrite, or name another file")
    if video.frame_rate is not None:
        _check_frame_rate(videos)
    options.check_tracking()
    if not videos:
        tracking = {
            "--no-track": not options.tracking.track,
            "--stabilise": options.detection.stabilise != "off",
            "--keyframes": options.detection.keyframes > 1,
            "--reuse-still": options.detection.reuse_still,
            "--tracks-as": options.tracking.tracks_as,
        }
        _tell_no_effect(tracking, "photographs have no tracks")
    outputs = [job.video for job in videos if job.video is not None]
    for output in outputs:
        check_output(output, video.codec, video.crf)
    if not outputs:
        encoding = {"--codec": video.codec is not None, "--crf": video.crf is not None}
        _tell_no_effect(encoding, "no video is made")


def _check_frame_rate(videos: Sequence[VideoJob]) -> None:
    """Refuse --frame-rate where it has no effect at all, and name the inputs on which it has none."""
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
    """Print a line for each option that was given."""
    for option, is_given in given.items():
        if is_given:
            print(f"note: {option} has no effect: {why}", file=sys.stderr)


def _pending(jobs: Sequence[AnyJob], out: OutputOptions, report: Report) -> list[AnyJob]:
    """Return the jobs that are left to do once existing outputs are dealt with."""
    if out.overwrite:
        return list(jobs)
    pending = []
    for job in jobs:
        existing = [path for path in job.outputs if path.exists()]
        if out.skip_existing and len(existing) == len(job.outputs):
            report.skipped += 1
        elif existing and not out.skip_existing:
            hint = "use --overwrite or --skip-existing"
            report.failures.append(f"{job.name}: the output {existing[0]} exists; {hint}")
        else:
            pending.append(job)
    return pending


def _without_busy(jobs: Sequence[AnyJob], out: OutputOptions, report: Report) -> list[AnyJob]:
    """Return the jobs but for those whose output another run is writing, which have failed.

    Parts of runs that are over are told or, with `--remove-parts`, removed; those whose writing was killed
    are made whole as far as they go. A dry run changes nothing.
    """
    free, left = [], []
    for job in jobs:
        parts = [parts_of(path) for path in job.outputs]
        busy = next((path for one in parts for path in one.busy), None)
        left += [path for one in parts for path in one.left]
        if busy is None:
            free.append(job)
        else:
            report.failures.append(f"{job.name}: another run is writing this output, to {busy}")
    if out.remove_parts and not out.dry_run:
        for path in left:
            with contextlib.suppress(OSError):
                path.unlink()
    elif left:
        _tell_parts(left, finished=0 if out.dry_run else sum(map(make_whole, left)))
    return free


def _tell_parts(left: Sequence[Path], finished: int) -> None:
    names = ", ".join(map(str, left[:MOST_NAMES])) + (", …" if len(left) > MOST_NAMES else "")
    size = sum(path.stat().st_size for path in left if path.exists()) / 1e6
    what = "a part" if len(left) == 1 else f"{len(left)} parts"
    made = f"; {finished} of them had no index and got one" if finished else ""
    print(
        f"note: {what} of runs that did not end, {size:.1f} MB, can be played or read as far as they go: "
        f"{names}{made}; --remove-parts removes them",
        file=sys.stderr,
    )
