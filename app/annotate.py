"""`annotate`: photographs in, the same photographs with their instances drawn out."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.arguments import add_predictor_arguments, fraction, predictor_options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.outputs import Job
    from model.detections import Detections
    from pipeline.overlay import OverlayStyle

    Predict = Callable[[NDArray[np.uint8]], Detections]


@dataclass
class Report:
    """What has become of the inputs so far; it grows while the command runs."""

    annotated: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="PHOTO|FOLDER|GLOB",
        help="photographs, folders of photographs (without their subfolders), or patterns such as '*.jpg'",
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        metavar="OUT",
        help="folder to write to, made when absent; for a single photograph also a .jpg or .png file",
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    existing.add_argument("--skip-existing", action="store_true", help="make only outputs that do not exist")
    parser.add_argument(
        "--json", action="store_true", help="write the detections beside each image, as NAME.json"
    )
    add_predictor_arguments(parser)
    _add_drawing_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Annotate every input; the exit code is 1 when any of them failed."""
    from app.cli import EXIT_FAILED, EXIT_OK

    started = time.perf_counter()
    report = Report()
    try:
        jobs = _pending(_jobs(args, report), args, report)
        if jobs:
            _annotate_all(jobs, args, report)
    finally:  # also after Ctrl-C: what is done is done, and is told
        _print_report(report, time.perf_counter() - started, args.output)
    return EXIT_FAILED if report.failures else EXIT_OK


def _add_drawing_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("drawing")
    group.add_argument(
        "--alpha",
        type=fraction,
        default=0.45,
        metavar="A",
        help="opacity of the masks, 0 to 1 (default: %(default)s)",
    )
    group.add_argument("--no-masks", action="store_true", help="find boxes only, which is faster")
    group.add_argument("--no-boxes", action="store_true", help="draw no boxes")
    group.add_argument("--no-labels", action="store_true", help="draw no class names and scores")
    group.add_argument(
        "--no-crop",
        action="store_true",
        help="do not crop masks to their boxes: shows what leaks out of them",
    )


def _jobs(args: argparse.Namespace, report: Report) -> list[Job]:
    from app.outputs import plan_jobs

    sources = _find_all(args.inputs, report)
    return plan_jobs(sources, args.output, with_json=args.json) if sources else []


def _find_all(arguments: Sequence[str], report: Report) -> list[Path]:
    """The images of all arguments, each once; videos among them are named and left out."""
    from model.errors import SourceError
    from pipeline.sources.images import find_images

    sources: dict[Path, Path] = {}
    for argument in arguments:
        try:
            found = find_images(argument)
        except SourceError as error:
            report.failures.append(str(error))
            continue
        for path in found.images:
            sources.setdefault(path.resolve(), path)
        for path in found.videos:
            print(f"skipped: {path}: a video; only photographs can be annotated", file=sys.stderr)
    return list(sources.values())


def _pending(jobs: Sequence[Job], args: argparse.Namespace, report: Report) -> list[Job]:
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
            report.failures.append(f"{job.source}: the output {existing[0]} exists; {hint}")
        else:
            pending.append(job)
    return pending


def _annotate_all(jobs: Sequence[Job], args: argparse.Namespace, report: Report) -> None:
    _refuse_early(args)

    from app.progress import progress_bar
    from model import load_predictor
    from model.catalog import DEFAULT_WEIGHTS
    from model.errors import SinkError, SourceError
    from pipeline.overlay import OverlayStyle

    predictor = load_predictor(
        **predictor_options(args), crop_masks=not args.no_crop, with_masks=not args.no_masks
    )
    style = OverlayStyle(
        masks=not args.no_masks, boxes=not args.no_boxes, labels=not args.no_labels, alpha=args.alpha
    )
    facts = {"weights": Path(args.weights or DEFAULT_WEIGHTS).name, "model": predictor.config.name}
    with progress_bar() as progress:
        for job in progress.track(jobs, description="annotating"):
            try:
                annotate(job, predictor, style, facts, keep_existing=args.skip_existing)
                report.annotated += 1
            except (SourceError, SinkError) as error:
                report.failures.append(str(error))
            except (MemoryError, RuntimeError) as error:
                if not _is_lack_of_memory(error):
                    raise
                report.failures.append(f"{job.source}: not enough memory for an image of this size")


def _refuse_early(args: argparse.Namespace) -> None:
    """Refuse what can be told to be wrong before PyTorch is loaded, which takes seconds."""
    from model.catalog import CATALOG, DEFAULT_WEIGHTS, resolve_weights
    from model.config import preset
    from model.options import DetectOptions

    resolve_weights(args.weights)
    known = CATALOG.get(args.weights or DEFAULT_WEIGHTS)
    if known is not None:  # a file of one's own says itself what it allows
        DetectOptions(args.score_threshold, args.top_k, args.nms).check(preset(known.config))


def _is_lack_of_memory(error: Exception) -> bool:
    import torch

    # a CPU's allocator has no class of its own for it
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "DefaultCPUAllocator" in str(error)


def annotate(
    job: Job, predict: Predict, style: OverlayStyle, facts: dict[str, Any], keep_existing: bool = False
) -> None:
    """Make the outputs of one photograph; with `keep_existing` only those that are not there.

    `facts` go into the json file as they are. Raises SourceError and SinkError.
    """
    from pipeline.overlay import draw
    from pipeline.sinks.files import write_image, write_json
    from pipeline.sources.images import read_image

    frame = read_image(job.source)
    detections = predict(frame)
    for path in job.outputs:
        if keep_existing and path.exists():
            continue
        if path == job.record:
            write_json(path, _record(job, detections, facts))
        else:
            write_image(path, draw(frame, detections, style))


def _record(job: Job, detections: Detections, facts: dict[str, Any]) -> dict[str, Any]:
    height, width = detections.image_size
    return {
        "image": job.source.name,
        "width": width,
        "height": height,
        **facts,
        "class_names": list(detections.class_names),
        "box_order": "x, y, width, height in pixels from the top left corner",
        "detections": detections.to_coco(),
    }


def _print_report(report: Report, seconds: float, out: Path) -> None:
    for failure in report.failures:
        print(f"failed: {failure}", file=sys.stderr)
    counts = {
        "annotated": report.annotated,
        "skipped": report.skipped,
        "failed": len(report.failures),
    }
    if any(counts.values()):
        told = ", ".join(f"{n} {what}" for what, n in counts.items() if n or what == "annotated")
        print(f"{told} in {seconds:.1f} s -> {out}")
