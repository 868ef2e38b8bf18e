"""Tiny data sets, written to disk as a user would have them: blocks of plain colour on a blue ground."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GROUND = (0, 0, 255)
COLOURS = ((255, 0, 0), (0, 255, 0), (255, 255, 0), (0, 255, 255), (255, 0, 255), (255, 255, 255))

# x1 y1 x2 y2 in pixels
Block = tuple[int, int, int, int]


def draw_blocks(width: int, height: int, blocks: Sequence[Block]) -> NDArray[np.uint8]:
    """A picture [height, width, 3] whose n-th block has the n-th colour."""
    picture = np.empty((height, width, 3), dtype=np.uint8)
    picture[:] = GROUND
    for colour, (x1, y1, x2, y2) in zip(COLOURS, blocks, strict=False):
        picture[y1:y2, x1:x2] = colour
    return picture


def save_image(path: Path, picture: NDArray[np.uint8], **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, **options)


def polygon(block: Block) -> list[list[float]]:
    x1, y1, x2, y2 = map(float, block)
    return [[x1, y1, x2, y1, x2, y2, x1, y2]]


def annotation(number: int, image: int, block: Block, category: int = 1, **changes: Any) -> dict[str, Any]:
    x1, y1, x2, y2 = block
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "iscrowd": 0,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": (x2 - x1) * (y2 - y1),
        "segmentation": polygon(block),
        **changes,
    }


def coco_json(
    folder: Path,
    images: dict[str, Sequence[Block]],
    categories: Sequence[str] = ("person", "car"),
    size: tuple[int, int] = (64, 48),
    **keys: Any,
) -> Path:
    """A COCO set of PNG images with one person a block; `keys` go into every image's entry."""
    width, height = size
    entries, annotations = [], []
    for number, (name, blocks) in enumerate(images.items(), start=1):
        save_image(folder / "images" / name, draw_blocks(width, height, blocks))
        entries.append({"id": number, "file_name": name, "width": width, "height": height, **keys})
        annotations += [annotation(len(annotations) + n, number, b) for n, b in enumerate(blocks, start=1)]
    content = {
        "images": entries,
        "annotations": annotations,
        "categories": [{"id": n, "name": name} for n, name in enumerate(categories, start=1)],
    }
    path = folder / "labels.json"
    path.write_text(json.dumps(content))
    return path


def edit_json(path: Path, edit: Any) -> Path:
    """Let `edit` change the content of a json file in place."""
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    return path
