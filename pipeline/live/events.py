"""Events of a live session: frozen records, without torch or OpenCV.

They come from the session's own threads, one at a time and in order; a receiver must not block.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.settings import DetectionSettings
from pipeline.sources.base import SourceInfo


@dataclass(frozen=True)
class Opening:
    """A source is being opened; the one before goes on meanwhile where both can be open at a time.

    name: what to call it, the same in every event about it: a path, an address without its password, or
          "Camera 0"
    """

    name: str


@dataclass(frozen=True)
class Opened:
    """This source's frames are shown from now on. Told again when it goes on because the one that was to take
    its place could not be opened.

    info:     of what was opened, whose own name may tell more: how many images a folder holds
    playable: it can be paused and played at another speed
    seekable: a position in it can be chosen
    name:     that of `Opening` and `Closed`; "" stands for the name in `info`
    """

    info: SourceInfo
    playable: bool
    seekable: bool
    name: str = ""


@dataclass(frozen=True)
class Lost:
    """A camera or stream was lost; opening it again is tried until the source is closed."""

    name: str
    reason: str


@dataclass(frozen=True)
class Regained:
    """A lost camera or stream was opened again."""

    name: str


@dataclass(frozen=True)
class Warned:
    """A problem of a source that goes on, such as a damaged file or another mode of a camera.

    Emitted once for each kind; a count in the message is that of the moment.
    """

    name: str
    message: str


@dataclass(frozen=True)
class Closed:
    """No more frames come from this source: it was closed or replaced, or ended by itself."""

    name: str


@dataclass(frozen=True)
class Loading:
    """A network is being loaded; the one before goes on meanwhile. what: for people, in one line."""

    what: str


@dataclass(frozen=True)
class Loaded:
    """A network is in use.

    weights:     the file
    choice:      engine, precision, device and why, for people
    class_names: that it knows
    image_size:  side of its input in pixels, the longer one where the aspect ratio is kept
    prototypes:  their number K
    settings:    what it is used with, which is not what was asked for where that could not be loaded; without
                 classes that it does not know
    class_thresholds: the weights' own score threshold, 0..1, of each class; empty where that is not known
    keeps_aspect_ratio: frames are resized as a whole and padded, not stretched to a square
    proposes:    it finds objects of any class by windows of `image_size` pixels, and has no prototypes
    """

    weights: Path
    choice: str
    class_names: tuple[str, ...]
    image_size: int
    prototypes: int
    settings: DetectionSettings = field(default_factory=DetectionSettings)
    class_thresholds: tuple[float, ...] = ()
    keeps_aspect_ratio: bool = False
    proposes: bool = False


@dataclass(frozen=True)
class Progress:
    """Progress of a long task. fraction: 0..1, None when unknown."""

    task: str
    fraction: float | None
    detail: str = ""


@dataclass(frozen=True)
class RecordingStarted:
    """Frames are written to these files from now on."""

    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Saved:
    """A recording, snapshot, download or annotated file is finished. problems: empty when all is well."""

    task: str
    paths: tuple[Path, ...]
    summary: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """A task failed; the rest goes on. details: a traceback or a longer text, to be copied."""

    task: str
    message: str
    details: str = ""


Event = (
    Opening
    | Opened
    | Lost
    | Regained
    | Warned
    | Closed
    | Loading
    | Loaded
    | Progress
    | RecordingStarted
    | Saved
    | Failed
)
