"""Four labelled images, and a predictor that knows their labels; it recognises an image by its grey value."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from model.checkpoints.yolact import save_checkpoint
from model.config import YolactConfig
from model.detections import Detections, MaskCrop, no_detections
from model.network.yolact import build_yolact
from model.options import DetectOptions
from tests.small_networks import COMPACT

HEIGHT, WIDTH = 60, 80


class NoEngine(NamedTuple):
    """Stands for the engine of a predictor that has none."""

    name: str = "none"
    precision: str = "fp32"
    device: str = "cpu"


ENGINE = NoEngine()
Box = tuple[int, int, int, int]
# image id -> objects; ids double as grey values
OBJECTS: dict[int, list[tuple[str, Box]]] = {
    50: [("cat", (5, 5, 45, 45)), ("dog", (50, 10, 75, 55))],
    100: [("cat", (10, 10, 50, 50))],
    150: [],
    200: [("dog", (0, 0, 40, 30))],
}
CATEGORY_IDS = {"dog": 4, "cat": 9}
CONFIG = dataclasses.replace(COMPACT, class_names=("cat", "dog"), image_size=96)


def untrained_weights(folder: Path) -> Path:
    """A real weights file, of a network that has learned nothing."""
    torch.manual_seed(0)
    path = folder / "untrained.pt"
    save_checkpoint(path, CONFIG, build_yolact(CONFIG).state_dict())
    return path


@dataclasses.dataclass
class Oracle:
    """Finds just what is labelled; the objects of image 200 with a low score."""

    options: DetectOptions
    config: YolactConfig = CONFIG
    engine: NoEngine = ENGINE
    sharpen: None = None
    delay: float = 0.0
    stop_at: int | None = None

    def __call__(self, frame: NDArray[np.uint8]) -> Detections:
        time.sleep(self.delay)
        image = int(frame[0, 0, 0])
        if image == self.stop_at:
            raise KeyboardInterrupt
        score = 0.2 if image == 200 else 0.9
        known = [found for found in OBJECTS.get(image, []) if found[0] in self.config.class_names]
        objects = known if score >= self.options.score_threshold else []
        if not objects:
            return no_detections((frame.shape[0], frame.shape[1]), self.config.class_names)
        scores = np.full(len(objects), score, np.float32)
        return Detections(
            image_size=(frame.shape[0], frame.shape[1]),
            boxes=np.array([box for _, box in objects], np.float32),
            scores=scores,
            classes=np.array([self.config.class_names.index(name) for name, _ in objects]),
            class_names=self.config.class_names,
            crops=tuple(
                MaskCrop(x1, y1, np.ones((y2 - y1, x2 - x1), bool)) for _, (x1, y1, x2, y2) in objects
            ),
            box_scores=scores,
        )


def labels() -> dict[str, Any]:
    objects = [(image, name, box) for image, found in OBJECTS.items() for name, box in found]
    return {
        "images": [
            {"id": i, "file_name": f"{i}.png", "width": WIDTH, "height": HEIGHT, "coverage": coverage}
            for i, coverage in zip(OBJECTS, ("all", "all", "all", "main cat"), strict=True)
        ],
        "categories": [{"id": number, "name": name} for name, number in CATEGORY_IDS.items()],
        "annotations": [
            {
                "id": number,
                "image_id": image,
                "category_id": CATEGORY_IDS[name],
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]],
                "area": (x2 - x1) * (y2 - y1),
                "iscrowd": 0,
            }
            for number, (image, name, (x1, y1, x2, y2)) in enumerate(objects, start=1)
        ],
    }


def write_data(folder: Path) -> Path:
    """Writes the images and their labels; returns the path of the labels."""
    (folder / "images").mkdir()
    for image in OBJECTS:
        Image.new("L", (WIDTH, HEIGHT), image).save(folder / "images" / f"{image}.png")
    path = folder / "labels.json"
    path.write_text(json.dumps(labels()))
    return path
