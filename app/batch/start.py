"""`batch start` and `annotate --on`: plan, tell, work off, and tell what came of it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from app.annotate.options import AnnotateOptions
from app.annotate.plan import Job
from app.annotate.report import Report
from app.batch.annotating import TASK, tried
from app.batch.apart import apart
from app.batch.backend import BACKENDS, Backend
from app.batch.cleaning import sweep
from app.batch.manifest import Manifest
from app.batch.planning import Comparison, compared, gathered, planned, told, without_foreign, words_of
from app.batch.records import FINISHED, PlannedVideo, TryOutcome
from app.batch.scheduler import Scheduler, Tally
from app.batch.settings import BatchSettings, Resolved, asked_for, options_from
from app.batch.store import BatchFolder
from app.options import refuse_early
from app.terminal import progress_bar
from model.errors import ConfigError


@dataclass(frozen=True)
class BatchOptions:
    """Options of working a batch off.

    on:      a key of `BACKENDS`
    workers: how many; None for what the machine is made for
    address: of a Ray cluster; None for one of this machine
    lists:   files with an input in each line
    """

    on: str = "local"
    address: str | None = None
    workers: int | None = None
    lists: tuple[Path, ...] = ()


def start(options: AnnotateOptions, how: BatchOptions) -> tuple[Report, list[Job]]:
    """Make what is missing of a batch; return the report, and a job for each photograph among the inputs.

    Raises ConfigError before any work on what makes no sense, LiveMaskError on an output folder that cannot
    hold a batch.
    """
    backend_kind(how)
    report = Report()
    options = replace(options, inputs=words_of(options.inputs, how.lists))
    found = gathered(options, report)
    if not found.videos:
        return report, found.photos
    out = options.output.output
    assert out is not None
    manifest = Manifest(BatchFolder(out))
    settings = settled(options, manifest.folder)
    videos = planned(found, out, settings, report)
    videos = without_foreign(videos, manifest, options.output.overwrite, report)
    comparison = compared(videos, manifest, settings)
    for line in told(comparison):
        print(f"note: {line}", file=sys.stderr)
    if options.output.dry_run:
        for video in comparison.missing:
            print(f"{video.name} -> {', '.join(path for _, path in video.outputs)}")
        many = f"{len(comparison.missing)} to make, {comparison.finished} finished"
        print(f"{many}; nothing was written", file=sys.stderr)
        count(report, comparison, Tally())
        return report, found.photos
    if videos:
        manifest.plan(videos)
    tally = work_off(manifest, comparison, suited(how, settings), options.output.quiet)
    count(report, comparison, tally)
    return report, found.photos


def refuse_single(options: AnnotateOptions) -> None:
    """Raise ConfigError on what `annotate` does with one process alone."""
    refused = {
        "--compare": options.compare is not None,
        "--trace": options.video.trace is not None,
        "--share": options.video.share,
        "--skip-existing": options.output.skip_existing,
        "--remove-parts": options.output.remove_parts,
    }
    for option, given in refused.items():
        if given:
            raise ConfigError(f"{option} does not go with --on; leave one of them out")


def settled(options: AnnotateOptions, folder: BatchFolder) -> BatchSettings:
    """Return the settings of a batch, engine and precision resolved by whoever started it first.

    The networks are loaded once, so that what cannot work is told before work starts. Nothing is recorded on
    a dry run. Raises LiveMaskError.
    """
    refuse_early(options.detection)
    asked, places = asked_for(options)
    plain = options_from(asked["options"], places, None)
    resolved, why = apart(tried, plain)
    settings = BatchSettings(asked, resolved, places)
    if not options.output.dry_run or folder.settings(settings.name).exists():
        recorded = settings.recorded(folder)
        # the paths are this machine's; the choice is of whoever began
        settings = replace(recorded, places=places)
    if settings.resolved != resolved:
        why = f"{_shown(settings.resolved)}: so the batch was begun on another machine"
        try:
            apart(tried, settings.options)
        except ConfigError as error:
            raise ConfigError(
                f"the batch was begun with {_shown(settings.resolved)}, which this machine cannot do: {error}"
            ) from error
    if not options.output.quiet:
        print(why, file=sys.stderr)
    return settings


def suited(how: BatchOptions, settings: BatchSettings) -> BatchOptions:
    """Return the options with one worker where nobody asked for more and a GPU computes, which they share."""
    on_gpu = settings.resolved.device.startswith("cuda")
    alone = on_gpu and how.on == "local" and how.workers is None  # a cluster counts its GPUs
    return replace(how, workers=1) if alone else how


def work_off(manifest: Manifest, comparison: Comparison, how: BatchOptions, quiet: bool) -> Tally:
    """Make the missing videos; those whose outputs are lost lose their records. Raises LiveMaskError."""
    for video in comparison.lost:
        manifest.forget(video.key)
    if not comparison.missing:
        return Tally()
    try:
        with _bar(len(comparison.missing), quiet) as tell:
            backend = _backend(how, manifest.folder.out, len(comparison.missing))
            try:
                return Scheduler(manifest, backend, tell).run(comparison.missing)
            finally:
                backend.close()
    finally:  # also after Ctrl-C: what its workers have left is nobody's any more
        sweep(manifest.folder)


def backend_kind(how: BatchOptions) -> Callable[..., Backend]:
    """Return what makes the backend. Raises ConfigError on options that do not go with it, or without it."""
    if how.address is not None and how.on != "ray":
        raise ConfigError(f"--address is of a Ray cluster: it goes with --on ray, not with --on {how.on}")
    module, _, name = BACKENDS[how.on].partition(":")
    try:
        kind: Callable[..., Backend] = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--on {how.on} needs {error.name}, which is not there: pip install -r requirements-{how.on}.txt"
        ) from error
    return kind


def _backend(how: BatchOptions, out: Path, orders: int) -> Backend:
    more = {} if how.address is None else {"address": how.address}
    return backend_kind(how)(TASK, out, how.workers, orders, **more)


@contextmanager
def _bar(total: int, quiet: bool) -> Iterator[_Teller]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with progress_bar(*columns, quiet=quiet) as bar:
        task = bar.add_task("videos", total=total)
        yield _Teller(lambda: bar.advance(task), quiet)


class _Teller:
    """Prints a line for each outcome. advance: moves the bar on."""

    def __init__(self, advance: Callable[[], object], quiet: bool) -> None:
        self._advance = advance
        self._quiet = quiet

    def __call__(self, video: PlannedVideo, outcome: TryOutcome) -> None:
        """See `app.batch.scheduler.Tell`."""
        if outcome.state != FINISHED:
            print(f"note: {video.name}: a try failed: {outcome.reason}", file=sys.stderr)
            return
        self._advance()
        if outcome.reason:
            print(f"note: {video.name}: {outcome.reason}", file=sys.stderr)
        if not self._quiet:
            made = (
                f"{outcome.frames} frames in {outcome.seconds:.1f} s" if outcome.frames else "made by others"
            )
            print(f"{', '.join(path for _, path in video.outputs)}: {made}")


def count(report: Report, comparison: Comparison, tally: Tally) -> None:
    """Add a batch's outcome to a report."""
    report.annotated += tally.finished
    report.skipped += comparison.finished
    report.failures += [f"{name}: {reason}" for name, reason in (*comparison.failed, *tally.failed)]
    if tally.no_room:
        report.failures.append(
            f"{tally.no_room}; {tally.left} videos are left: start the batch again once there is room"
        )


def _shown(resolved: Resolved) -> str:
    return " ".join(f"{value}" for value in asdict(resolved).values())
