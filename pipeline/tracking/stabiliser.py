"""Boxes, mask codes and classes that stay still from frame to frame, each track by itself."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.tracking.filters import blurred, doubt, followed, gain, moved, next_classes, steps

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

MEMORY = 1.0  # seconds after which a track that was not seen begins anew
_TINY = 1e-6  # in the place of a divisor of 0


@dataclass(frozen=True)
class Strength:
    """Amounts of smoothing.

    box, centre, size, code and shape are the seconds over which a measurement is forgotten to 1/e: of a box's
    edges, of a body's centre and its size, of coefficients, and of a shape. 0 leaves them as they are.

    give: how much of its own size an edge of a box may be off what was expected before it is believed at once
    sway: the same for a body's centre and size
    bend: the same for coefficients, of their norm
    dent: the same for a shape, of its range, in each place
    """

    box: float
    centre: float
    size: float
    code: float
    shape: float
    give: float
    sway: float
    bend: float
    dent: float


# measured on people before webcams and on moving objects of which the ground truth was shaken: light takes
# 30 % of the excess jitter off the latter; more costs overlap with the ground truth where shapes change
STRENGTHS: dict[str, Strength | None] = {
    "off": None,
    "light": Strength(
        box=0.16,
        centre=0.021,
        size=0.03,
        code=0.04,
        shape=0.03,
        give=0.25,
        sway=0.2,
        bend=0.2,
        dent=0.6,
    ),
    "strong": Strength(
        box=0.2,
        centre=0.025,
        size=0.04,
        code=0.1,
        shape=0.05,
        give=0.3,
        sway=0.2,
        bend=0.3,
        dent=0.4,
    ),
}


@dataclass(frozen=True, eq=False)
class Tracks:
    """N instances of one frame that belong to tracks.

    ids:        [N] int64, 0 or more, no two the same
    boxes:      [N, 4] float32, x1 y1 x2 y2 in frame pixels
    codes:      [N, K] float32, mask coefficients, or [N, h, w] float32, pictures of the masks' shapes
    scores:     [N] float32
    classes:    [N] int64
    time:       seconds, of the frame's own time stamp
    image_size: (height, width) of the frame in pixels
    bodies:     [N, 4] float32, x1 y1 x2 y2 in frame pixels: the rectangle that moves a mask along where its
                code is one relative to it (`shapes.py`), and its box with it; None where boxes only crop
                masks, as in YOLACT
    """

    ids: Ints
    boxes: Floats
    codes: Floats
    scores: Floats
    classes: Ints
    time: float
    image_size: tuple[int, int]
    bodies: Floats | None = None


class _Memory(NamedTuple):
    """The smoothed state of M tracks, by id in rising order."""

    ids: Ints  # [M]
    seen: NDArray[np.float64]  # [M] seconds
    boxes: Floats  # [M, 4] x1 y1 x2 y2 in pixels
    box_speeds: Floats  # [M, 4] the same a second
    bodies: Floats  # [M, 4] centre x, centre y in pixels, log width, log height; [M, 0] without bodies
    body_speeds: Floats  # [M, 4] the same a second
    codes: Floats  # [M, K] or [M, h, w]
    classes: Ints  # [M]
    rivals: Ints  # [M] the class that is measured instead
    evidence: Floats  # [M, 2] leaky sums of the scores for either

    def rows(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> _Memory:
        """Return a selection of the tracks."""
        return _Memory._make(np.asarray(part)[which] for part in self)

    def joined(self, other: _Memory) -> _Memory:
        """Return these tracks followed by others."""
        pairs = zip(self, other, strict=True)
        return _Memory._make(np.concatenate([np.asarray(part) for part in pair]) for pair in pairs)


class Stabiliser:
    """Smooths what one frame after the other says of each track, without looking at pictures."""

    def __init__(self, strength: Strength) -> None:
        self._strength = strength
        self._memory: _Memory | None = None

    def reset(self) -> None:
        """Forget all tracks' state."""
        self._memory = None

    def __call__(self, tracks: Tracks) -> Tracks:
        """The same rows in the same order; boxes, codes and classes are smoothed, scores are as measured.

        Frames come in their order. A track's first frame is returned as it came.
        """
        order = np.argsort(tracks.ids, kind="stable")
        fresh = _first_memory(tracks, order)
        known, now = self._known(fresh), fresh
        if known is not None:
            rows, places = known
            now = _with_rows(fresh, rows, self._next(places, fresh.rows(rows), tracks.scores[order[rows]]))
        self._remember(now, tracks.time)
        return _result(tracks, fresh, now, order)

    def _known(self, fresh: _Memory) -> tuple[Ints, _Memory] | None:
        """Return the sorted rows that continue a track, and the state of these tracks."""
        memory = self._memory
        if memory is None or not len(memory.ids) or not _alike(memory, fresh):
            return None
        at = np.searchsorted(memory.ids, fresh.ids).clip(max=len(memory.ids) - 1)
        recent = np.abs(fresh.seen - memory.seen[at]) <= MEMORY
        rows = np.flatnonzero((memory.ids[at] == fresh.ids) & recent)
        return rows, memory.rows(at[rows])

    def _remember(self, now: _Memory, time: float) -> None:
        memory = self._memory
        if memory is None or not _alike(memory, now):
            self._memory = now
            return
        other = memory.rows(~np.isin(memory.ids, now.ids) & (np.abs(time - memory.seen) <= MEMORY))
        both = now.joined(other)
        self._memory = both.rows(np.argsort(both.ids, kind="stable"))

    def _next(self, before: _Memory, measured: _Memory, scores: Floats) -> _Memory:
        """before: what is known; measured, scores: what this frame says of the same tracks."""
        step = steps(before.seen, measured.seen)
        s = self._strength
        sizes = np.tile((measured.boxes[:, 2:] - measured.boxes[:, :2]).clip(1), 2)
        give = np.asarray(s.give * sizes, np.float32)
        boxes, box_speeds = followed(
            before.boxes, before.box_speeds, measured.boxes, step, gain(step, s.box), give
        )
        bodies, body_speeds = measured.bodies, measured.body_speeds
        if bodies.shape[1]:
            gains = np.repeat(np.concatenate([gain(step, s.centre), gain(step, s.size)], axis=1), 2, axis=1)
            sizes = np.concatenate([np.exp(bodies[:, 2:]), np.ones_like(bodies[:, 2:])], axis=1)
            sway = np.asarray(s.sway * sizes, np.float32)
            bodies, body_speeds = followed(
                before.bodies, before.body_speeds, measured.bodies, step, gains, sway
            )
        codes = self._codes(before.codes, measured.codes, step)
        classes, rivals, evidence = next_classes(
            (before.classes, before.rivals, before.evidence), measured.classes, scores, step
        )
        return _Memory(
            measured.ids,
            measured.seen,
            boxes,
            box_speeds,
            bodies,
            body_speeds,
            codes,
            classes,
            rivals,
            evidence,
        )

    def _codes(self, before: Floats, measured: Floats, step: Floats) -> Floats:
        ahead = measured - before
        s = self._strength
        if measured.ndim == 3:
            steady = gain(step, s.shape)[..., None]
            surprise = blurred(ahead) / max(s.dent, _TINY)
        else:
            steady = gain(step, s.code)
            norms = np.linalg.norm(measured, axis=1, keepdims=True)
            surprise = np.linalg.norm(ahead, axis=1, keepdims=True) / np.maximum(norms * s.bend, _TINY)
        return measured - doubt(steady, surprise) * ahead


