"""Moves detections from one frame to a later one by optical flow on a small picture.

YolactEdge (Liu et al., arXiv:2012.12259) carries features from key frames to those between; here finished
detections are carried, so that it works with every network. The flow is DIS (Kroeger et al., ECCV 2016).
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop

LONGEST_SIDE = 256
"""px of the small picture that the flow is found on."""
FEWEST_CELLS = 12
"""Cells of the small picture from which on a mask's motion is told by the mask, and not by its box."""

_SMALLEST_SIDE = 12  # px; OpenCV's DIS takes no smaller picture
_OUTLIER = 2.5  # times the median deviation

Small = NDArray[np.uint8]
Flow = NDArray[np.float32]
Affine = NDArray[np.float64]


class FlowOnSmall:
    """Finds the flow between small pictures. Not shared between threads."""

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._dis.setFinestScale(1)

    def __call__(self, before: Small, now: Small) -> Flow:
        """Return where each pixel of a picture lies in one before, relative to itself: [h, w, 2] px, x and y.

        before, now: [h, w] uint8 of one size, as `small_picture` makes them
        """
        if min(now.shape) < _SMALLEST_SIDE:
            return np.zeros((*now.shape, 2), np.float32)
        return np.asarray(self._dis.calc(now, before, None), np.float32)  # type: ignore[call-overload, unused-ignore]


def small_picture(image: NDArray[np.uint8]) -> Small:
    """Return a grey picture [h, w] uint8 of at most `LONGEST_SIDE` px for a frame [H, W, 3] uint8 BGR."""
    height, width = image.shape[:2]
    scale = min(LONGEST_SIDE / max(height, width), 1.0)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = image if scale == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)


