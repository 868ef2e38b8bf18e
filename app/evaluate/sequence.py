"""A video sequence with ground truth, laid out as DAVIS 2016 has it: finding it, and one run over it.

`frames/NAME.jpg` (or any other image) are the frames, `masks/NAME.png` where the main object is.
"""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.evaluate.images import settings_of
from app.terminal import Table, percent, progress_bar
from model.errors import DataError, SourceError
from model.evaluation.sequence_eval import (
    RECALL_IOU,
    Follower,
    FrameFigures,
    SequenceFigures,
    measure_frame,
    summarise,
)
from model.predictor import Predictor
from model.training.data.image_files import read_size
from model.training.data.label_images import read_label_image
from pipeline.detectors.build import build_detector
from pipeline.frame import Frame
from pipeline.metrics.run import Metrics
from pipeline.sources.images import find_media, read_image
from pipeline.sources.sequence import FRAME_RATE
from pipeline.tracking.options import FollowOptions

_FRAMES, _MASKS = "frames", "masks"
_LAYOUT = f"a sequence has {_FRAMES}/NAME.jpg and {_MASKS}/NAME.png"


@dataclass(frozen=True)
class VideoSequence:
    """Frames in their order with as many masks, all of `width` x `height` pixels."""

    name: str
    frames: tuple[Path, ...]
    masks: tuple[Path, ...]
    width: int
    height: int


@dataclass(frozen=True)
class SequenceMeasurement:
    """The figures of one run.

    settings:          the settings of detection, as plain values
    by_frame:          the figures of each frame, by its file name
    images_per_second: reading, detecting and measuring together, by wall clock
    milliseconds:      median time from a frame to its detections, with their tracks
    """

    settings: Mapping[str, Any]
    figures: SequenceFigures
    by_frame: Mapping[str, FrameFigures]
    images_per_second: float
    milliseconds: float


DAVIS = "J of DAVIS is that of its code for the semi-supervised task, without the first and the last frame"


def is_sequence(path: Path) -> bool:
    """Return whether a path is a folder with frames and masks in it."""
    return all(os.path.isdir(path / name) for name in (_FRAMES, _MASKS))  # noqa: PTH112 - Path raises


def find_sequence(folder: Path, limit: int | None = None) -> VideoSequence:
    """The sequence in a folder, or its first `limit` frames; 2 comes before 10.

    All masks are read once, and of the frames the headers, so that most of what is wrong shows at once.
    Raises DataError when there are no frames, one has no mask or two share one, a file cannot be read or is
    of another size than the first frame, or no mask shows an object.
    """
    frames = _frames(folder / _FRAMES)[:limit]
    masks = _masks(folder / _MASKS, frames)
    width, height = upright_size(frames[0])
    for path in (*frames, *masks):
        found = upright_size(path)
        if found != (width, height):
            raise DataError(
                f"{path}: {found[0]} x {found[1]} pixels, expected the {width} x {height} of {frames[0].name}"
            )
    areas = [np.count_nonzero(_read_mask(path, width, height)) for path in masks]
    if not any(areas):
        raise DataError(f"{folder / _MASKS}: no mask shows an object, so there is nothing to measure")
    return VideoSequence(folder.resolve().name, frames, masks, width, height)


def measure_sequence(sequence: VideoSequence, predictor: Predictor) -> SequenceMeasurement:
    """Detect and track in every frame, as in any video; follow the object, and measure what was found of it.

    Raises SourceError on a frame that cannot be read, and DataError on such a mask.
    """
    # not timed: the first call is slow, as libraries load and algorithms are chosen
    predictor([np.zeros((sequence.height, sequence.width, 3), np.uint8)])
    seconds: list[float] = []
    started = time.perf_counter()
    with progress_bar() as progress:
        shown = progress.track(sequence.frames, description="evaluating")
        by_frame = _by_frame(sequence, shown, predictor, seconds)
    elapsed = time.perf_counter() - started
    return SequenceMeasurement(
        settings=settings_of(predictor),
        figures=summarise(list(by_frame.values())),
        by_frame=by_frame,
        images_per_second=len(seconds) / elapsed,
        milliseconds=1000 * statistics.median(seconds),
    )


def table(title: str, figures: SequenceFigures) -> Table:
    """The figures of a sequence, as `eval` shows them."""
    rows = (
        ("mean IoU (all frames)", percent(figures.mean_iou)),
        ("median IoU", percent(figures.median_iou)),
        (f"frames with IoU > {RECALL_IOU}", percent(figures.recall)),
        ("J mean of DAVIS", percent(figures.davis_mean_iou)),
        ("J recall of DAVIS", percent(figures.davis_recall)),
        ("misses", f"{figures.misses} of {figures.frames}"),
    )
    return Table(title, ("percent", "mask"), rows)


def _frames(folder: Path) -> tuple[Path, ...]:
    try:
        frames = find_media(folder).images
    except SourceError as error:
        raise DataError(f"{error}; {_LAYOUT}") from error
    if not frames:
        raise DataError(f"{folder}: holds no image; {_LAYOUT}")
    stem, count = Counter(frame.stem for frame in frames).most_common(1)[0]
    if count > 1:
        raise DataError(f"{folder}: {count} frames are named {stem!r}, expected one for each mask")
    return frames


def _masks(folder: Path, frames: Sequence[Path]) -> tuple[Path, ...]:
    masks = tuple(folder / f"{frame.stem}.png" for frame in frames)
    missing = [mask.name for mask in masks if not mask.is_file()]
    if missing:
        raise DataError(
            f"{folder}: {len(missing)} of {len(frames)} frames have no mask, first {missing[0]}; {_LAYOUT}"
        )
    return masks


def upright_size(path: Path) -> tuple[int, int]:
    """(width, height) of an image in pixels, upright. Raises DataError on one that cannot be read."""
    try:
        width, height, turned = read_size(path)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    return (height, width) if turned else (width, height)


def _read_mask(path: Path, width: int, height: int) -> NDArray[np.bool_]:
    """Return the mask of the object, [height, width] bool."""
    try:
        return read_label_image(path, width, height) != 0
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


def _first_object(sequence: VideoSequence) -> NDArray[np.bool_]:
    """Return the first mask that shows the object."""
    masks = (_read_mask(path, sequence.width, sequence.height) for path in sequence.masks)
    return next(mask for mask in masks if mask.any())


def _by_frame(
    sequence: VideoSequence, frames: Iterable[Path], predictor: Predictor, seconds: list[float]
) -> dict[str, FrameFigures]:
    """The figures of each frame; `seconds` gets the time that detection and tracking took."""
    follower = Follower(_first_object(sequence))
    figures = {}
    detector = build_detector(predictor, Metrics(), follow=FollowOptions())
    for index, (path, mask) in enumerate(zip(frames, sequence.masks, strict=True)):
        image = read_image(path)
        began = time.perf_counter()
        (result,) = detector.submit([Frame(image, index, index, 1 / FRAME_RATE, began)])()
        seconds.append(time.perf_counter() - began)
        truth = _read_mask(mask, sequence.width, sequence.height)
        figures[path.name] = measure_frame(follower, result.detections, truth)
    return figures
