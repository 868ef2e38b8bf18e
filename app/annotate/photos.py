"""Photographs: one after another through the network, each on its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.annotate.options import AnnotateOptions
from app.annotate.report import Report
from app.terminal import progress_bar
from model.checkpoints.catalog import DEFAULT_WEIGHTS
from model.detections import Detections
from model.errors import SinkError, SourceError, is_out_of_memory
from pipeline.overlay.draw import OverlayStyle, draw, style_of
from pipeline.sinks.files import write_image, write_json
from pipeline.sinks.part_file import removed
from pipeline.sources.images import read_image

if TYPE_CHECKING:
    from app.annotate.plan import Job
    from app.predictors import Predictors


class FolderGoneError(SinkError):
    """A folder of outputs was removed; those that follow would make it anew, without what it held."""


Predict = Callable[[NDArray[np.uint8]], Detections]


def annotate_photos(
    jobs: Sequence[Job], predictors: Predictors, options: AnnotateOptions, report: Report
) -> None:
    """Annotate every photograph; one that fails is told in the report, and the others are done."""
    predictor = predictors.get()
    style = style_of(options.drawing)
    weights = Path(options.detection.weights or DEFAULT_WEIGHTS).name
    facts = {"weights": weights, "model": predictor.config.name}
    keep = options.output.skip_existing
    written: set[Path] = set()  # folders
    with progress_bar(quiet=options.output.quiet) as progress:
        for number, job in enumerate(progress.track(jobs, description="annotating")):
            try:
                annotate(job, predictor, style, facts, keep_existing=keep, written=written)
                report.annotated += 1
                written.update(path.parent for path in job.outputs)
            except FolderGoneError as error:
                report.failures.append(f"{error}; {len(jobs) - number} photographs were not annotated")
                return
            except (SourceError, SinkError) as error:
                report.failures.append(str(error))
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                report.failures.append(f"{job.source}: not enough memory for an image of this size")


def annotate(
    job: Job,
    predict: Predict,
    style: OverlayStyle,
    facts: dict[str, Any],
    keep_existing: bool = False,
    written: Collection[Path] = (),
) -> None:
    """Make the outputs of one photograph; with `keep_existing` only those that are not there.

    `facts` go into the json file as they are. Raises SourceError and SinkError, `FolderGoneError` where a
    folder of `written` is not there any more.
    """
    frame = read_image(job.source)
    detections = predict(frame)
    for path in job.outputs:
        if keep_existing and path.exists():
            continue
        picture = None if path == job.record else draw(frame, detections, style)
        if path.parent in written and not path.parent.is_dir():
            raise FolderGoneError(removed(path))
        if picture is None:
            write_json(path, _record(job, detections, facts))
        else:
            write_image(path, picture)


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