def change(before: Small, now: Small, flow: Flow) -> float:
    """Return what the flow leaves unexplained: the mean difference in grey levels, 0..255."""
    height, width = now.shape
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    moved = cv2.remap(before, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return float(cv2.mean(cv2.absdiff(moved, now))[0])


def move(detections: Detections, flow: Flow) -> Detections:
    """Return the detections where the flow has taken them; classes, scores and track ids stay.

    flow: as `FlowOnSmall` gives it, from the present frame to the one of the detections. A mask goes along by
    the affine motion of its pixels, a box by that of its mask, or by its middle motion where there is no
    mask.
    """
    if not len(detections):
        return detections
    height, width = detections.image_size
    scale = np.array([flow.shape[1] / width, flow.shape[0] / height])
    crops = detections.crops
    moved = [
        _moved(box, None if crops is None else crops[row], flow, scale, (height, width))
        for row, box in enumerate(detections.boxes.astype(np.float64))
    ]
    boxes = np.clip([box for box, _ in moved], 0, [width, height, width, height]).astype(np.float32)
    masks = None if crops is None else tuple(crop for _, crop in moved if crop is not None)
    return dataclasses.replace(detections, boxes=boxes, crops=masks)


def _moved(
    box: NDArray[np.float64],
    crop: MaskCrop | None,
    flow: Flow,
    scale: NDArray[np.float64],
    size: tuple[int, int],
) -> tuple[NDArray[np.float64], MaskCrop | None]:
    """Return a box and its mask at their new place. scale: of the flow's picture to the frame, x and y."""
    tight = None if crop is None else crop.tight()
    cells = None if tight is None or not tight.area else _cells_of(tight, flow.shape[:2], scale)
    if tight is None or cells is None or len(cells) < FEWEST_CELLS:
        there = -_middle_flow(flow, box * np.tile(scale, 2)) / scale
        shifted = None if tight is None else _shifted(tight, there, size)
        return box + np.tile(there, 2), shifted
    back = _affine(flow, cells, scale)
    now = _warped(tight, back, size)
    if not now.area:
        return box + np.tile(-back[:, 2], 2), now
    return box + np.subtract(now.box, tight.box), now


def _cells_of(crop: MaskCrop, grid: tuple[int, ...], scale: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the pixels of the small picture whose centres lie in a mask: [n, 2], x and y."""
    x1, y1, x2, y2 = crop.box
    columns = np.arange(max(int(x1 * scale[0]), 0), min(int(x2 * scale[0]) + 1, grid[1]))
    rows = np.arange(max(int(y1 * scale[1]), 0), min(int(y2 * scale[1]) + 1, grid[0]))
    at_x = ((columns + 0.5) / scale[0] - x1).astype(np.int64)
    at_y = ((rows + 0.5) / scale[1] - y1).astype(np.int64)
    columns, at_x = columns[(at_x >= 0) & (at_x < x2 - x1)], at_x[(at_x >= 0) & (at_x < x2 - x1)]
    rows, at_y = rows[(at_y >= 0) & (at_y < y2 - y1)], at_y[(at_y >= 0) & (at_y < y2 - y1)]
    y, x = np.nonzero(crop.pixels[at_y[:, None], at_x])
    return np.stack([columns[x], rows[y]], axis=1)


def _middle_flow(flow: Flow, box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median flow in a box of the small picture: [2], 0 where it is empty."""
    x1, y1, x2, y2 = box
    part = flow[max(int(y1), 0) : int(np.ceil(y2)), max(int(x1), 0) : int(np.ceil(x2))].reshape(-1, 2)
    return np.median(part, axis=0).astype(np.float64) if len(part) else np.zeros(2)


def _affine(flow: Flow, cells: NDArray[np.int64], scale: NDArray[np.float64]) -> Affine:
    """Return the affine map of frame pixels to where they were, [2, 3], by least squares over a mask's cells.

    The flow is read where the cells are now, and what deviates from it most is left out in a second pass.
    """
    there = np.rint(np.median(flow[cells[:, 1], cells[:, 0]], axis=0)).astype(np.int64)
    now = np.clip(cells - there, 0, [flow.shape[1] - 1, flow.shape[0] - 1])
    places = (now + 0.5) / scale - 0.5  # of pixel centres in the frame
    sources = places + flow[now[:, 1], now[:, 0]] / scale
    centre = places.mean(axis=0)
    terms = np.column_stack([places - centre, np.ones(len(places))])
    fitted = _least_squares(terms, sources)
    off = np.abs(terms @ fitted - sources).sum(axis=1)
    near = off <= _OUTLIER * max(float(np.median(off)), 0.25)
    if FEWEST_CELLS <= np.count_nonzero(near) < len(near):
        fitted = _least_squares(terms[near], sources[near])
    turn = fitted[:2].T
    return np.column_stack([turn, fitted[2] - turn @ centre])


def _least_squares(terms: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    # a little weight on "as it was" keeps thin masks from being turned inside out
    square = terms.T @ terms + np.diag([1.0, 1.0, 0.0])
    return np.asarray(np.linalg.solve(square, terms.T @ targets + np.eye(3)[:, :2]), np.float64)


def _warped(crop: MaskCrop, back: Affine, size: tuple[int, int]) -> MaskCrop:
    """Return the mask that was at `back` of each pixel; size: (height, width) of the frame."""
    forth = cv2.invertAffineTransform(back)
    x1, y1, x2, y2 = crop.box
    corners = np.array([[x1, y1], [x2, y1], [x1, y2], [x2, y2]]) @ forth[:, :2].T + forth[:, 2]
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, [size[1], size[0]])
    if right <= left or bottom <= top:
        return MaskCrop(0, 0, np.zeros((0, 0), bool))
    local = back.copy()
    local[:, 2] += back[:, :2] @ [left, top] - [x1, y1]
    pixels = cv2.warpAffine(
        crop.pixels.view(np.uint8) * np.uint8(255),
        local,
        (int(right - left), int(bottom - top)),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    return MaskCrop(int(left), int(top), pixels > 127).tight()


def _shifted(crop: MaskCrop, by: NDArray[np.float64], size: tuple[int, int]) -> MaskCrop:
    x, y = (int(v) for v in np.rint(by))
    whole = MaskCrop(crop.x + x, crop.y + y, crop.pixels)
    left, top = max(-whole.x, 0), max(-whole.y, 0)
    pixels = crop.pixels[top : max(size[0] - whole.y, 0), left : max(size[1] - whole.x, 0)]
    return MaskCrop(min(max(whole.x, 0), size[1]), min(max(whole.y, 0), size[0]), pixels)
