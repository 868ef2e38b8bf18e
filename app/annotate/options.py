"""The flags of `annotate` as frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from model.errors import ConfigError
from pipeline.settings import DetectionSettings, DisplaySettings
from pipeline.sinks.tracks import TRACK_FORMATS
from pipeline.tracking.options import STABILISE_KINDS, FollowOptions


@dataclass(frozen=True)
class TrackingOptions:
    """track: follow instances from frame to frame; tracks_as: files of tracks, keys of `TRACK_FORMATS`."""

    track: bool = True
    tracks_as: tuple[str, ...] = ()


@dataclass(frozen=True)
class VideoOptions:
    """Flags about videos: the frames that are taken, and the kind of output.

    as_:        "video", "images" or "json"
    codec, crf: of videos, None for the container's and the codec's own
    batch:      frames that go through the network together
    stride:     of so many frames one is taken
    frame_rate: frames a second, a number or a fraction, where frames have no times; None for the usual one
    trace:      file of a timeline
    share:      work on several sources at a time, all through one network
    """

    as_: str = "video"
    codec: str | None = None
    crf: int | None = None
    batch: int = 1
    stride: int = 1
    max_frames: int | None = None
    frame_rate: str | None = None
    trace: Path | None = None
    share: bool = False


@dataclass(frozen=True)
class OutputOptions:
    """Flags about outputs: their place, those that exist already, and what is printed.

    output: folder or file, None for the current folder; json: write detections beside each output
    """

    output: Path | None = None
    overwrite: bool = False
    skip_existing: bool = False
    remove_parts: bool = False
    json: bool = False
    dry_run: bool = False
    quiet: bool = False
    verbose: bool = False


@dataclass(frozen=True)
class AnnotateOptions:
    """Options of `annotate`.

    crop_masks: crop masks to their boxes
    compare:    fields of `detection` that differ on the right side of a comparison; None for no comparison
    """

    inputs: list[str]
    recursive: bool = False
    detection: DetectionSettings = field(default_factory=DetectionSettings)
    tracking: TrackingOptions = field(default_factory=TrackingOptions)
    drawing: DisplaySettings = field(default_factory=DisplaySettings)
    video: VideoOptions = field(default_factory=VideoOptions)
    output: OutputOptions = field(default_factory=OutputOptions)
    crop_masks: bool = True
    compare: Mapping[str, Any] | None = None

    @property
    def follow(self) -> FollowOptions | None:
        """Options of tracking, None for no tracking."""
        return self.detection.follow_options if self.tracking.track else None

    @property
    def right(self) -> AnnotateOptions:
        """The options as they hold on the right side of a comparison."""
        return replace(self, detection=replace(self.detection, **self.compare or {}))

    def check_tracking(self) -> None:
        """Raise ConfigError on what cannot be done without tracks, or without masks (`--no-masks`)."""
        formats = {name: TRACK_FORMATS[name] for name in self.tracking.tracks_as}
        without_masks = [name for name, wanted in formats.items() if wanted.needs_masks]
        if without_masks and not self.drawing.masks:
            raise ConfigError(f"--tracks-as {','.join(without_masks)} holds masks; leave --no-masks out")
        if self.tracking.track:
            return
        if self.detection.stabilise != STABILISE_KINDS[0]:
            raise ConfigError(f"--stabilise {self.detection.stabilise} needs tracks; leave --no-track out")
        if self.detection.follow_options.skips:
            raise ConfigError("--keyframes and --reuse-still need tracks; leave --no-track out")
        if without_tracks := [name for name, wanted in formats.items() if wanted.needs_tracks]:
            raise ConfigError(f"--tracks-as {','.join(without_tracks)} holds tracks; leave --no-track out")
