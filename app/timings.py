"""How fast a run was, for people: the table at its end and one live line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.terminal import Table, plain

if TYPE_CHECKING:
    from pipeline.metrics.run import MetricsSnapshot, QueueStats, StageStats

_HEADS = ("stage", "mean ms", "p50", "p95", "p99", "works", "waits for frames", "waits for room")


def table(snapshot: MetricsSnapshot) -> str:
    """Lines for the end of a run: a row a stage, queues, drops and ages, and what held the run up.

    "works" and "waits" are shares of the run's time.
    """
    from pipeline.metrics.bottleneck import bottleneck

    if not snapshot.stages:
        return "timings: nothing was measured"
    title = f"timings: {snapshot.frames} frames in {snapshot.seconds:.2f} s, {snapshot.fps:.1f} fps"
    rows = tuple(_row(snapshot, stage) for stage in snapshot.stages)
    lines = [plain(Table(title, _HEADS, rows)), *_facts(snapshot), f"bottleneck: {bottleneck(snapshot)}"]
    return "\n".join(lines)


def progress_text(snapshot: MetricsSnapshot) -> str:
    """One short line for a run under way: "31.2 fps · forward 18 ms · queue 2/4 · 0 dropped · age 45 ms".

    The stage is the one with the most work, the queue the fullest one.
    """
    parts = [f"{snapshot.recent_fps:.1f} fps"]
    if any(stage.work.count for stage in snapshot.stages):
        busiest = max(snapshot.stages, key=lambda stage: stage.work.total)
        parts.append(f"{busiest.stage} {_short(busiest.work.p50)} ms")
    if snapshot.queues:
        fullest = max(snapshot.queues, key=_filling)
        parts.append(f"queue {fullest.last}/{fullest.capacity}")
    parts.append(f"{snapshot.dropped} dropped")
    if snapshot.ages.count:
        parts.append(f"age {_short(snapshot.ages.p50)} ms")
    return " · ".join(parts)


def _row(snapshot: MetricsSnapshot, stage: StageStats) -> tuple[str, ...]:
    work = stage.work
    figures = (work.mean, work.p50, work.p95, work.p99)
    shares = (work.total, stage.waited, stage.room)
    return (
        stage.stage,
        *(f"{1000 * seconds:.2f}" if work.count else "–" for seconds in figures),
        *(f"{100 * snapshot.share(seconds):.0f} %" if seconds else "–" for seconds in shares),
    )


def _facts(snapshot: MetricsSnapshot) -> list[str]:
    """Lines about queues, drops and ages, those that there is something to say about."""
    facts = []
    if snapshot.queues:
        depths = (f"{q.name} {q.mean:.1f} of {q.capacity}, at most {q.max}" for q in snapshot.queues)
        facts.append(f"queues: {'; '.join(depths)}")
    if snapshot.dropped:
        drops = ", ".join(f"{count} from {name}" for name, count in snapshot.drops.items())
        facts.append(f"dropped: {drops}")
    if snapshot.ages.count:
        ages = snapshot.ages
        told = ", ".join(f"{name} {_short(getattr(ages, name))} ms" for name in ("p50", "p95", "p99", "max"))
        facts.append(f"age from capture to delivery: {told}")
    return facts


def _filling(queue: QueueStats) -> float:
    return queue.last / queue.capacity


def _short(seconds: float) -> str:
    """Milliseconds: "0.4" below ten, "18" from there."""
    milliseconds = 1000 * seconds
    return f"{milliseconds:.1f}" if milliseconds < 9.95 else f"{milliseconds:.0f}"
