"""Regions in which people are hidden, from frame to frame: those detected, and those lost a moment ago."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np
from numpy.typing import NDArray

from model.detections import MaskCrop
from pipeline.frame import Frame
from pipeline.live.privacy.cells import Cells, Grid, filled, in_blocks, stretched, widened
from pipeline.tracking.matching import pairs
from pipeline.tracking.overlap import box_ious

_MARGIN = 0.1  # of the smaller side of a person's box, and one cell at least
_BLOCKS_ACROSS, _BLOCKS_ALONG = 8, 18  # at most, of the smaller and the larger side of a person's box
_LEAST_OF_BOX = 0.15  # of a box that a mask must fill to be believed
_SAME = 0.3  # IoU of two boxes that are taken for the same person
_TRAIL = 0.3  # seconds that a region is kept although a new one was found: masks flicker
_MISSES = 5  # frames that a region is held at least, however slow they come
_FARTHEST = 1.5  # smaller sides of its box by which a lost person may have moved
_INERTIA = 0.5


@dataclass(frozen=True, eq=False)
class Region:
    """The hidden region of one person.

    box:   [4] float32, x1 y1 x2 y2 in frame pixels
    cells: of the frame's grid, the margin included
    level: of the blocks, see `Grid.level`
    """

    box: NDArray[np.float32]
    cells: Cells
    level: int

    @property
    def smaller_side(self) -> float:
        """Smaller side of the box, in pixels."""
        return float(min(self.box[2:] - self.box[:2]))

    @property
    def blocks(self) -> Region:
        """The region in whole blocks, as it is shown."""
        return dataclasses.replace(self, cells=in_blocks(self.cells, self.level))


def region_of(grid: Grid, box: NDArray[np.float32], crop: MaskCrop | None) -> Region:
    """Return the hidden region of a person: the mask with its margin, without holes.

    Where there is no mask, or it fills so little of its box that it cannot be the person's, the box.
    """
    if not np.isfinite(box).all():
        return hidden_frame(grid)
    sides = np.sort(box[2:] - box[:2])
    cells = grid.touched_by_box(box)
    if crop is not None and crop.area >= max(_LEAST_OF_BOX * sides.prod(), 1):
        cells = grid.touched_by(crop)
    level = grid.level(max(sides[0] / _BLOCKS_ACROSS, sides[1] / _BLOCKS_ALONG))
    return Region(box, filled(widened(cells, _margin(grid, float(sides[0])))), level)


def hidden_frame(grid: Grid) -> Region:
    """The whole frame in blocks of which hardly four go into its smaller side."""
    box = np.array([0, 0, grid.width, grid.height], np.float32)
    return Region(box, grid.all(), grid.level(min(grid.height, grid.width) / 4))


def _margin(grid: Grid, smaller_side: float) -> int:
    """Return the margin in cells."""
    return max(ceil(_MARGIN * smaller_side / grid.side), 1)


@dataclass
class _Known:
    """A person seen at `seen`, by the clock of `People`. trail: earlier regions, with their times."""

    region: Region
    seen: float
    trail: list[tuple[float, Region]] = field(default_factory=list)
    velocity: NDArray[np.float32] = field(default_factory=lambda: np.zeros(2, np.float32))
    misses: int = 0


class People:
    """The regions of people of one source, in the order of its frames.

    hold: seconds that a region stays hidden after its person was seen last. They are counted by the time
          that passes for somebody who watches, or by that of the film where this goes slower: nobody comes
          to light because a film is stepped through slowly, and nothing stays hidden after a jump in it.
    """

    def __init__(self, hold: float) -> None:
        self._hold = hold
        self._known: list[_Known] = []
        self._grid: Grid | None = None
        self._clock = 0.0
        self._frame: tuple[float, float] | None = None

    def update(self, frame: Frame, grid: Grid, present: Sequence[Region]) -> list[Region]:
        """Return the hidden regions of this frame: one for each of `present`, in order, then those held."""
        self._advance(frame)
        self._adapt(grid)
        matched = pairs(box_ious(_boxes([k.region for k in self._known]), _boxes(present)), _SAME)
        lost = [known for row, known in enumerate(self._known) if row not in matched.values()]
        now = [
            self._followed(self._known[matched[i]] if i in matched else None, region)
            for i, region in enumerate(present)
        ]
        for known in lost:
            known.misses += 1
        held = [k for k in lost if self._clock - k.seen <= self._hold or k.misses <= _MISSES]
        self._known = now + held
        return [_with_trail(known) for known in now] + [self._held(known, grid) for known in held]

    def _advance(self, frame: Frame) -> None:
        times = frame.captured_at, float(frame.time)
        if self._frame is not None:
            self._clock += min(abs(now - before) for now, before in zip(times, self._frame, strict=True))
        self._frame = times

    def _adapt(self, grid: Grid) -> None:
        """Frames of another size: everybody is where they were, as far as their boxes tell."""
        before, self._grid = self._grid, grid
        if before is None or before == grid:
            return
        scale = np.tile(np.array([grid.width / before.width, grid.height / before.height], np.float32), 2)
        self._known = [
            _Known(region_of(grid, known.region.box * scale, None), known.seen, misses=known.misses)
            for known in self._known
        ]

    def _followed(self, before: _Known | None, region: Region) -> _Known:
        if before is None:
            return _Known(region, self._clock)
        trail = [*before.trail, (before.seen, before.region)]
        velocity, elapsed = before.velocity, self._clock - before.seen
        if elapsed > 0:
            moved = _centre(region.box) - _centre(before.region.box)
            velocity = _INERTIA * velocity + (1 - _INERTIA) * moved / np.float32(elapsed)
        recent = [(time, old) for time, old in trail if self._clock - time <= _TRAIL]
        return _Known(region, self._clock, recent, velocity)

    def _held(self, known: _Known, grid: Grid) -> Region:
        """The last region, with another margin, and drawn out to where its person may have gone."""
        region = _with_trail(known)
        most = _FARTHEST * region.smaller_side
        way = (known.velocity * np.float32(self._clock - known.seen)).clip(-most, most)
        right, down = (round(float(pixels) / grid.side) for pixels in way)
        cells = stretched(widened(region.cells, _margin(grid, region.smaller_side)), right, down)
        return dataclasses.replace(region, cells=cells)


def _with_trail(known: _Known) -> Region:
    cells, level = known.region.cells, known.region.level
    for _, old in known.trail:
        cells, level = cells | old.cells, max(level, old.level)
    return dataclasses.replace(known.region, cells=cells, level=level)


def _boxes(regions: Sequence[Region]) -> NDArray[np.float32]:
    return np.array([region.box for region in regions], np.float32).reshape(-1, 4)


def _centre(box: NDArray[np.float32]) -> NDArray[np.float32]:
    return (box[:2] + box[2:]) / np.float32(2)
