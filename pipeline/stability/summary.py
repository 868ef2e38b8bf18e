"""Summary of a measurement: the figures of the whole video."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.stability.accumulator import VideoAccumulator
from pipeline.stability.records import StabilitySummary
from pipeline.stability.track_accumulators import Mean


def summarise(totals: VideoAccumulator) -> StabilitySummary:
    """Return the figures of all frames so far."""
    tracks = tuple(totals.tracks[key].score() for key in sorted(totals.tracks))
    objects = tuple(totals.objects[key].score() for key in sorted(totals.objects))
    stability = _stability(totals)
    object_frames = sum(o.frames for o in objects)
    pairs = list(totals.objects.values())
    return StabilitySummary(
        stability=stability,
        basis="truth" if objects else "tracks",
        failed=_failure(totals, stability),
        frames=totals.frames,
        compared=totals.compared,
        breaks=tuple(totals.breaks),
        coverage=totals.covered / max(totals.frames, 1),
        area_share=totals.area.value or 0.0,
        masks=totals.masks / max(totals.frames, 1),
        empty_masks=totals.empty_masks,
        jitter=totals.means.jitter.value,
        boundary_jitter=totals.means.boundary.value,
        excess=totals.means.excess.value,
        boundary_excess=totals.means.boundary_excess.value,
        missing=sum(t.missing for t in tracks),
        gaps=sum(len(t.gaps) for t in tracks),
        class_changes=sum(len(t.class_changes) for t in tracks),
        id_changes=sum(len(scored.id_changes) for scored in objects or tracks),
        matched=sum(o.matched for o in objects) / object_frames if objects else None,
        iou=_mean(o.iou for o in objects),
        iou_change=_mean(o.iou_change for o in objects),
        truth_jitter=_pooled(o.jitter for o in pairs),
        truth_boundary_jitter=_pooled(o.boundary for o in pairs),
        tracks=tracks,
        objects=objects,
    )


def _stability(totals: VideoAccumulator) -> float | None:
    return (totals.by_objects if totals.objects else totals.by_tracks).value()


def _failure(totals: VideoAccumulator, stability: float | None) -> str | None:
    """Return the reason why there is no stability figure; None when there is one."""
    if not totals.frames:
        return "there is no frame"
    if not totals.covered:
        empty = f"; {totals.empty_masks} masks are empty" if totals.empty_masks else ""
        return f"nothing was found in any of {totals.frames} frames{empty}"
    if totals.objects and not any(o.matched for o in totals.objects.values()):
        best = max(o.iou.value or 0.0 for o in totals.objects.values())
        return f"no mask matches an object of the ground truth; the best has a mean IoU of {best:.2f}"
    if not totals.compared:
        return "no frame could be compared with the one before: there is one frame, or each is another shot"
    if stability is None:
        return "no object of the ground truth could be compared with itself in the frame before"
    if not stability:
        return "no track has masks in two neighbouring frames"
    return None


def _mean(values: Iterable[float | None]) -> float | None:
    mean = Mean()
    for value in values:
        mean.add(value)
    return mean.value


def _pooled(means: Iterable[Mean]) -> float | None:
    together = Mean()
    for mean in means:
        together.total += mean.total
        together.count += mean.count
    return together.value
