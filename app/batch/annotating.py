"""The task of annotating whole videos, and the trial before a batch begins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from app.annotate.inputs import VideoInput
from app.annotate.options import AnnotateOptions
from app.annotate.plan import VideoJob
from app.annotate.videos import ROOM, one_by_one
from app.batch.records import PlannedVideo
from app.batch.settings import BatchSettings, Resolved, read_settings
from app.batch.store import BatchFolder
from app.batch.tasks import Made
from app.predictors import Predictors
from app.runs import opener, watch
from model.errors import SinkError, SourceError
from pipeline.metrics.run import Metrics
from pipeline.runner import RunReport
from pipeline.stages import RunOptions

TASK = "app.batch.annotating:Annotating"
TRACKS = "tracks:"  # what the kind of an output begins with that is a file of tracks


class Annotating:
    """Annotates videos as `annotate` does. The networks of the last settings stay loaded. See `VideoTask`."""

    def __init__(self, out: Path) -> None:
        self._folder = BatchFolder(out)
        self._name = ""

    def make(self, video: PlannedVideo, folder: Path) -> Made:
        """See `VideoTask.make`."""
        if self._name != video.settings:
            settings = read_settings(self._folder, video.settings)
            self._options, self._predictors = settings.options, predictors_of(settings.options)
            self._name = video.settings
        return annotated(job_of(video, folder), self._options, self._predictors)


def annotated(job: VideoJob, options: AnnotateOptions, predictors: Predictors) -> Made:
    """Make the outputs of a video. Raises LiveMaskError, and what nobody has foreseen."""
    for path in job.outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
    video, metrics = options.video, Metrics()
    run = RunOptions(video.batch, video.stride, video.max_frames, room=ROOM)
    build = one_by_one(predictors, options)(job)
    runner = build(opener(job.source, video.frame_rate, video.batch), run, metrics)
    done, _ = watch(runner, metrics, job.name, quiet=True)
    return _checked(job, done)


def job_of(video: PlannedVideo, folder: Path) -> VideoJob:
    """Return the job that makes a planned video's outputs below a folder."""
    places = {kind: folder / path for kind, path in video.outputs}
    return VideoJob(
        VideoInput("video", video.source),
        video=places.get("video"),
        frames=places.get("frames"),
        record=places.get("record"),
        tracks=tuple(
            (kind.removeprefix(TRACKS), path) for kind, path in places.items() if kind.startswith(TRACKS)
        ),
    )


def outputs_of(job: VideoJob) -> dict[str, Path]:
    """Return the outputs of a job by the kinds that `job_of` knows."""
    found = {"video": job.video, "frames": job.frames, "record": job.record}
    found |= {f"{TRACKS}{name}": path for name, path in job.tracks}
    return {kind: path for kind, path in found.items() if path is not None}


def predictors_of(options: AnnotateOptions) -> Predictors:
    """Return the networks for options."""
    more = {"crop_masks": options.crop_masks, "with_masks": options.drawing.masks}
    return Predictors(options.detection, quiet=True, more=more)  # type: ignore[arg-type]


def tried(options: AnnotateOptions) -> tuple[Resolved, str]:
    """Load the networks once: return what runs them here, and why. Raises what makes the options useless."""
    choice = predictors_of(options).get().choice
    assert choice is not None
    return Resolved(choice.engine, str(choice.device), choice.precision), str(choice)


def recomputed(settings: BatchSettings, video: PlannedVideo, folder: Path, frames: int) -> bytes:
    """Return the JSON lines of a video's first frames, made anew in a folder. Raises LiveMaskError."""
    options = settings.options
    path = folder / "again.jsonl"
    job = VideoJob(VideoInput("video", video.source), None, None, path)
    most = min(frames, options.video.max_frames or frames)
    short = replace(options, video=replace(options.video, max_frames=most))
    annotated(job, short, predictors_of(short))
    return path.read_bytes()


def _checked(job: VideoJob, done: RunReport | None) -> Made:
    """Return what a run has made, and raise what keeps it from being whole."""
    if done is None:
        raise SinkError(f"{job.name}: its threads did not end")
    if done.error is not None:
        raise done.error
    if done.cut or not done.frames:
        raise SourceError(f"{job.name}: {'more of it should have come' if done.cut else 'has no frames'}")
    if broken := [made for made in done.sinks if not made.whole]:
        told = "; ".join((broken[0].summary, *broken[0].problems))
        raise SinkError(f"{job.name}: what was written is not as it should be: {told}")
    problems = [problem for made in done.sinks for problem in made.problems]
    return Made(done.frames, (*done.warnings, *problems))