def _alike(one: _Memory, other: _Memory) -> bool:
    """Return True if both have codes and bodies of the same kind."""
    return one.codes.shape[1:] == other.codes.shape[1:] and one.bodies.shape[1:] == other.bodies.shape[1:]


def _first_memory(tracks: Tracks, order: Ints) -> _Memory:
    """Return the state of one frame alone, by id in rising order."""
    boxes = tracks.boxes[order].astype(np.float32)
    bodies = _as_places(tracks.bodies[order]) if tracks.bodies is not None else np.zeros((len(order), 0))
    scores = tracks.scores[order].astype(np.float32)
    return _Memory(
        ids=tracks.ids[order],
        seen=np.full(len(order), tracks.time),
        boxes=boxes,
        box_speeds=np.zeros_like(boxes),
        bodies=bodies.astype(np.float32),
        body_speeds=np.zeros_like(bodies, np.float32),
        codes=tracks.codes[order].astype(np.float32),
        classes=tracks.classes[order],
        rivals=tracks.classes[order],
        evidence=np.stack([scores, np.zeros_like(scores)], axis=1),
    )


def _as_places(boxes: Floats) -> Floats:
    """Corners as centre and log size: [M, 4] each."""
    sizes = (boxes[:, 2:] - boxes[:, :2]).clip(1e-3)
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, np.log(sizes)], axis=1)


def _as_corners(places: Floats) -> Floats:
    half = np.exp(places[:, 2:]) / 2
    return np.concatenate([places[:, :2] - half, places[:, :2] + half], axis=1)


def _with_rows(memory: _Memory, rows: Ints, new: _Memory) -> _Memory:
    """The same with other values in some of its rows."""
    kept = np.setdiff1d(np.arange(len(memory.ids)), rows)
    both = new.joined(memory.rows(kept))
    return both.rows(np.argsort(np.concatenate([rows, kept])))


def _result(tracks: Tracks, measured: _Memory, now: _Memory, order: Ints) -> Tracks:
    """measured, now: what the frame says, and what is made of it; order: their rows in `tracks`."""
    boxes, codes, classes = tracks.boxes.copy(), tracks.codes.copy(), tracks.classes.copy()
    bodies = tracks.bodies
    new = np.flatnonzero((now.boxes != measured.boxes).any(1))
    low, high = now.boxes[new, :2], now.boxes[new, 2:]
    boxes[order[new]] = np.concatenate([np.minimum(low, high), np.maximum(low, high)], axis=1)
    codes[order], classes[order] = now.codes, now.classes
    if tracks.bodies is not None:
        bodies = tracks.bodies.copy()
        # there and back through logarithms nothing would stay quite as it was
        new = np.flatnonzero((now.bodies != measured.bodies).any(1))
        bodies[order[new]] = _as_corners(now.bodies[new])
        boxes = moved(tracks.boxes, tracks.bodies, bodies)
    return dataclasses.replace(tracks, boxes=boxes, codes=codes, classes=classes, bodies=bodies)
