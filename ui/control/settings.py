"""The settings that are saved between two starts: a frozen record and its file."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from model.atomic import write_bytes
from model.user_folders import own_folder
from pipeline.settings import DetectionSettings, DisplaySettings
from pipeline.sources import SourceOptions
from ui.control.settings_fields import DETECTION_FIELDS, DISPLAY_FIELDS, WINDOW_FIELDS, Fields

MOST_RECENT = 10
FILE_NAME = "window.json"

_CAMERA_MODE = re.compile(r"(?P<width>[0-9]{1,5})x(?P<height>[0-9]{1,5})(?:@(?P<rate>[0-9]+(?:\.[0-9]+)?))?")


@dataclass(frozen=True)
class WindowSettings:
    """Settings that are saved between two starts.

    recent:      sources, newest first, without passwords; at most `MOST_RECENT`
    output:      folder for recordings and snapshots, "" for a folder within the user's videos
    camera_mode: "WIDTHxHEIGHT" or "WIDTHxHEIGHT@RATE" requested from cameras, "" for their default
    colours:     of the window: those of the system, or always light or dark
    panels:      names of the visible panels, None for the default
    layout:      Qt's state of window and panels, base 64; "" for the default
    """

    detection: DetectionSettings = field(default_factory=DetectionSettings)
    display: DisplaySettings = field(default_factory=DisplaySettings)
    recent: tuple[str, ...] = ()
    output: str = ""
    record_json: bool = True
    camera_mode: str = ""
    colours: Literal["system", "light", "dark"] = "system"
    panels: tuple[str, ...] | None = None
    layout: str = ""


def camera_options(mode: str) -> SourceOptions | None:
    """Return the options for a `camera_mode`; None if it is empty or malformed."""
    match = _CAMERA_MODE.fullmatch(mode.strip())
    if match is None:
        return None
    rate = match["rate"]
    return SourceOptions(
        width=int(match["width"]), height=int(match["height"]), camera_rate=float(rate) if rate else None
    )


def settings_path() -> Path:
    """Return the path of the file, in `LIVEMASK_HOME` if that is set, else in the system's folder."""
    import platformdirs

    home = os.environ.get("LIVEMASK_HOME")
    folder = own_folder(lambda: home or platformdirs.user_config_dir("livemask", appauthor=False))
    return folder / FILE_NAME


def load(path: Path) -> tuple[WindowSettings, str]:
    """Return the settings of a file, and a warning for the user, "" without one. Raises nothing.

    A missing or unreadable file gives the defaults. In a readable one, each invalid value is replaced by its
    default.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return WindowSettings(), ""
    except (OSError, UnicodeDecodeError) as error:
        return WindowSettings(), f"{path}: the settings cannot be read ({error}); the defaults are used"
    problems: list[str] = []
    try:
        stored = json.loads(text)
        if not isinstance(stored, dict):
            return WindowSettings(), f"{path}: expected settings by name; the defaults are used"
        settings = _window(stored, problems)
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
        return WindowSettings(), f"{path}: the settings are broken ({error}); the defaults are used"
    if not problems:
        return settings, ""
    return settings, f"{path}: the defaults are used for {'; '.join(problems)}"


def save(settings: WindowSettings, path: Path) -> None:
    """Write the file atomically. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dataclasses.asdict(settings), indent=2, default=str)  # a Path as its text
    write_bytes(path, text.encode())


def _window(stored: Mapping[str, Any], problems: list[str]) -> WindowSettings:
    parts = {key: value for key, value in stored.items() if key not in ("detection", "display")}
    detection = _fields(stored.get("detection", {}), DETECTION_FIELDS, "detection.", problems)
    display = _fields(stored.get("display", {}), DISPLAY_FIELDS, "display.", problems)
    own = _fields(parts, WINDOW_FIELDS, "", problems)
    own["recent"] = own.get("recent", ())[:MOST_RECENT]
    return WindowSettings(DetectionSettings(**detection), DisplaySettings(**display), **own)


def _fields(stored: object, fields: Fields, prefix: str, problems: list[str]) -> dict[str, Any]:
    """Return the valid values by name; describe the invalid ones in `problems`."""
    if not isinstance(stored, dict):
        problems.append(f"{prefix.rstrip('.')}: expected settings by name, got {stored!r:.60}")
        return {}
    read: dict[str, Any] = {}
    for name, value in stored.items():
        if name not in fields:
            problems.append(f"{prefix}{name}: no setting of this version")
            continue
        try:
            read[name] = fields[name](value)
        except ValueError as error:
            problems.append(f"{prefix}{name}: expected {error}, got {value!r:.60}")
    return read
