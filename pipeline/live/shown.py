"""What there is to be seen of the source that is shown; any thread may ask at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.live.showing import Showing
from pipeline.metrics.run import MetricsSnapshot, Span
from pipeline.sinks.latest import LatestSink
from pipeline.stability.pair_score import Scores

if TYPE_CHECKING:
    from pipeline.live.playing.playback import Playback


class Shown:
    """Answers from the present run; every answer is that of this moment."""

    def __init__(self, showing: Showing) -> None:
        self._showing = showing
        self._nothing = LatestSink()

    @property
    def latest(self) -> LatestSink:
        """Where the present source's results arrive; an empty one without a source."""
        run = self._showing.run
        return self._nothing if run is None else run.latest

    @property
    def playback(self) -> Playback | None:
        """Plays and pauses the present source; None for what cannot be played."""
        run = self._showing.run
        return None if run is None else run.playback

    @property
    def metrics(self) -> MetricsSnapshot | None:
        """What was measured of the present source so far."""
        run = self._showing.run
        return None if run is None else run.metrics.snapshot()

    @property
    def spans(self) -> tuple[Span, ...]:
        """The present source's newest spans."""
        run = self._showing.run
        return () if run is None else run.spans.snapshot()

    @property
    def recording(self) -> bool:
        """Whether frames are being written to files."""
        run = self._showing.run
        return run is not None and run.recording

    @property
    def hidden_reason(self) -> str:
        """Why the whole frame is hidden for the sake of privacy; "" when it is not."""
        run = self._showing.run
        return "" if run is None else run.painter.hidden_reason

    @property
    def scores(self) -> Scores | None:
        """How still both sides of a comparison are; None before that was measured."""
        run = self._showing.run
        return None if run is None else run.scorer.scores

    @property
    def scores_problem(self) -> str:
        """Why that cannot be measured, for people; "" when it can."""
        run = self._showing.run
        return "" if run is None else run.scorer.problem

    def seconds_of(self, track: int) -> float | None:
        """How long a track of the present source was seen; None where nothing is known of it."""
        run = self._showing.run
        return None if run is None else run.painter.tracks.seconds(track)
