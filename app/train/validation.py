"""Measurements as a run goes, with pictures of what the network finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from app.labelled_data import read_labelled
from app.train.settings import Settings
from model.config import YolactConfig
from model.detections import Detections
from model.errors import SinkError, SourceError
from model.evaluation.coco_eval import CocoMetrics, coco_metrics, coco_results, match_classes
from model.evaluation.ground_truth import GroundTruth, select_images
from model.evaluation.scored_matches import ScoredMatches, scored_matches
from model.network.yolact import Yolact
from model.options import DetectOptions
from model.predictor import Predictor, make_predictor
from model.training.data.coco.values import Id
from model.training.data.labelled import load_labelled
from pipeline.overlay.draw import draw
from pipeline.sinks.files import write_image

PREVIEWS = 8
PREVIEW_SIDE = 320
PREVIEW_COLUMNS = 4
PREVIEW_SCORE = 0.3

FIGURES = tuple(f"{kind}/{name}" for kind in ("box", "mask") for name in ("ap", "ap50", "ap75", "ap_large"))
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Validation:
    """Measures weights on labelled images and draws their detections on the first of them.

    `labels` says what and where the images are, `previews` is the folder of the pictures.
    """

    labels: GroundTruth
    previews: Path
    device: torch.device

    def __call__(self, network: Yolact, iteration: int, tell: Tell) -> dict[str, float]:
        """Return the measurable ones of `FIGURES`. An image that cannot be read is reported, not fatal."""
        predictor = make_predictor(network, self.device, DetectOptions(score_threshold=0.0))
        sheet: list[NDArray[np.uint8]] = []
        found = self._detections(predictor, sheet, tell)
        metrics = coco_metrics(self.labels.truth, found, network.config.class_names)
        if sheet:
            self._write(contact_sheet(sheet), iteration, tell)
        return main_figures(metrics)

    def matches(self, network: Yolact, tell: Tell) -> ScoredMatches:
        """Return every candidate detection with its match. An image that cannot be read is reported."""
        options = DetectOptions(score_threshold=network.config.detection.confidence_threshold)
        classes = match_classes(self.labels.truth, network.config.class_names)
        found = self._detections(make_predictor(network, self.device, options), [], tell)
        return scored_matches(self.labels.truth, coco_results(self.labels.truth, found, classes), classes)

    def _detections(
        self, predictor: Predictor, sheet: list[NDArray[np.uint8]], tell: Tell
    ) -> Iterator[tuple[Id, Detections]]:
        for image in self.labels.images:
            try:
                frame = read_labelled(self.labels.place(image))
            except SourceError as error:
                tell(f"{error}; it counts as an image where nothing was found")
                continue
            found = predictor(frame)
            if len(sheet) < PREVIEWS:
                sheet.append(draw(frame, found.select(found.scores >= PREVIEW_SCORE)))
            yield image["id"], found

    def _write(self, picture: NDArray[np.uint8], iteration: int, tell: Tell) -> None:
        try:
            write_image(self.previews / f"iteration_{iteration:07d}.jpg", picture)
        except SinkError as error:
            tell(f"{error}; the run goes on without this picture")


def load_validation(
    settings: Settings, config: YolactConfig, output: Path, device: torch.device
) -> Validation | None:
    """Return the images to measure on, None without --val; all are checked, so that none fails hours later.

    Raises DataError or ConfigError when the labels, the images or the classes are not fit for it.
    """
    if settings.val is None:
        return None
    found = load_labelled(Path(settings.val), Path(settings.val_images) if settings.val_images else None)
    chosen = found.confined(select_images(found.truth, limit=settings.val_limit))
    match_classes(chosen.truth, config.class_names)
    chosen.require_images("--val-images says where the images of --val are")
    return Validation(chosen, output / "previews", device)


def main_figures(metrics: CocoMetrics) -> dict[str, float]:
    """The figures of `FIGURES` that there are."""
    kinds = {"box": metrics.boxes, "mask": metrics.masks}
    values = {}
    for figure in FIGURES:
        kind, name = figure.split("/")
        value = getattr(kinds[kind], name, None)
        if value is not None:
            values[figure] = float(value)
    return values


def contact_sheet(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return a contact sheet of pictures [H, W, 3] uint8, at least one, in square cells on grey."""
    side = PREVIEW_SIDE
    columns = min(PREVIEW_COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * side, columns * side, 3), 96, np.uint8)
    for i, picture in enumerate(pictures):
        scale = side / max(picture.shape[:2])
        width, height = (max(1, round(picture.shape[axis] * scale)) for axis in (1, 0))
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        y, x = (i // columns) * side, (i % columns) * side
        sheet[y : y + height, x : x + width] = small
    return sheet
