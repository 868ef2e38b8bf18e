"""Results of the measure of stability: frozen records of plain numbers, for `dataclasses.asdict` and json.

The formulas stand in DEFINITIONS.md. Frames are counted from 0. A figure is None where there was nothing to
measure it on, never 0: nothing is not still. Figures that need ground truth are None without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TrackMoment:
    """One mask in one frame.

    track:           the track's id, -1 for a mask that is part of no track
    class_name:      as detected in this frame
    score:           as detected
    area_share:      the mask's pixels as a share of the frame's, 0..1
    jitter:          against this track's mask in the frame before, 0..1
    boundary_jitter: the same in the band along the boundary, 0..1
    excess:          `jitter` less that of the ground truth's object, -1..1
    boundary_excess: the same in the band along the boundary, -1..1
    label:           the ground truth's object that is assigned to this mask
    iou:             with that object, 0..1
    class_changed:   the class is another one than in the track's last frame
    replaced:        id of the track whose place this one has taken in this frame
    missing_before:  frames for which the track was missing until now, 0 where it was not
    """

    track: int
    class_name: str
    score: float
    area_share: float
    jitter: float | None
    boundary_jitter: float | None
    excess: float | None
    boundary_excess: float | None
    label: int | None
    iou: float | None
    class_changed: bool
    replaced: int | None
    missing_before: int


@dataclass(frozen=True)
class FrameScore:
    """One frame. Means are taken over the masks that have the figure.

    index:           of the frame, from 0
    time:            the frame's own, in seconds
    compared:        with the frame before; False for the first one, after a cut or a change of size
    masks:           number of masks that are not empty
    empty_masks:     number of masks without a pixel; they count as missing
    area_share:      pixels under any mask as a share of the frame's, 0..1
    jitter, boundary_jitter, excess, boundary_excess: means of the moments'
    objects:         the ground truth's objects in this frame
    matched:         how many of them have a mask, with an IoU of 0.5 or more
    iou:             mean IoU of the objects, 0 for those without a mask
    moments:         one of each mask that is not empty, in the order of the detections
    """

    index: int
    time: float
    compared: bool
    masks: int
    empty_masks: int
    area_share: float
    jitter: float | None
    boundary_jitter: float | None
    excess: float | None
    boundary_excess: float | None
    objects: int | None
    matched: int | None
    iou: float | None
    moments: tuple[TrackMoment, ...]


@dataclass(frozen=True)
class TrackScore:
    """One track, from its first frame to its last.

    track:           the track's id
    class_name:      the one it had most often
    first, last:     the frames in which it was seen first and last
    seen:            frames in which it has a mask that is not empty
    missing:         frames between `first` and `last` without one; with ground truth only those in which
                     the track's object is there
    gaps:            each run of such frames: the first one without a mask, and how many
    class_changes:   frames in which the class is another one than before
    id_changes:      frames in which this track has taken another one's place
    compared:        how many pairs of frames the means below are of
    jitter, boundary_jitter, excess, boundary_excess: means over those pairs
    worst_frame:     where its jitter (its excess, where there is ground truth) is largest
    worst_jitter:    its jitter there
    area_share:      mean share of the frame, 0..1
    labels:          the ground truth's objects that it was matched with, in order of appearance
    iou:             mean IoU with the objects assigned to it, over the frames in which there is one
    stability:       mean of 1 - jitter over its frames but the first, 0 where it is missing or has come back
    """

    track: int
    class_name: str
    first: int
    last: int
    seen: int
    missing: int
    gaps: tuple[tuple[int, int], ...]
    class_changes: tuple[int, ...]
    id_changes: tuple[int, ...]
    compared: int
    jitter: float | None
    boundary_jitter: float | None
    excess: float | None
    boundary_excess: float | None
    worst_frame: int | None
    worst_jitter: float | None
    area_share: float
    labels: tuple[int, ...]
    iou: float | None
    stability: float | None


@dataclass(frozen=True)
class ObjectScore:
    """One object of the ground truth.

    label:           its value in the ground truth
    frames:          in which it is there
    matched:         in how many of them a mask has an IoU of 0.5 or more with it
    iou:             J, the mean IoU over its frames, 0 where it has no mask
    iou_change:      mean absolute difference of the IoU between neighbouring frames
    jitter, boundary_jitter: its own, which is what motion that the flow does not explain costs
    id_changes:      frames in which it is matched by another track than before
    """

    label: int
    frames: int
    matched: int
    iou: float
    iou_change: float | None
    jitter: float | None
    boundary_jitter: float | None
    id_changes: tuple[int, ...]


@dataclass(frozen=True)
class StabilitySummary:
    """The figures of a whole video.

    stability:       the figure to quote, 0..1, more is better; None where no two frames could be compared
    basis:           "truth": it is measured against ground truth; "tracks": against the tracks alone. Figures
                     of different basis do not compare
    failed:          why there is no stability to speak of: nothing was found, or there was nothing to
                     compare; None when all is well. `stability` is then 0 or None
    frames:          how many
    compared:        how many of them were compared with the frame before
    breaks:          frames before which a new shot begins: a cut, another size, time that goes back or
                     on by more than a second
    coverage:        share of frames with a mask that is not empty, 0..1
    area_share:      mean share of the frame under any mask, 0..1
    masks:           mean number of masks a frame
    empty_masks:     number of masks without a pixel
    jitter, boundary_jitter: means over all pairs of all tracks, 0..1
    excess, boundary_excess: the same less the ground truth's own, over the pairs that have it
    missing, gaps, class_changes, id_changes: totals; with ground truth `id_changes` are the objects'
    matched:         share of the objects' frames in which a mask has an IoU of 0.5 or more with them
    iou, iou_change: J and its mean change from frame to frame: means over the objects
    truth_jitter, truth_boundary_jitter: the ground truth's own: means over all pairs of all objects
    tracks:          by id
    objects:         by label; empty without ground truth
    """

    stability: float | None
    basis: Literal["truth", "tracks"]
    failed: str | None
    frames: int
    compared: int
    breaks: tuple[int, ...]
    coverage: float
    area_share: float
    masks: float
    empty_masks: int
    jitter: float | None
    boundary_jitter: float | None
    excess: float | None
    boundary_excess: float | None
    missing: int
    gaps: int
    class_changes: int
    id_changes: int
    matched: float | None
    iou: float | None
    iou_change: float | None
    truth_jitter: float | None
    truth_boundary_jitter: float | None
    tracks: tuple[TrackScore, ...]
    objects: tuple[ObjectScore, ...]
