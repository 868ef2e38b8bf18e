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
_SMALLEST_SIDE = 12  # px; OpenCV's DIS takes no smaller picture
_ROOM = 0.05  # of a mask's longer side, by which it may grow or stretch between two frames

Small = NDArray[np.uint8]
Flow = NDArray[np.float32]


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
    there = -_middle_flow(flow, box * np.tile(scale, 2)) / scale
    tight = None if crop is None else crop.tight()
    if tight is None or not tight.area:
        return box + np.tile(there, 2), tight
    return box + np.tile(there, 2), _warped(tight, flow, scale, size, there)


def _middle_flow(flow: Flow, box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median flow in a box of the small picture: [2], 0 where it is empty."""
    x1, y1, x2, y2 = box
    part = flow[max(int(y1), 0) : int(np.ceil(y2)), max(int(x1), 0) : int(np.ceil(x2))].reshape(-1, 2)
    return np.median(part, axis=0).astype(np.float64) if len(part) else np.zeros(2)


def _warped(
    crop: MaskCrop, flow: Flow, scale: NDArray[np.float64], size: tuple[int, int], there: NDArray[np.float64]
) -> MaskCrop:
    """Return the mask where the flow has taken it.

    size: (height, width) of the frame; there: the mask's middle motion in pixels, x and y
    """
    left, top, right, bottom = _reach(crop, there, size)
    if right <= left or bottom <= top:
        return MaskCrop(0, 0, np.zeros((0, 0), bool))
    # the flow at each pixel of the reach: half a pixel is the centre of one
    (sx, sy), corner = scale, (np.array([left, top]) + 0.5) * scale - 0.5
    here = cv2.warpAffine(
        flow,
        np.array([[sx, 0, corner[0]], [0, sy, corner[1]]]),
        (right - left, bottom - top),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    x = here[..., 0] * np.float32(1 / sx) + np.arange(left - crop.x, right - crop.x, dtype=np.float32)
    y = (
        here[..., 1] * np.float32(1 / sy)
        + np.arange(top - crop.y, bottom - crop.y, dtype=np.float32)[:, None]
    )
    pixels = cv2.remap(crop.pixels.view(np.uint8) * np.uint8(255), x, y, cv2.INTER_LINEAR)
    return MaskCrop(left, top, pixels > 127).tight()


def _reach(crop: MaskCrop, there: NDArray[np.float64], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the box that a mask may fill at its new place: x1 y1 x2 y2, in the frame.

    It grows and moves its limbs by little. Farther away lies only ground that came to light behind it, which
    the flow takes for a part of it.
    """
    x1, y1, x2, y2 = crop.box
    room = _ROOM * max(x2 - x1, y2 - y1) + 2
    low = np.floor(np.array([x1, y1]) + there - room)
    high = np.ceil(np.array([x2, y2]) + there + room)
    left, top = np.clip(low, 0, [size[1], size[0]]).astype(int).tolist()
    right, bottom = np.clip(high, 0, [size[1], size[0]]).astype(int).tolist()
    return left, top, right, bottom
