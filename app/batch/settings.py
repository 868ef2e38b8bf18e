"""The settings of a batch: options as they were asked for, and what they come to, resolved once for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from app.annotate.options import AnnotateOptions, OutputOptions, TrackingOptions, VideoOptions
from app.batch.records import digest_of
from app.batch.store import BatchFolder, read_record, write_once
from app.batch.versions import versions_here
from model.checkpoints.catalog import resolve_weights
from model.checkpoints.pins import sha256_of
from model.errors import SourceError
from pipeline.settings import DetectionSettings, DisplaySettings

INT8 = ".int8"  # what the name of an 8-bit model has behind that of its weights
_SECTIONS: dict[str, type] = {
    "detection": DetectionSettings,
    "tracking": TrackingOptions,
    "drawing": DisplaySettings,
    "video": VideoOptions,
}


@dataclass(frozen=True)
class Resolved:
    """Engine, device and precision of the network, on every machine of a batch."""

    engine: str
    device: str
    precision: str


@dataclass(frozen=True)
class BatchSettings:
    """Settings of a batch, see `digest`.

    asked:    options, digests of weights, and versions, as a json object
    resolved: what `auto` has come to
    places:   paths of the weights on the machine that began the batch
    """

    asked: Mapping[str, Any]
    resolved: Resolved
    places: Mapping[str, str]

    @property
    def name(self) -> str:
        """The name of the record: of what was asked for, so that a second machine finds what it came to."""
        return digest_of(self.asked)[:20]

    @property
    def digest(self) -> str:
        """A digest of all that outputs depend on besides the input."""
        return digest_of([self.asked, asdict(self.resolved)])

    @property
    def options(self) -> AnnotateOptions:
        """The options of `annotate`, with engine, device and precision named."""
        return options_from(self.asked["options"], self.places, self.resolved)

    def recorded(self, folder: BatchFolder) -> BatchSettings:
        """Record these settings; return what was recorded first for the same options. Raises SinkError."""
        write_once(folder.settings(self.name), asdict(self))
        return read_settings(folder, self.name)


def asked_for(options: AnnotateOptions) -> tuple[dict[str, Any], dict[str, str]]:
    """Return options, digests and versions as they make up a batch's settings, and the paths of the weights.

    Raises CheckpointError on weights that are not there.
    """
    record: dict[str, Any] = {name: asdict(getattr(options, name)) for name in _SECTIONS}
    record |= {"crop_masks": options.crop_masks, "json": options.output.json}
    detection = record["detection"]
    wanted = {"weights": detection.pop("weights"), "sharpen": detection.pop("sharpen")}
    places = {"weights": str(resolve_weights(wanted["weights"]).absolute())}
    if wanted["sharpen"] is not None:
        places["sharpen"] = str(resolve_weights(wanted["sharpen"]).absolute())
    digests = {name: sha256_of(Path(path)) for name, path in places.items()}
    digests |= _beside(Path(places["weights"]))
    asked = {"options": _listed(record), "weights": digests, "versions": versions_here()}
    return asked, places


def options_from(
    record: Mapping[str, Any], places: Mapping[str, str], resolved: Resolved | None
) -> AnnotateOptions:
    """Return the options of a record; with `resolved` its engine, device and precision are named."""
    parts = {name: kind(**_tupled(record[name])) for name, kind in _SECTIONS.items()}
    options = AnnotateOptions(
        inputs=[],
        **parts,
        crop_masks=record["crop_masks"],
        output=OutputOptions(json=record["json"], quiet=True),
    )
    named = {} if resolved is None else asdict(resolved)
    detection = replace(options.detection, weights=places["weights"], sharpen=places.get("sharpen"), **named)
    return replace(options, detection=detection)


def read_settings(folder: BatchFolder, name: str) -> BatchSettings:
    """Return recorded settings. Raises SourceError where they cannot be read."""
    path = folder.settings(name)
    record = read_record(path)
    try:
        assert record is not None
        return BatchSettings(record["asked"], Resolved(**record["resolved"]), record["places"])
    except (AssertionError, KeyError, TypeError) as error:
        raise SourceError(f"{path}: cannot be read as the settings of a batch; start it again") from error


def differences(before: Mapping[str, Any], now: Mapping[str, Any], name: str = "") -> list[str]:
    """Return what has changed between two json objects, such as "detection nms: fast, now exact"."""
    found = []
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        told = f"{name} {key}".strip()
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, told.removeprefix("options").strip())
        elif old != new:
            found.append(f"{told}: {_short(old)}, now {_short(new)}")
    return found


def _beside(weights: Path) -> dict[str, str]:
    """Return the digests of the 8-bit model that lies beside weights, or of the rest of an exported one."""
    stem = weights.with_suffix("")
    files = [Path(f"{stem}{INT8}.xml"), Path(f"{stem}{INT8}.bin"), Path(f"{stem}.bin")]
    return {
        f"weights{file.name.removeprefix(stem.name)}": sha256_of(file) for file in files if file.is_file()
    }


def _listed(value: Any) -> Any:
    """Return a value as it comes back from json."""
    if isinstance(value, dict):
        return {key: _listed(one) for key, one in value.items()}
    return [_listed(one) for one in value] if isinstance(value, (tuple, list)) else value


def _tupled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(one) if isinstance(one, list) else one for key, one in values.items()}


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return f"{text[:12]}…" if len(text) > 40 and " " not in text else text
