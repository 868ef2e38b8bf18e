"""`batch retry`: what failed is tried again, with the settings that it failed with."""

from __future__ import annotations

from pathlib import Path

from app.annotate.report import Report
from app.batch.manifest import Manifest
from app.batch.planning import compared
from app.batch.settings import asked_for, differences, read_settings
from app.batch.start import BatchOptions, count, suited, work_off
from app.batch.store import BatchFolder
from model.errors import ConfigError


def retry(out: Path, how: BatchOptions, quiet: bool = False) -> Report:
    """Try the failed videos of a batch again, and make whatever else is missing.

    Raises SourceError where there is no batch, ConfigError where weights or versions are others now.
    """
    manifest = Manifest(BatchFolder(out))
    videos = manifest.planned()
    for name in dict.fromkeys(video.settings for video in videos):
        settings = read_settings(manifest.folder, name)
        now, _ = asked_for(settings.options)
        others = {key: now[key] for key in ("weights", "versions")}
        before = {key: settings.asked[key] for key in others}
        if changed := differences(before, others):
            raise ConfigError(f"{out}: {changed[0]}; `batch start` makes it again as it would be now")
    for video in videos:
        if manifest.finished(video.key) is None:
            manifest.forgive(video.key)
    comparison = compared(videos, manifest)
    report = Report()
    count(report, comparison, work_off(manifest, comparison, suited(how, settings), quiet))
    return report
