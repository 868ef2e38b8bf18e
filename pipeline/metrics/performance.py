"""The rates, stages and waiting of a run: its last seconds, and figures as text."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.metrics.bottleneck import bottleneck
from pipeline.metrics.run import Metrics, MetricsSnapshot, QueueStats, Span, StageStats

RECENT = 2.0  # seconds that are looked back


@dataclass(frozen=True)
class Performance:
    """A run's last two seconds.

    capture, inference, display: frames a second that were captured, went through the network, were shown
    age:    seconds from the capture of the frame that is shown until it was painted; 0 while none is
    recent: what was measured in these seconds alone, queues and ages left out
    whole:  what was measured in the whole run
    quiet:  seconds since anything was done; 0 before
    paused: whether the source waits, so that frames come only where something is changed
    """

    capture: float
    inference: float
    display: float
    age: float
    recent: MetricsSnapshot
    whole: MetricsSnapshot
    quiet: float = 0.0
    paused: bool = False

    @property
    def bottleneck(self) -> str:
        """The present bottleneck in words, with the time that they are about."""
        if self.paused:
            return "none, the source is paused or has ended"
        if self.quiet > RECENT:
            return f"no frames for {self.quiet:.0f} s: the source is paused, has ended or gives none"
        return f"{bottleneck(self.recent)} (the last {RECENT:.0f} s)"


@dataclass(frozen=True)
class _Counts:
    """Counts of a run up to one moment."""

    at: float
    captured: int
    inferred: int
    drops: dict[str, int]


class PerformanceMeter:
    """Makes a `Performance` of what a run tells; asked a few times a second, by one thread."""

    def __init__(self) -> None:
        self._history: deque[_Counts] = deque()

    def measure(
        self,
        now: float,
        snapshot: MetricsSnapshot,
        spans: Sequence[Span],
        display: float,
        age: float,
        paused: bool = False,
    ) -> Performance:
        """Return the performance at `now`, in seconds of `time.monotonic()`.

        spans: the newest ones, as many as there are; display, age and paused: see `Performance`
        """
        counts = _count(now, snapshot)
        before = self._remember(counts)
        recent = _replay(spans, _dropped_since(before, counts))
        return Performance(
            capture=_rate(counts.captured - before.captured, now - before.at),
            inference=_rate(counts.inferred - before.inferred, now - before.at),
            display=display,
            age=age,
            recent=recent,
            whole=snapshot,
            quiet=max(now - max((span.end for span in spans), default=now), 0.0),
            paused=paused,
        )

    def _remember(self, counts: _Counts) -> _Counts:
        """The counts of about two seconds ago; these very ones at the start of a run."""
        if self._history and counts.captured < self._history[-1].captured:
            self._history.clear()  # another run
        self._history.append(counts)
        while len(self._history) > 1 and self._history[1].at <= counts.at - RECENT:
            self._history.popleft()
        return self._history[0]


def as_text(performance: Performance) -> str:
    """Return all figures as lines of text, to be pasted somewhere."""
    whole = performance.whole
    lines = [
        f"capture {performance.capture:.1f} fps, inference {performance.inference:.1f} fps, "
        f"display {performance.display:.1f} fps",
        f"stages, the last {performance.recent.seconds:.1f} s (work p50 and p95, shares of the time):",
        *(f"  {'  '.join(row)}" for row in aligned((STAGE_HEADS, *stage_rows(performance.recent)))),
        f"queues: {queues_text(whole)}",
        f"dropped: {drops_text(whole)}",
        f"age of the shown frame: {milliseconds(performance.age)}; on delivery {ages_text(whole)}",
        f"bottleneck: {performance.bottleneck}",
    ]
    return "\n".join(lines)


TIMING_HEADS = ("stage", "mean ms", "p50", "p95", "p99", "works", "waits for frames", "waits for room")


def timing_row(snapshot: MetricsSnapshot, stage: StageStats) -> tuple[str, ...]:
    """A stage's row under `TIMING_HEADS`: milliseconds of its work, and its shares of the run's time."""
    work = stage.work
    figures = (work.mean, work.p50, work.p95, work.p99)
    shares = (work.total, stage.waited, stage.room)
    return (
        stage.stage,
        *(f"{1000 * seconds:.2f}" if work.count else "–" for seconds in figures),
        *(f"{100 * snapshot.share(seconds):.0f} %" if seconds else "–" for seconds in shares),
    )


def summary_lines(snapshot: MetricsSnapshot) -> list[str]:
    """Return lines about queues, drops and ages, where there were any, and the bottleneck."""
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
    return [*facts, f"bottleneck: {bottleneck(snapshot)}"]


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


def _filling(queue: QueueStats) -> float:
    return queue.last / queue.capacity


def _short(seconds: float) -> str:
    """Milliseconds: "0.4" below ten, "18" from there."""
    milliseconds = 1000 * seconds
    return f"{milliseconds:.1f}" if milliseconds < 9.95 else f"{milliseconds:.0f}"


STAGE_HEADS = ("stage", "p50", "p95", "works", "waits")


def stage_rows(snapshot: MetricsSnapshot) -> tuple[tuple[str, ...], ...]:
    """A row a stage under `STAGE_HEADS`: its work in milliseconds, and its shares of the time."""
    return tuple(
        (
            stage.stage,
            milliseconds(stage.work.p50) if stage.work.count else "–",
            milliseconds(stage.work.p95) if stage.work.count else "–",
            f"{100 * snapshot.share(stage.work.total):.0f} %",
            f"{100 * snapshot.share(stage.waited + stage.room):.0f} %",
        )
        for stage in snapshot.stages
    )


def queues_text(snapshot: MetricsSnapshot) -> str:
    """Return the fill of each queue: "captured 1 of 1 (mean 0.4)"."""
    return ", ".join(f"{q.name} {q.last} of {q.capacity} (mean {q.mean:.1f})" for q in snapshot.queues) or "–"


def drops_text(snapshot: MetricsSnapshot) -> str:
    """Return the number of dropped frames by queue: "3 from captured since the source was opened"."""
    drops = ", ".join(f"{count} from {name}" for name, count in snapshot.drops.items())
    return f"{drops} since the source was opened" if drops else "none"


def ages_text(snapshot: MetricsSnapshot) -> str:
    """Return the percentiles of the frames' age at delivery."""
    ages = snapshot.ages
    return f"p50 {milliseconds(ages.p50)}, p95 {milliseconds(ages.p95)}" if ages.count else "–"


