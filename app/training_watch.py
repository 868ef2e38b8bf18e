"""What a person sees of a training run: a progress line, logs, and measurements with pictures as it goes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from model.detections import Detections
from model.options import DetectOptions
from model.predictor import Predictor, make_predictor
from model.training.coco_eval import Metrics, coco_metrics
from model.training.ground_truth import load_ground_truth, select_images
from model.training.logs import CsvLog, TensorBoardLog
from model.training.recipe import Recipe
from model.training.trainer import StepReport
from model.yolact import Yolact
from pipeline.overlay import draw
from pipeline.sources.images import read_image

PREVIEWS = 8
PREVIEW_HEIGHT = 320
REPORT_EVERY = 20


@dataclass(frozen=True)
class Validation:
    """Measures the averaged weights on a COCO json and draws their detections on its first images."""

    annotations: Path
    images: Path
    limit: int | None
    previews: Path
    device: torch.device

    def __call__(self, network: Yolact, iteration: int) -> Metrics:
        """Box and mask figures; writes one sheet of pictures."""
        truth = select_images(load_ground_truth(self.annotations), limit=self.limit)
        options = DetectOptions(score_threshold=0.0)
        predictor = make_predictor(network, self.device, options)
        sheet: list[NDArray[np.uint8]] = []
        figures = coco_metrics(truth, self._detect(predictor, truth.imgs, sheet), network.config.class_names)
        self.previews.mkdir(exist_ok=True)
        cv2.imwrite(str(self.previews / f"iteration_{iteration:07d}.jpg"), _contact_sheet(sheet))
        return figures

    def _detect(
        self, predictor: Predictor, images: dict[int, dict[str, str]], sheet: list[NDArray[np.uint8]]
    ) -> Iterator[tuple[int, Detections]]:
        for image_id, record in images.items():
            frame = read_image(self.images / record["file_name"])
            found = predictor(frame)
            if len(sheet) < PREVIEWS:
                sheet.append(draw(frame, found.select(found.scores >= 0.3)))
            yield image_id, found


class RunWatcher:
    """Follows a run; a context manager, since it keeps files open."""

    def __init__(self, output: Path, recipe: Recipe, validation: Validation | None) -> None:
        self._output = output
        self._recipe = recipe
        self._validation = validation
        self._csv: CsvLog | None = None
        self._board: TensorBoardLog | None = None
        self._since = time.perf_counter()
        self._images = 0

    def __enter__(self) -> RunWatcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for log in (self._csv, self._board):
            if log is not None:
                log.close()

    def start(self, iteration: int) -> None:
        """Open the logs at the iteration where the run starts or goes on."""
        if _is_first():
            self._csv = CsvLog(self._output / "log.csv", iteration)
            self._board = TensorBoardLog(self._output / "tensorboard", iteration)

    def on_step(self, report: StepReport) -> None:
        """Log it, and now and then say it."""
        if self._csv is not None and self._board is not None:
            self._csv.write(report)
            self._board.write(report)
        self._images += report.images
        if (report.iteration + 1) % REPORT_EVERY == 0:
            self._tell(report)

    def on_notice(self, text: str) -> None:
        """Say it."""
        if _is_first():
            print(text, file=sys.stderr, flush=True)

    def on_checkpoint(self, iteration: int, network: Yolact, path: Path) -> None:
        """Measure the averaged weights."""
        if self._validation is None:
            return
        figures = self._validation(network, iteration)
        values = {f"box/{k}": v for k, v in _main_figures(figures, "boxes").items()}
        values |= {f"mask/{k}": v for k, v in _main_figures(figures, "masks").items()}
        if self._board is not None:
            self._board.scalars(iteration, values)
        listed = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
        self.on_notice(f"iteration {iteration}: {listed}")
        self._since, self._images = time.perf_counter(), 0

    def _tell(self, report: StepReport) -> None:
        now = time.perf_counter()
        speed = self._images / max(now - self._since, 1e-9)
        self._since, self._images = now, 0
        left = (self._recipe.iterations - report.iteration - 1) * report.images / max(speed, 1e-9)
        losses = " ".join(f"{name} {value:.3f}" for name, value in report.losses.items() if value)
        text = (
            f"{report.iteration + 1}/{self._recipe.iterations}  {losses}  rate {report.learning_rate:.2g}  "
            f"{speed:.1f} images/s  {_duration(left)} left"
        )
        on_terminal = sys.stderr.isatty()
        print(
            f"\r\x1b[K{text}" if on_terminal else text,
            end="" if on_terminal else "\n",
            file=sys.stderr,
            flush=True,
        )


def _is_first() -> bool:
    return not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0


def _main_figures(metrics: Metrics, kind: str) -> dict[str, float]:
    figures = getattr(metrics, kind)
    if figures is None:
        return {}
    return {name: getattr(figures, name) or 0.0 for name in ("ap", "ap50", "ap75", "ap_large")}


def _duration(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"


def _contact_sheet(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The pictures at one height, four to a row, on a square grid of grey."""
    side = PREVIEW_HEIGHT
    columns = min(4, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * side, columns * side, 3), 96, np.uint8)
    for i, picture in enumerate(pictures):
        scale = side / max(picture.shape[:2])
        size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        y, x = (i // columns) * side, (i % columns) * side
        sheet[y : y + small.shape[0], x : x + small.shape[1]] = small
    return sheet
