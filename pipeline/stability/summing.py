"""From the books of a measurement to the figures of the whole video."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.stability.ledger import Ledger
from pipeline.stability.records import StabilitySummary
from pipeline.stability.tallies import Mean


def summarise(ledger: Ledger) -> StabilitySummary:
    """The figures of all frames that were recorded."""
    tracks = tuple(ledger.tracks[key].score() for key in sorted(ledger.tracks))
    objects = tuple(ledger.objects[key].score() for key in sorted(ledger.objects))
    stability = _stability(ledger)
    object_frames = sum(o.frames for o in objects)
    pairs = list(ledger.objects.values())
    return StabilitySummary(
        stability=stability,
        basis="truth" if objects else "tracks",
        failed=_failure(ledger, stability),
        frames=ledger.frames,
        compared=ledger.compared,
        breaks=tuple(ledger.breaks),
        coverage=ledger.covered / max(ledger.frames, 1),
        area_share=ledger.area.value or 0.0,
        masks=ledger.masks / max(ledger.frames, 1),
        empty_masks=ledger.empty_masks,
        jitter=ledger.means.jitter.value,
        boundary_jitter=ledger.means.boundary.value,
        excess=ledger.means.excess.value,
        boundary_excess=ledger.means.boundary_excess.value,
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


def _stability(ledger: Ledger) -> float | None:
    return (ledger.by_objects if ledger.objects else ledger.by_tracks).value()


def _failure(ledger: Ledger, stability: float | None) -> str | None:
    """Why there is no stability to speak of; None when there is."""
    if not ledger.frames:
        return "there is no frame"
    if not ledger.covered:
        empty = f"; {ledger.empty_masks} masks are empty" if ledger.empty_masks else ""
        return f"nothing was found in any of {ledger.frames} frames{empty}"
    if ledger.objects and not any(o.matched for o in ledger.objects.values()):
        best = max(o.iou.value or 0.0 for o in ledger.objects.values())
        return f"no mask matches an object of the ground truth; the best has a mean IoU of {best:.2f}"
    if not ledger.compared:
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