def aligned(rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """The cells of each column of one width: the first column flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [tuple(map(_padded, row, widths, range(len(row)))) for row in rows]


def _padded(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column else cell.ljust(width)


def milliseconds(seconds: float) -> str:
    """Three digits at most, such as "0.42 ms", "4.2 ms" or "42 ms"."""
    value = 1000 * seconds
    return f"{value:.2f} ms" if value < 1 else f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"


def _count(now: float, snapshot: MetricsSnapshot) -> _Counts:
    stages = {stage.stage: stage for stage in snapshot.stages}
    capture, forward = stages.get("capture"), stages.get("forward")
    return _Counts(
        at=now,
        # a live source is waited for, once a frame; a file is worked on
        captured=capture.waits + capture.work.count if capture else 0,
        inferred=forward.work.count if forward else 0,
        drops=dict(snapshot.drops),
    )


def _rate(count: int, seconds: float) -> float:
    return max(count, 0) / seconds if seconds > 0 else 0.0


def _dropped_since(before: _Counts, now: _Counts) -> dict[str, int]:
    return {name: count - before.drops.get(name, 0) for name, count in now.drops.items()}


def _replay(spans: Sequence[Span], dropped: dict[str, int]) -> MetricsSnapshot:
    """Return the measurements of a run that consists of these last seconds only."""
    metrics = Metrics()
    start = max((span.end for span in spans), default=0.0) - RECENT
    for span in spans:
        if span.begin >= start:
            metrics.add(span)
        elif span.end > start and span.kind != "work":  # of a long wait the part that lies in them
            metrics.add(replace(span, begin=start))
    for name, count in dropped.items():
        metrics.drop(name, count)
    return metrics.snapshot()
