"""Tracks in the formats of other tools, each written by a sink of its own."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.sinks.tracks.sink import TracksSink


@dataclass(frozen=True)
class TrackFormat:
    """One format.

    writer:       module and class of its `TrackWriter`; as text, so that a program loads only what it uses
    suffix:       what is appended to the name of the output that the file goes with
    needs_masks:  it cannot be written of boxes alone
    needs_tracks: it cannot be written without tracking
    """

    writer: str
    suffix: str
    needs_masks: bool
    needs_tracks: bool


TRACK_FORMATS: dict[str, TrackFormat] = {
    "csv": TrackFormat("pipeline.sinks.tracks.csv_table:CsvTable", ".tracks.csv", False, False),
    "coco": TrackFormat("pipeline.sinks.tracks.coco:CocoJson", ".coco.json", False, False),
    "mots": TrackFormat("pipeline.sinks.tracks.mots:MotsText", ".mots.txt", True, True),
    "kitti-mots": TrackFormat("pipeline.sinks.tracks.mots:KittiMotsText", ".kitti-mots.txt", True, True),
    "youtubevis": TrackFormat(
        "pipeline.sinks.tracks.youtube_vis:YoutubeVisResults", ".youtubevis.json", True, True
    ),
    "youtubevis-dataset": TrackFormat(
        "pipeline.sinks.tracks.youtube_vis:YoutubeVisDataset", ".youtubevis-dataset.json", True, True
    ),
}


def track_sink(name: str, path: Path, overwrite: bool = False) -> TracksSink:
    """A sink that writes the tracks of one video to `path`. Raises ConfigError on an unknown format.

    name: a key of `TRACK_FORMATS`
    """
    from pipeline.sinks.tracks.sink import TracksSink

    if name not in TRACK_FORMATS:
        raise ConfigError(f"no format of tracks is named {name!r}; there are {', '.join(TRACK_FORMATS)}")
    module, _, writer = TRACK_FORMATS[name].writer.partition(":")
    return TracksSink(path, getattr(import_module(module), writer)(), overwrite)
