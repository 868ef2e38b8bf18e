"""What `calibrate` tells: scores before and after, and the thresholds that were chosen."""

from __future__ import annotations

from app.terminal import Table, percent
from model.errors import DataError
from model.evaluation.calibration import Thresholds, held_out_scores, log_loss
from model.evaluation.operating_point import operating_point, reliability
from model.evaluation.scored_matches import ScoredMatches


def score_table(before: ScoredMatches, after: ScoredMatches) -> Table:
    """Return a table of the reliability of scores, over the same detections before and after."""
    rows = [("before", *_quality(before)), ("after", *_quality(after))]
    try:
        held_out = before.with_scores(held_out_scores(before))
    except DataError:  # too few for two halves
        pass
    else:
        rows.append(("after, fitted on the other half of the images", *_quality(held_out)))
    title = f"scores of {len(before.scores)} detections, {percent(float(before.hit.mean()))} % match"
    return Table(title, ("scores", "expected calibration error, %", "log loss"), tuple(rows))


def reliability_before_and_after(before: ScoredMatches, after: ScoredMatches) -> Table:
    """The share that matches in each bin of scores."""
    pairs = zip(reliability(before, 0.0).bins, reliability(after, 0.0).bins, strict=True)
    rows = tuple(
        (
            f"{one.low:.1f} to {one.high:.1f}",
            *(cell for b in (one, two) for cell in (str(b.detections), percent(b.score), percent(b.match))),
        )
        for one, two in pairs
    )
    heads = ("detections", "mean score", "match")
    names = (f"{head} {when}" for when in ("before", "after") for head in heads)
    return Table("reliability, percent", ("score", *names), rows)


def threshold_table(matches: ScoredMatches, thresholds: Thresholds) -> Table:
    """The threshold of each class that has one of its own, and the common one of the rest."""
    point = operating_point(matches, thresholds.of(matches.names))
    rows: list[tuple[str, ...]] = []
    for name in thresholds.own:
        one = point.per_class[name]
        row = (percent(one.precision), percent(one.recall), percent(one.f1))
        rows.append((name, str(one.objects), f"{thresholds.own[name]:.3f}", *row))
    others = [one for name, one in point.per_class.items() if name not in thresholds.own]
    shown, right, objects = (
        sum(getattr(one, key) for one in others) for key in ("detections", "matches", "objects")
    )
    shares = ((right, shown), (right, objects), (2 * right, shown + objects))
    figures = tuple(percent(part / whole if whole else None) for part, whole in shares)
    rows.append((f"all {len(others)} others", str(objects), f"{thresholds.common:.3f}", *figures))
    heads = ("class", "objects", "threshold", "precision", "recall", "F1")
    return Table(f"thresholds, {matches.kind} IoU 0.5; percent", heads, tuple(rows))


def _quality(matches: ScoredMatches) -> tuple[str, str]:
    error = reliability(matches, 0.0).expected_error
    return percent(error), f"{log_loss(matches.scores, matches.hit):.4f}"
