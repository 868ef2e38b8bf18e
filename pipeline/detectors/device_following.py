"""Tracking of instances that a GPU found: what is compared comes to the host, and what changed goes back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.detection.masks import crop_bounds, in_place, inside
from model.detection.postprocessing import Found, without_empty_places
from model.detection.raw_outputs import RawOutputs
from pipeline.frame import Frame
from pipeline.tracking.following import CELLS, FoundFollower, sides_of
from pipeline.tracking.stage import Instances


class DeviceFollower:
    """Tracks the output of `model.detection.postprocessing.suppress`, before masks are made of it."""

    def __init__(self, follower: FoundFollower) -> None:
        """follower: whose tracks go on."""
        self._stage = follower.stage
        self.widened = follower.widened
        self.change = follower.change

    @torch.no_grad()
    def __call__(
        self, found: Found, raw: RawOutputs, thresholds: Sequence[float], frames: Sequence[Frame]
    ) -> Found:
        """The same places with `track_ids`, other boxes, classes and coefficients too if smoothed.

        found:      by `suppress` with the options that `widened` gives
        raw:        what it was found in; its prototypes stay what they are
        thresholds: one a class; what scores no more and continues no track is dropped
        frames:     B, the next ones of the run

        On a GPU the host waits.
        """
        places = _places(found.valid)
        seen = _Download(found, raw, places)
        starts = np.asarray(thresholds, np.float32)
        ids = np.full((len(frames), places), -1, np.int64)
        stays = np.zeros((len(frames), places), dtype=bool)
        for image, frame in enumerate(frames):
            rows = seen.valid[image]
            ids[image, rows], stays[image, rows], then = self._stage(
                frame, seen.instances(image, frame), starts[seen.classes[image, rows]]
            )
            seen.put(image, frame, then)
        found = _with_places(found, "valid", stays)
        found = found._replace(track_ids=_filled(torch.full_like(found.classes, -1), ids))
        if not self._stage.changes:
            return found
        found = _with_places(found, "boxes", seen.boxes)
        found = _with_places(found, "classes", seen.classes)
        if found.coefficients is not None:
            found = _with_places(found, "coefficients", seen.codes)
        return without_empty_places(found)


class _Download:
    """The first P places of each image on the host, in arrays of their own. On a GPU it is waited for."""

    def __init__(self, found: Found, raw: RawOutputs, places: int) -> None:
        self.valid = found.valid[:, :places].cpu().numpy()  # [B, P]
        self.boxes = found.boxes[:, :places].cpu().numpy().copy()  # [B, P, 4] relative
        self.classes = found.classes[:, :places].cpu().numpy().copy()  # [B, P]
        self._scores = found.scores[:, :places].cpu().numpy()  # [B, P]
        self.codes = np.zeros((*self.valid.shape, 0), np.float32)  # [B, P, K]
        self._masks: NDArray[np.bool_] | None = None
        if found.coefficients is not None and raw.prototypes is not None:
            codes = found.coefficients[:, :places]
            self.codes = codes.cpu().numpy().copy()
            self._masks = _coarse(raw.prototypes, codes, found.boxes[:, :places]).cpu().numpy()

    def instances(self, image: int, frame: Frame) -> Instances:
        """Return the instances of one image."""
        rows = self.valid[image]
        return Instances(
            self.boxes[image, rows] * sides_of(frame),
            self._scores[image, rows],
            self.classes[image, rows],
            self.codes[image, rows],
            None if self._masks is None else self._masks[image, rows],
        )

    def put(self, image: int, frame: Frame, instances: Instances) -> None:
        """Replace the instances of one image."""
        rows = self.valid[image]
        self.boxes[image, rows] = instances.boxes / sides_of(frame)
        self.classes[image, rows] = instances.classes
        self.codes[image, rows] = instances.codes


def _places(valid: Tensor) -> int:
    """Return the number of leading places of [B, D] that are in use. On a GPU the host waits."""
    used = np.flatnonzero(valid.cpu().numpy().any(0))
    return int(used[-1]) + 1 if len(used) else 0


def _coarse(prototypes: Tensor, coefficients: Tensor, boxes: Tensor) -> Tensor:
    """The masks that [B, Hp, Wp, K] and [B, P, K] make, cropped to the boxes [B, P, 4]: [B, P, h, w] bool."""
    prototypes, coefficients = in_place(prototypes, coefficients, boxes)
    step = -(-max(prototypes.shape[1:3]) // CELLS)
    thinned = prototypes[:, step // 2 :: step, step // 2 :: step]
    height, width = thinned.shape[1:3]
    # [B, P, K] x [B, K, h·w] -> [B, P, h·w]; a probability over a half is a sum over 0
    sums = coefficients @ thinned.flatten(1, 2).transpose(1, 2)
    masks = (sums > 0).unflatten(-1, (height, width))
    return masks & inside(crop_bounds(boxes, height, width), height, width)


def _with_places(found: Found, name: str, values: NDArray[np.generic]) -> Found:
    """One part of what was found with new values, [B, P, ...], in its first places; others are empty."""
    return found._replace(**{name: _filled(getattr(found, name).clone(), values)})


def _filled(part: Tensor, values: NDArray[np.generic]) -> Tensor:
    part[:, : values.shape[1]] = torch.from_numpy(values).to(part.device)
    return part
