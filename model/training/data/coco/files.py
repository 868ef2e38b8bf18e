"""Find and parse the json file of a COCO data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from model.errors import DataError

_SHOWN = 5


def coco_file(path: Path) -> Path:
    """Return the only json file in a folder; any other path as it is.

    Raises DataError when a folder holds none or several.
    """
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.json"))
    if len(found) != 1:
        names = ", ".join(file.name for file in found[:_SHOWN]) + ", …" * (len(found) > _SHOWN)
        raise DataError(
            f"{path}: holds {len(found)} json files, expected one{f': {names}' if found else ''}; give the "
            "path of the labels"
        )
    return found[0]


def read_json(file: Path) -> dict[str, Any]:
    """Parse a json file that holds a table. Raises DataError with the file's name."""
    try:
        content = json.loads(file.read_bytes())  # bytes, so that the encoding is detected
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); give the path of a COCO json") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: is not json ({error}); give the path of a COCO json") from error
    if not isinstance(content, dict):
        raise DataError(f"{file}: holds a {type(content).__name__}, expected the table of a COCO json")
    return content
