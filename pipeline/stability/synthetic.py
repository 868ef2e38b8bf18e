"""Masks that are unsteady by a known amount: ground truth, shaken by seed.

So a measure of stability, and whatever makes masks steadier, can be tried on objects that a model does not
know, with nothing but the unsteadiness to tell the results apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop, no_detections

Labels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class JitterOptions:
    """Amounts of synthetic jitter, drawn anew for each frame and object; all zero: the ground truth itself.

    shift:         standard deviation of the shift, px, in x and in y
    scale:         standard deviation of the size's relative change, about the mask's centre of gravity
    boundary:      standard deviation of the boundary's displacement, px, inwards or outwards
    grain:         over how many px along the boundary that displacement stays about the same
    drop:          probability that an object has no mask in a frame, 0..1
    dropped_score: None: such a mask is left out; a score: it is there, but with this score, for a run
                   whose threshold decides
    lost:          probability that it is not found at all, whatever `dropped_score` says, 0..1
    score, score_noise: mean and standard deviation of the scores, cut to 0..1
    id_change:     probability that an object has another track id from this frame on, 0..1
    class_change:  probability that it has another class in this frame, 0..1; needs two class names
    lag:           the mask is the one of so many frames ago
    tracked:       False: without track ids, for a tracker to find
    """

    shift: float = 0.0
    scale: float = 0.0
    boundary: float = 0.0
    grain: float = 12.0
    drop: float = 0.0
    dropped_score: float | None = None
    lost: float = 0.0
    score: float = 0.9
    score_noise: float = 0.0
    id_change: float = 0.0
    class_change: float = 0.0
    lag: int = 0
    tracked: bool = True

    def __post_init__(self) -> None:
        """Raises ValueError for what can be no such amount."""
        amounts = {n: getattr(self, n) for n in ("shift", "scale", "boundary", "score_noise", "lag")}
        if wrong := {n: a for n, a in amounts.items() if not 0 <= a < math.inf}:
            raise ValueError(f"expected 0 or more, got {wrong}")
        chances = {n: getattr(self, n) for n in ("drop", "lost", "id_change", "class_change")}
        if wrong := {n: c for n, c in chances.items() if not 0 <= c <= 1}:
            raise ValueError(f"expected a probability, 0..1, got {wrong}")
        if not self.grain > 0:
            raise ValueError(f"expected a grain of more than 0 px, got {self.grain}")


STEADY = JitterOptions()


def jittered(
    truth_masks: Iterable[Labels],
    seed: int,
    options: JitterOptions = STEADY,
    class_names: tuple[str, ...] = ("object",),
) -> Iterator[Detections]:
    """Detections of each frame, made of the ground truth's masks, shaken as `options` say.

    truth_masks: [H, W] uint8 each, 0 background, one value an object. The same masks, seed and options give
    the same detections; what one option changes does not move what the others draw. An object's class is the
    first of `class_names`; its track id is its label until an `id_change`, after which ids are used once. An
    object that is shaken out of the frame has no mask. One frame's masks are held, and `lag` more.
    """
    earlier: list[Labels] = []
    ids: dict[int, int] = {}
    fresh = 256  # beyond all labels
    for frame, truth in enumerate(truth_masks):
        earlier = [*earlier, truth][-(options.lag + 1) :]
        found: list[_Shaken] = []
        for label in _labels(earlier[0]):
            rng = np.random.default_rng((seed, frame, label))
            shaken = _shake(earlier[0] == label, rng, options)
            change_id, change_class, dropped = rng.random(3) < (
                options.id_change,
                options.class_change,
                options.drop,
            )
            score = float(np.clip(options.score + options.score_noise * rng.standard_normal(), 0, 1))
            lost = rng.random() < options.lost
            if change_id:
                ids[label], fresh = fresh, fresh + 1
            if shaken is None or lost or (dropped and options.dropped_score is None):
                continue
            if dropped and options.dropped_score is not None:
                score = options.dropped_score
            number = int(change_class and len(class_names) > 1)
            found.append(_Shaken(shaken, score, number, ids.get(label, label)))
        yield _detections(found, truth.shape, class_names, options.tracked)


class JitteredTruth:
    """Ground truth, shaken, behind the interface of a predictor: give it the video's frames in their order.

    What the frames show is not looked at; the n-th frame gets the n-th of `truth_masks`. `score_threshold`
    is 0: nothing is kept back. Raises ValueError when a frame has another size than its ground truth, or when
    there are more frames than masks.
    """

    def __init__(
        self,
        truth_masks: Iterable[Labels],
        seed: int,
        options: JitterOptions = STEADY,
        class_names: tuple[str, ...] = ("object",),
    ) -> None:
        self._class_names = class_names
        self._coming = jittered(truth_masks, seed, options, class_names)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes that the detections' `classes` point to."""
        return self._class_names

    @property
    def score_threshold(self) -> float:
        """0: every mask is given."""
        return 0.0

    def __call__(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """The detections of the next frames, [H, W, 3] uint8 each."""
        return [self._next(frame.shape[:2]) for frame in frames]

    def _next(self, size: tuple[int, ...]) -> Detections:
        detections = next(self._coming, None)
        if detections is None:
            raise ValueError("the video has more frames than there are masks of ground truth")
        if detections.image_size != size:
            raise ValueError(f"expected a frame of {detections.image_size} px, as its mask, got {size}")
        return detections


@dataclass(frozen=True, eq=False)
class _Shaken:
    crop: MaskCrop
    score: float
    class_index: int
    track: int


def _labels(truth: Labels) -> list[int]:
    """The objects' values, rising."""
    return [int(v) for v in np.unique(truth) if v]


def _shake(mask: Mask, rng: np.random.Generator, options: JitterOptions) -> MaskCrop | None:
    """The mask moved, scaled and roughened; None when nothing of it is left in the frame."""
    dx, dy = options.shift * rng.standard_normal(2)
    scale = math.exp(options.scale * rng.standard_normal())
    noise = rng.integers(2**63)
    height, width = mask.shape
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    # what the mask may reach: half its growth and its shift, and four deviations of the boundary
    growth = math.ceil(max(w, h) * max(scale - 1, 0)) + math.ceil(max(abs(dx), abs(dy)))
    margin = growth + math.ceil(4 * options.boundary) + 2
    left, top = max(x - margin, 0), max(y - margin, 0)
    part = mask[top : min(y + h + margin, height), left : min(x + w + margin, width)]
    if options.shift or options.scale:
        part = _moved(part, dx, dy, scale)
    if options.boundary and part.any():
        part = _roughened(part, np.random.default_rng(noise), options)
    return MaskCrop(left, top, part.copy()) if part.any() else None


def _moved(mask: Mask, dx: float, dy: float, scale: float) -> Mask:
    rows, columns = np.nonzero(mask)
    cx, cy = columns.mean(), rows.mean()
    motion = np.array([[scale, 0, cx + dx - scale * cx], [0, scale, cy + dy - scale * cy]])
    size = mask.shape[::-1]
    return cv2.warpAffine(mask.astype(np.float32), motion, size, flags=cv2.INTER_LINEAR) >= 0.5


def _roughened(mask: Mask, rng: np.random.Generator, options: JitterOptions) -> Mask:
    """The boundary displaced by smooth noise: where the distance to it, positive inside, beats the noise."""
    # the frame's edge is no boundary of the object: repeated, it lies inside
    inside = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    reach = [cv2.distanceTransform(part, cv2.DIST_L2, 5)[1:-1, 1:-1] for part in (inside, 1 - inside)]
    distance = np.where(mask, reach[0] - 0.5, 0.5 - reach[1])
    white = rng.standard_normal(mask.shape, np.float32)
    noise = cv2.GaussianBlur(white, (0, 0), options.grain / 2, borderType=cv2.BORDER_REFLECT)
    noise = noise * (options.boundary / max(float(np.std(noise)), 1e-6))
    return np.asarray(distance + noise > 0)


def _detections(
    found: list[_Shaken], size: tuple[int, ...], class_names: tuple[str, ...], tracked: bool
) -> Detections:
    height, width = size
    if not found:
        return no_detections((height, width), class_names)
    found = sorted(found, key=lambda f: -f.score)
    scores = np.array([f.score for f in found], np.float32)
    return Detections(
        image_size=(height, width),
        boxes=np.array([_box(f.crop) for f in found], np.float32),
        scores=scores,
        classes=np.array([f.class_index for f in found], np.int64),
        class_names=class_names,
        crops=tuple(f.crop for f in found),
        box_scores=scores,
        track_ids=np.array([f.track for f in found], np.int64) if tracked else None,
    )


def _box(crop: MaskCrop) -> tuple[int, int, int, int]:
    x, y, w, h = cv2.boundingRect(crop.pixels.astype(np.uint8))
    return crop.x + x, crop.y + y, crop.x + x + w, crop.y + y + h
