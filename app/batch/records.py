"""Records of a batch: the videos that are planned, finished and failed, as they stand in small json files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

FINISHED = "finished"
FAILED = "failed"
BUSY = "busy"
NO_ROOM = "no room"
LOST = "lost"


@dataclass(frozen=True)
class Fingerprint:
    """Identity of an input file.

    size:    in bytes
    mtime:   when it was last changed, in whole microseconds, the finest that all file systems tell alike
    samples: SHA-256, in hex, of parts of its content
    """

    size: int
    mtime: int
    samples: str


@dataclass(frozen=True)
class PlannedVideo:
    """One video of a batch.

    key:      of its name, its fingerprint and its settings, see `key_of`
    name:     unique within the batch, the same on every machine: below the folder that was searched
    source:   the path of the input on the machine that planned it
    settings: name of the record of the settings
    outputs:  kind and path of each output, relative to the batch's folder, with slashes
    """

    key: str
    name: str
    source: str
    settings: str
    fingerprint: Fingerprint
    outputs: tuple[tuple[str, str], ...]

    @staticmethod
    def of(values: Mapping[str, Any]) -> PlannedVideo:
        """Return the video of a json object. Raises KeyError and TypeError on one that is none."""
        plain = {name: values[name] for name in ("key", "name", "source", "settings")}
        outputs = tuple((kind, path) for kind, path in values["outputs"])
        return PlannedVideo(**plain, fingerprint=Fingerprint(**values["fingerprint"]), outputs=outputs)


@dataclass(frozen=True)
class MadeOutput:
    """An output: its path in the batch's folder, its bytes, and the SHA-256 of its content in hex.

    Of a folder the sizes are added up, and the digest is of the names and digests of its files.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Finished:
    """The record of a finished video.

    frames:    that were annotated
    seconds:   that it took
    at:        when it was finished, in seconds since 1970
    host:      the machine; processor: what it calculates with
    notes:     what is to be known about the outputs
    """

    key: str
    name: str
    settings: str
    fingerprint: Fingerprint
    outputs: tuple[MadeOutput, ...]
    frames: int
    seconds: float
    at: float
    host: str
    processor: str
    notes: tuple[str, ...] = ()

    @staticmethod
    def of(values: Mapping[str, Any]) -> Finished:
        """Return the record of a json object. Raises KeyError and TypeError on one that is none."""
        others = {name: value for name, value in values.items() if name in Finished.__dataclass_fields__}
        made = {
            "fingerprint": Fingerprint(**values["fingerprint"]),
            "outputs": tuple(MadeOutput(**one) for one in values["outputs"]),
            "notes": tuple(values["notes"]),
        }
        return Finished(**(others | made))


@dataclass(frozen=True)
class Failure:
    """A try that failed: why, when (seconds since 1970) and on which machine."""

    reason: str
    at: float
    host: str


@dataclass(frozen=True)
class Order:
    """One try to make a video, for whoever works: all that is needed to begin.

    folder: the batch's folder
    over:   number of the claim that may be taken over, for nobody keeps it up; 0 for none
    """

    folder: str
    video: PlannedVideo
    over: int = 0


@dataclass(frozen=True)
class TryOutcome:
    """The end of a try.

    state: `FINISHED`; `FAILED`; `BUSY` where another one works on it; `NO_ROOM` where nothing can be written,
           whatever the video; `LOST` where whoever worked is no more
    """

    key: str
    state: str
    reason: str = ""
    frames: int = 0
    seconds: float = 0.0


def plain(record: Any) -> dict[str, Any]:
    """Return a record as a json object."""
    return dict(json.loads(json.dumps(asdict(record))))


def digest_of(value: Any) -> str:
    """Return the SHA-256, in hex, of a value that can stand in json; the order of keys does not count."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def key_of(name: str, fingerprint: Fingerprint, settings: str) -> str:
    """Return the key of a video: the same name begins alike, whatever the input and the settings are.

    settings: digest of everything that the outputs depend on besides the input
    """
    return f"{digest_of(name)[:12]}-{digest_of([name, asdict(fingerprint), settings])[:20]}"
