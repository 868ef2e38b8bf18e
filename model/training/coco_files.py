"""Where a COCO json and its images lie, and what it holds before anything of it is checked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from model.errors import DataError


def coco_file(path: Path) -> Path:
    """The one json file in a folder; anything else is taken at its name.

    Raises DataError when a folder holds none or several.
    """
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.json"))
    if len(found) != 1:
        raise DataError(f"{path}: holds {len(found)} json files, expected one; give the path of the labels")
    return found[0]


def read_json(file: Path) -> dict[str, Any]:
    """The table in a json file. Raises DataError naming the file when there is none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); give the path of a COCO json") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: is not json ({error}); give the path of a COCO json") from error
    if not isinstance(content, dict):
        raise DataError(f"{file}: holds a {type(content).__name__}, expected the table of a COCO json")
    return content


def image_folder(file: Path, images: Iterable[dict[str, Any]], given: Path | None = None) -> Path:
    """Where the images of a json lie: where we are told, else the first usual place that holds one of them.

    Raises DataError with the places when none does.
    """
    names = [str(entry.get("file_name")) for entry in images]
    # annotations/instances_train2017.json belongs to train2017/, as COCO's own archives unpack
    split = file.stem.rpartition("_")[2]
    usual = (file.parent / "images", file.parent, file.parent / split, file.parent.parent / split)
    folders = (given,) if given is not None else (*usual, file.parent.parent / "images")
    for folder in folders:
        if any(_is_file(folder / name) for name in names):
            return folder
    looked = ", ".join(map(str, folders))
    raise DataError(f"{file}: none of its {len(names)} images was found in {looked}; say where they are")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or that no file can have
        return False
