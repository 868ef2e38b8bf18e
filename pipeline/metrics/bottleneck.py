"""The bottleneck of a run, in one sentence with its figures."""

from __future__ import annotations

from collections import defaultdict

from pipeline.metrics.run import STAGES, MetricsSnapshot, StageStats

_TELLING = 0.05  # a share of waiting that is worth telling
_KEEPS_UP = 0.05  # of a live source's frames may be dropped, at the start of a run mostly


def bottleneck(snapshot: MetricsSnapshot) -> str:
    """The stage that everything else waits for: "forward: works 91 % of the time; capture waits …".

    It is the stage with the most work in the thread with the most work: stages that share a thread wait for
    one another. Where a live source is kept up with there is none, however long its frames are waited for.
    """
    given = _given_live(snapshot)
    if given and snapshot.dropped <= _KEEPS_UP * given:
        rate = snapshot.rate(given)
        return f"none, the source is kept up with: it gives {rate:.1f} frames a second; nothing is slower"
    stage, thread = _busiest(snapshot)
    if stage is None:
        return "no stage has worked yet"
    parts = [_work(snapshot, stage, thread)]
    if given:
        parts.append(f"{snapshot.dropped} of the source's {given} frames were dropped")
    else:
        parts += _others(snapshot, stage)
    return f"{stage.stage}: " + "; ".join(parts)


def _given_live(snapshot: MetricsSnapshot) -> int:
    """The frames of a live source, those included that it dropped before they were read; 0 of a file."""
    waits = sum(stage.waits for stage in snapshot.stages if stage.stage == "capture")
    return waits + snapshot.drops.get("source", 0) if waits else 0


def _busiest(snapshot: MetricsSnapshot) -> tuple[StageStats | None, str]:
    """The stage with the most work of the thread with the most work, and that thread's name."""
    threads: defaultdict[str, float] = defaultdict(float)
    for stage in snapshot.stages:
        for thread, seconds in stage.threads.items():
            threads[thread] += seconds
    if not threads:
        return None, ""
    thread = max(threads, key=lambda name: threads[name])
    return max(snapshot.stages, key=lambda stage: stage.threads.get(thread, 0.0)), thread


def _work(snapshot: MetricsSnapshot, stage: StageStats, thread: str) -> str:
    told = f"works {_percent(snapshot, stage.threads[thread])} of the time"
    fellows = [other for other in snapshot.stages if thread in other.threads and other is not stage]
    if not fellows:
        return told
    together = sum(other.threads[thread] for other in (stage, *fellows))
    names = ", ".join(other.stage for other in fellows)
    return f"{told}, with {names} in its thread {_percent(snapshot, together)}"


def _others(snapshot: MetricsSnapshot, stage: StageStats) -> list[str]:
    """Return the stages that wait most: before the stage for room, after it for frames."""
    place = STAGES.index(stage.stage)
    before = [s for s in snapshot.stages if STAGES.index(s.stage) < place]
    after = [s for s in snapshot.stages if STAGES.index(s.stage) > place]
    told = []
    first = max(before, key=lambda s: s.room, default=None)
    if first is not None and snapshot.share(first.room) > _TELLING:
        told.append(f"{first.stage} waits {_percent(snapshot, first.room)} of the time for room")
    last = max(after, key=lambda s: s.waited, default=None)
    if last is not None and snapshot.share(last.waited) > _TELLING:
        told.append(f"{last.stage} waits {_percent(snapshot, last.waited)} of the time for frames")
    return told


def _percent(snapshot: MetricsSnapshot, seconds: float) -> str:
    return f"{100 * snapshot.share(seconds):.0f} %"
