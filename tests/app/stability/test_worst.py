"""The worst frames: which are kept, how many, and what their pictures show."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.stability.pictures import GAINED, LOST, ChangePainter
from app.stability.worst import APART, LEAST_AREA, WorstFrames, badness
from model.detections import Detections, MaskCrop, no_detections
from pipeline.frame import Frame, Result
from pipeline.stability.records import FrameScore, TrackMoment
from tests.moving_scene import HEIGHT, WIDTH, speckled

PICTURE = speckled(HEIGHT, WIDTH, 0)


def moment(jitter: float | None = None, **changes: object) -> TrackMoment:
    values: dict[str, object] = {
        "track": 0,
        "class_name": "block",
        "score": 0.9,
        "area_share": 0.1,
        "jitter": jitter,
        "boundary_jitter": jitter,
        "excess": None,
        "boundary_excess": None,
        "label": None,
        "iou": None,
        "class_changed": False,
        "replaced": None,
        "missing_before": 0,
    }
    return TrackMoment(**(values | changes))  # type: ignore[arg-type]


def score(index: int, *moments: TrackMoment, objects: int | None = None) -> FrameScore:
    return FrameScore(
        index=index,
        time=index / 25,
        compared=index > 0,
        masks=len(moments),
        empty_masks=0,
        area_share=0.1,
        jitter=None,
        boundary_jitter=None,
        excess=None,
        boundary_excess=None,
        objects=objects,
        matched=objects,
        iou=None,
        moments=moments,
    )


def result(index: int, mask: tuple[int, int, int, int] | None = (20, 20, 40, 40), track: int = 0) -> Result:
    """mask: x, y, width and height of the one instance."""
    frame = Frame(PICTURE, index, index, Fraction(1, 25), 0.0)
    if mask is None:
        return Result(frame, no_detections((HEIGHT, WIDTH), ("block",)))
    x, y, width, height = mask
    one = np.ones(1, np.float32)
    detections = Detections(
        image_size=(HEIGHT, WIDTH),
        boxes=np.array([[x, y, x + width, y + height]], np.float32),
        scores=one,
        classes=np.zeros(1, np.int64),
        class_names=("block",),
        crops=(MaskCrop(x, y, np.ones((height, width), bool)),),
        box_scores=one,
        track_ids=np.array([track]),
    )
    return Result(frame, detections)


def kept(scores: list[FrameScore], count: int) -> list[int]:
    worst = WorstFrames(count)
    for one in scores:
        worst.offer(one, result(one.index))
    return [frame.index for frame in worst]


def test_the_worst_of_many_frames_are_kept_worst_first():
    jitters = {10: 0.5, 30: 0.9, 50: 0.7}
    scores = [score(i, moment(jitters.get(i, 0.01))) for i in range(60)]

    assert kept(scores, 2) == [30, 50]
    assert kept(scores, 0) == []


def test_of_neighbours_only_the_worst_is_kept():
    jitters = [0.0, 0.1, 0.5, *[0.2] * (APART - 1), 0.6, 0.3]

    assert kept([score(i, moment(jitter)) for i, jitter in enumerate(jitters)], 3) == [APART + 2, 2]


def test_masks_that_were_gone_leave_room_for_those_that_jitter():
    scores = [
        score(i, moment(missing_before=1) if i % 10 == 5 else moment(0.2 if i % 10 == 0 else 0.0))
        for i in range(60)
    ]

    chosen = kept(scores, 4)

    assert [index % 10 for index in chosen] == [5, 5, 0, 0]


def test_the_first_frame_after_a_cut_is_never_chosen():
    assert kept([score(0, moment(0.9)), score(1)], 3) == []


def test_with_ground_truth_only_masks_of_known_objects_count():
    others = moment(0.9, track=1)
    known = moment(0.5, label=255, excess=0.2)

    worst = WorstFrames(2)
    for index in range(2):
        worst.offer(score(index, others, known, objects=1), result(index))

    assert [frame.moment for frame in worst] == [known]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (moment(0.3), 0.3),
        (moment(0.3, excess=0.1), 0.1),
        (moment(0.3, excess=-0.1), 0.0),
        (moment(None), 0.0),
        (moment(None, missing_before=2), 1.0),
        (moment(0.1, replaced=4), 1.0),
        (moment(0.4, area_share=LEAST_AREA / 2), 0.2),
    ],
)
def test_badness_is_what_the_model_is_to_blame_for(one: TrackMoment, expected: float):
    assert badness(one) == pytest.approx(expected)


def test_what_happened_is_told_in_words():
    worst = WorstFrames(1)
    changed = moment(None, missing_before=3, class_changed=True)
    for index, one in enumerate((moment(0.0), changed)):
        worst.offer(score(index, one), result(index))

    assert next(iter(worst)).what == "back after 3 frames without a mask, class becomes block"


def near(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> int:
    """How many pixels lean towards a colour: they differ from it less than from all greys."""
    blue, green, red = (int(v) for v in colour)
    wanted = np.array([blue - green, red - green])
    found = picture.astype(int)
    leaning = np.stack([found[..., 0] - found[..., 1], found[..., 2] - found[..., 1]], axis=-1)
    return int(np.count_nonzero((leaning * np.sign(wanted) > 0.4 * np.abs(wanted)).all(axis=-1)))


class TestPictures:
    @pytest.fixture(autouse=True)
    def grey_ground(self, monkeypatch: pytest.MonkeyPatch) -> None:
        grey = np.repeat(PICTURE[..., :1], 3, axis=2)
        monkeypatch.setattr(f"{__name__}.PICTURE", grey)

    def picture(self, before: Result, now: Result) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The frame before and the frame itself, as they are painted."""
        data = ChangePainter()(before, now, 0, None)
        both = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert both is not None
        half = both.shape[1] // 2
        return both[:, :half].astype(np.uint8), both[:, half:].astype(np.uint8)

    def test_a_mask_that_grows_is_marked_where_it_grew(self):
        before, now = self.picture(result(0), result(1, (20, 20, 60, 40)))

        assert near(now, GAINED) > 1000
        assert near(now, LOST) < 100
        assert near(before, GAINED) < 100

    def test_a_mask_that_shrinks_is_marked_where_it_was(self):
        _, now = self.picture(result(0, (20, 20, 60, 40)), result(1))

        assert near(now, LOST) > 500
        assert near(now, GAINED) < 100

    def test_a_mask_that_stays_is_not_marked(self):
        _, now = self.picture(result(0), result(1))

        assert near(now, LOST) + near(now, GAINED) < 100

    @pytest.mark.parametrize("mask", [None, (0, 0, WIDTH, HEIGHT), (WIDTH - 1, HEIGHT - 1, 1, 1)])
    def test_both_frames_have_one_size_whatever_there_is_to_see(self, mask: tuple[int, int, int, int] | None):
        before, now = self.picture(result(0, mask), result(1, mask))

        assert abs(before.shape[1] - now.shape[1]) <= 1
        assert before.shape[0] <= 420
