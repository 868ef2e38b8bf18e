"""Pictures of a change: the frame before and the frame itself, with outlines, and what changed marked."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop
from pipeline.frame import Result
from pipeline.overlay.masks import outline
from pipeline.overlay.palette import BLACK, WHITE, Colour
from pipeline.overlay.text import Tag, paste
from pipeline.stability.flow import FlowEstimator, luminance
from pipeline.stability.jitter import carry
from pipeline.stability.raster import on_grid

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Window = tuple[slice, slice]

SIDE = 420  # px, the longest side of one of the two frames
LEAST = 0.25  # of the frame's longer side: what is shown around a small mask
MARGIN = 0.2  # of the mask's sides, around it
QUALITY = 88  # of the JPEG
GAP = 4  # px between the two frames
STRIPE = 3  # px at least, of the hatching, so that the marks differ by more than their colour
GAINED: Colour = (233, 180, 86)  # sky blue and vermillion: see pipeline.overlay.palette
LOST: Colour = (0, 94, 213)
STRENGTH = 0.75  # of the marks' colour


class ChangePainter:
    """Draws two neighbouring frames side by side. Not shared between threads."""

    def __init__(self) -> None:
        self._flow = FlowEstimator()

    def __call__(self, before: Result, now: Result, track: int, replaced: int | None) -> bytes:
        """The JPEG: `before` on the left, `now` on the right, cut to where the track's mask is.

        replaced: the track whose place it has taken; its mask is the one before

        On the right what the mask has gained is tinted blue and what it has lost is striped orange, each
        against the mask before, moved along with the picture by optical flow; pixels that the flow cannot
        follow are left unmarked.
        """
        crop = _crop(before.detections, track if replaced is None else replaced)
        old, new = _whole(crop, before), _whole(_crop(now.detections, track), now)
        left, right = before.frame.image.copy(), now.frame.image.copy()
        if crop is not None and new is not None and left.shape == right.shape:
            moved, known = self._moved(before, now, crop)
            _tint(right, new & ~moved & known, GAINED)
            _tint(right, moved & ~new & known & _stripes(new.shape), LOST)
        window = _window([mask for mask in (old, new) if mask is not None], right.shape[:2])
        pair = [
            _panel(left[window], old, window, f"frame {before.frame.index}"),
            _panel(right[window], new, window, f"frame {now.frame.index}"),
        ]
        gap = np.full((pair[0].shape[0], GAP, 3), WHITE, np.uint8)
        done, data = cv2.imencode(
            ".jpg", np.hstack([pair[0], gap, pair[1]]), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        )
        assert done, "a picture of a few hundred pixels can be a JPEG"
        return data.tobytes()

    def _moved(self, before: Result, now: Result, mask: MaskCrop) -> tuple[Mask, Mask]:
        """The mask of the frame before where the flow takes it, and where the flow is known: [H, W] each."""
        found = self._flow(luminance(before.frame.image), luminance(now.frame.image))
        grid, size = found.known.shape, now.frame.size
        carried = carry(on_grid(mask, before.frame.size, grid), found).paste(*grid)
        moved, known = (
            cv2.resize(part.view(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST) > 0
            for part in (carried, found.known)
        )
        return moved, known


def _crop(detections: Detections, track: int) -> MaskCrop | None:
    """The mask of a track; None where it has none."""
    if detections.track_ids is None or detections.crops is None:
        return None
    places = np.flatnonzero(detections.track_ids == track)
    return detections.crops[places[0]] if len(places) else None


def _whole(crop: MaskCrop | None, result: Result) -> Mask | None:
    """The mask on its frame, [H, W]."""
    return None if crop is None else crop.paste(*result.frame.size)


def _tint(canvas: Picture, where: Mask, colour: Colour) -> None:
    canvas[where] = ((1 - STRENGTH) * canvas[where] + STRENGTH * np.array(colour)).astype(np.uint8)


def _stripes(shape: tuple[int, ...]) -> Mask:
    rows, columns = np.indices(shape, sparse=True)
    width = max(STRIPE, max(shape) // 200)  # still there once a large frame is made smaller
    return np.asarray((rows + columns) // width % 2 == 0)


def _window(masks: list[Mask], size: tuple[int, int]) -> Window:
    """Return the part of the frame to show: the masks with room around them, a square where it fits."""
    if not masks:
        return np.s_[0 : size[0], 0 : size[1]]
    x, y, width, height = cv2.boundingRect(np.logical_or.reduce(masks).view(np.uint8))
    side = max(round(max(width, height) * (1 + 2 * MARGIN)), round(LEAST * max(size)))
    rows, columns = _reach(y + height / 2, side, size[0]), _reach(x + width / 2, side, size[1])
    return rows, columns


def _reach(middle: float, length: int, whole: int) -> slice:
    """Return a range of `length` about `middle`, moved and cut so that it lies within 0 to `whole`."""
    length = min(length, whole)
    start = min(max(round(middle - length / 2), 0), whole - length)
    return slice(start, start + length)


def _panel(view: Picture, mask: Mask | None, window: Window, text: str) -> Picture:
    """One frame's part, brought to `SIDE`, with the outline of the mask and the frame's number."""
    height, width = view.shape[:2]
    scale = SIDE / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    filter_ = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    panel: Picture = np.ascontiguousarray(cv2.resize(view, size, interpolation=filter_), np.uint8)
    if mask is not None:
        part = cv2.resize(mask[window].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        # a dark rim around a light one shows on any ground
        outline(panel, MaskCrop(0, 0, part), BLACK, 3)
        outline(panel, MaskCrop(0, 0, part), WHITE, 2)
    paste(panel, Tag((text,), 15, BLACK), 0, 0)
    return panel
