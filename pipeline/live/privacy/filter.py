"""Privacy filter: people in a result are pixelated, before anything is drawn.

A person who was never detected is not hidden, and the user has to be told so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop
from pipeline.frame import Inspection, Result
from pipeline.live.privacy.cells import Cells, Grid, without
from pipeline.live.privacy.people import People, Region, hidden_frame, region_of

_LEAST_BLOCK = 4  # prototype pixels: a single one holds K numbers, which tell more than a colour


PERSON = "person"
_HOLD = 2.0  # seconds

_NOT_LOADED = "no network looks for people yet: the whole picture is hidden"
_NO_PEOPLE = "this network does not know people: the whole picture is hidden"

Layers = dict[int, Cells]
"""Cells hidden in blocks of each level, the finest first; where layers overlap, the coarser one covers."""


class PrivacyFilter:
    """Pixelates people, and whatever of the result is finer than the blocks that are left of them.

    A person is hidden by mask and margin, by box and margin where there is no mask or hardly one; in blocks
    of which eight go into the smaller side of the box at most. Somebody who is not found any more stays
    hidden for two seconds, see `People`. One thread calls it; `reset` may come from any.
    """

    def __init__(self) -> None:
        self._people = People(_HOLD)
        self._reason = ""

    @property
    def reason(self) -> str:
        """A message about why the newest frame was hidden as a whole; empty when it was not."""
        return self._reason

    def reset(self) -> None:
        """Forget who was seen."""
        self._people = People(_HOLD)
        self._reason = ""

    def __call__(self, result: Result) -> Result:
        """The result with another frame, detections and inspection, all of them without the people in it.

        `annotated` is dropped: it was drawn on the frame as it was. The detections have to be all that there
        are, also those too weak to be drawn.
        """
        grid = Grid.of(result.frame.size)
        persons, self._reason = _persons(result.detections)
        if self._reason:
            regions = [hidden_frame(grid)]
        else:
            regions = self._people.update(result.frame, grid, _regions(result.detections, persons, grid))
        regions = [region.blocks for region in regions]
        return _hidden(result, grid, regions, dict(zip(persons, regions, strict=False)))


def _persons(detections: Detections) -> tuple[list[int], str]:
    """Return the indices of the detections that are people, or the reason why they are unknown."""
    if not detections.class_names:
        return [], _NOT_LOADED
    if PERSON not in detections.class_names:
        return [], _NO_PEOPLE
    return [i for i, name in enumerate(detections.names) if name == PERSON], ""


def _regions(detections: Detections, persons: Sequence[int], grid: Grid) -> list[Region]:
    crops = detections.crops
    return [region_of(grid, detections.boxes[i], None if crops is None else crops[i]) for i in persons]


def _hidden(result: Result, grid: Grid, regions: Sequence[Region], people: dict[int, Region]) -> Result:
    """people: the region of each detection that is a person."""
    if not regions:
        return dataclasses.replace(result, annotated=None)
    layers = _layers(grid, regions)
    image = result.frame.image.copy()
    for level, cells in layers.items():
        grid.pixelate(image, cells, level)
    return dataclasses.replace(
        result,
        frame=dataclasses.replace(result.frame, image=image),
        detections=_coarse(result.detections, grid, layers, people),
        inspection=_inspection(result.inspection, grid, layers),
        annotated=None,
    )


def _layers(grid: Grid, regions: Sequence[Region]) -> Layers:
    layers: Layers = {}
    for level in sorted({region.level for region in regions}):
        cells = [region.cells for region in regions if region.level == level]
        layers[level] = np.logical_or.reduce(cells, out=grid.empty())
    return layers


def _coarse(detections: Detections, grid: Grid, layers: Layers, people: dict[int, Region]) -> Detections:
    """The detections with masks that hold nothing finer than the blocks."""
    if detections.crops is None:
        return detections
    hidden = _union(grid, layers)
    crops: list[MaskCrop] = []
    for i, crop in enumerate(detections.crops):
        if i in people:
            coarser = {level: cells for level, cells in layers.items() if level > people[i].level}
            crops.append(grid.mask(people[i].cells & ~_union(grid, coarser)))
        else:  # things that a person holds or wears would show the shape
            crops.append(without(grid, crop, hidden))
    return dataclasses.replace(detections, crops=tuple(crops))


def _union(grid: Grid, layers: Layers) -> Cells:
    return np.logical_or.reduce([*layers.values(), grid.empty()])


def _inspection(inspection: Inspection | None, grid: Grid, layers: Layers) -> Inspection | None:
    if inspection is None:
        return None
    prototypes: NDArray[np.float32] = inspection.prototypes
    for level, cells in layers.items():
        prototypes = pixelated(prototypes, grid, cells, level)
    return dataclasses.replace(inspection, prototypes=prototypes)


def pixelated(prototypes: NDArray[np.float32], grid: Grid, cells: Cells, level: int) -> NDArray[np.float32]:
    """A copy in which each block of a region holds nothing but its mean.

    prototypes: [Hp, Wp, K] float32, which lie over the whole frame; cells, level: see `Grid.pixelate`
    """
    height, width = prototypes.shape[:2]
    rows = _block_of(height, (grid.side << level) * height / grid.height)
    columns = _block_of(width, (grid.side << level) * width / grid.width)
    sums = np.add.reduceat(prototypes, _starts(rows), axis=0, dtype=np.float64)
    sums = np.add.reduceat(sums, _starts(columns), axis=1)
    counts = np.bincount(rows)[:, None] * np.bincount(columns)[None, :]
    means = (sums / counts[..., None]).astype(np.float32)  # [blocks, blocks, K]
    hidden = _under(cells, grid, height, width)
    copy = prototypes.copy()
    y, x = np.nonzero(hidden)
    copy[y, x] = means[rows[y], columns[x]]
    return copy


def _block_of(count: int, side: float) -> NDArray[np.intp]:
    """[count], the number of the block that each prototype pixel lies in; a rest joins the last block."""
    whole = max(round(side), _LEAST_BLOCK)
    return np.minimum(np.arange(count) // whole, max(count // whole - 1, 0))


def _starts(blocks: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.flatnonzero(np.diff(blocks, prepend=-1))


def _under(cells: Cells, grid: Grid, height: int, width: int) -> NDArray[np.bool_]:
    """[height, width], the prototype pixels that any of the cells touches."""
    down = _overlap(height, cells.shape[0], grid.height / height, grid.side)  # [Hp, rows]
    across = _overlap(width, cells.shape[1], grid.width / width, grid.side)  # [Wp, columns]
    return np.asarray(down @ cells.astype(np.float32) @ across.T > 0)


def _overlap(pixels: int, cells: int, pixel: float, side: int) -> NDArray[np.float32]:
    """[pixels, cells], 1 where a prototype pixel, `pixel` frame pixels long, and a cell overlap."""
    first, cell = np.arange(pixels)[:, None] * pixel, np.arange(cells)[None, :] * side
    overlaps = (first < cell + side) & (cell < first + pixel)
    return overlaps.astype(np.float32)
