"""A data set that can be learned: shapes of three classes on textured ground, as COCO json and PNG images."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as run_lengths

CLASSES = ("disc", "box", "triangle")
COLOURS = {"disc": (220, 60, 40), "box": (50, 190, 70), "triangle": (70, 90, 230)}
CORNERS = {"disc": 24, "box": 4, "triangle": 3}

Points = NDArray[np.float32]


def write_shapes(folder: Path, images: int = 8, side: int = 160, seed: int = 0) -> Path:
    """Images of two to four shapes each; every other mask is a polygon, the rest are run lengths.

    Returns the path of the json; its images lie in `images/` beside it.
    """
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    entries, annotations = [], []
    for number in range(1, images + 1):
        name = f"shapes_{number}.png"
        picture = _ground(side, rng)
        # one shape a quarter, so that none hides another
        for quarter in rng.permutation(4)[: int(rng.integers(2, 5))]:
            kind = CLASSES[int(rng.integers(len(CLASSES)))]
            outline = _outline(kind, int(quarter), side, rng)
            colour = tuple(int(c) for c in np.array(COLOURS[kind]) + rng.integers(-25, 25, 3))
            cv2.fillPoly(picture, [outline.round().astype(np.int32)], colour)
            annotations.append(_annotation(len(annotations) + 1, number, kind, outline, side))
        cv2.imwrite(str(folder / "images" / name), picture[:, :, ::-1])
        entries.append({"id": number, "file_name": name, "width": side, "height": side})
    categories = [{"id": n, "name": name} for n, name in enumerate(CLASSES, start=1)]
    path = folder / "labels.json"
    path.write_text(json.dumps({"images": entries, "annotations": annotations, "categories": categories}))
    return path


def _ground(side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Grey clouds with fine grain."""
    clouds = cv2.resize(rng.uniform(70, 170, (6, 6, 1)).astype(np.float32), (side, side))
    grain = rng.normal(0, 12, (side, side, 3))
    return np.asarray((clouds[:, :, None] + grain).clip(0, 255), np.uint8)


def _outline(kind: str, quarter: int, side: int, rng: np.random.Generator) -> Points:
    """The corners [N, 2] of a shape inside a quarter of the picture."""
    radius = side * rng.uniform(0.13, 0.21)
    column, row = quarter % 2, quarter // 2
    centre = np.array([side * (0.25 + 0.5 * column), side * (0.25 + 0.5 * row)]) + rng.uniform(-4, 4, 2)
    turn = rng.uniform(0, 2 * math.pi)
    angles = turn + np.arange(CORNERS[kind]) * 2 * math.pi / CORNERS[kind]
    corners = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray(corners.clip(0, side - 1), np.float32)


def _annotation(number: int, image: int, kind: str, outline: Points, side: int) -> dict[str, Any]:
    low, high = outline.min(axis=0), outline.max(axis=0)
    flat = [float(v) for v in outline.reshape(-1)]
    mask = run_lengths.frPyObjects([flat], side, side)[0]
    lengths = {"size": [side, side], "counts": mask["counts"].decode()}
    return {
        "id": number,
        "image_id": image,
        "category_id": CLASSES.index(kind) + 1,
        "iscrowd": 0,
        "bbox": [float(v) for v in (*low, *(high - low))],
        "area": float(run_lengths.area(mask)),
        "segmentation": [flat] if number % 2 else lengths,
    }
