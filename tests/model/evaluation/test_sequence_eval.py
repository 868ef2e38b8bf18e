"""Following one object through a sequence and measuring it, on masks small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop, mask_iou, no_detections
from model.evaluation.sequence_eval import Follower, FrameFigures, measure_frame, region_similarity, summarise

HEIGHT, WIDTH = 8, 12
NAMES = ("cat", "dog")


def block(x: int, y: int, width: int, height: int) -> MaskCrop:
    return MaskCrop(x, y, np.ones((height, width), bool))


def found(*scored: tuple[float, MaskCrop]) -> Detections:
    """Detections with these scores and masks, a cat and a dog in turn."""
    scores = np.array([score for score, _ in scored], np.float32)
    return Detections(
        image_size=(HEIGHT, WIDTH),
        boxes=np.zeros((len(scored), 4), np.float32),
        scores=scores,
        classes=np.arange(len(scored)) % len(NAMES),
        class_names=NAMES,
        crops=tuple(crop for _, crop in scored),
        box_scores=scores,
    )


def truth(*blocks: MaskCrop) -> NDArray[np.bool_]:
    return np.any([np.zeros((HEIGHT, WIDTH), bool), *(b.paste(HEIGHT, WIDTH) for b in blocks)], axis=0)


NOTHING = no_detections((HEIGHT, WIDTH), NAMES)
LEFT, RIGHT = block(0, 0, 4, 4), block(8, 0, 4, 4)


@st.composite
def crops(draw: st.DrawFn) -> MaskCrop:
    """Any mask in any crop within the frame, empty ones too."""
    x, y = draw(st.integers(0, WIDTH)), draw(st.integers(0, HEIGHT))
    width, height = draw(st.integers(0, WIDTH - x)), draw(st.integers(0, HEIGHT - y))
    bits = draw(st.lists(st.booleans(), min_size=width * height, max_size=width * height))
    return MaskCrop(x, y, np.array(bits, bool).reshape(height, width))


class TestMasks:
    @given(crops(), crops())
    def test_crops_compare_as_whole_frames_do(self, a: MaskCrop, b: MaskCrop):
        whole_a, whole_b = a.paste(HEIGHT, WIDTH), b.paste(HEIGHT, WIDTH)
        union = np.count_nonzero(whole_a | whole_b)

        shared = np.count_nonzero(whole_a & whole_b)
        assert mask_iou(a, b) == pytest.approx(shared / union if union else 0)
        expected = np.count_nonzero(whole_a & whole_b) / union if union else 1
        assert region_similarity(a, whole_b) == pytest.approx(expected)

    def test_masks_whose_crops_overlap_only_where_they_are_empty_do_not_overlap(self):
        hollow = np.ones((4, 4), bool)
        hollow[1:3, 1:3] = False

        assert mask_iou(MaskCrop(0, 0, hollow), block(1, 1, 2, 2)) == 0
        assert mask_iou(block(0, 0, 4, 4), block(4, 0, 4, 4)) == 0


def at(start: MaskCrop) -> Follower:
    return Follower(start.paste(HEIGHT, WIDTH))


class TestFollower:
    def test_the_first_match_is_the_best_detection_on_the_start(self):
        assert at(LEFT).match(found((0.9, RIGHT), (0.7, LEFT), (0.8, block(1, 1, 4, 4)))) == 2
        assert at(RIGHT).match(found((0.9, RIGHT), (0.8, LEFT))) == 0

    def test_a_better_one_elsewhere_does_not_lead_away_from_the_last_match(self):
        follower = at(LEFT)
        follower.match(found((0.9, LEFT)))

        assert (
            follower.match(
                found((0.9, RIGHT), (0.8, block(3, 3, 4, 4)), (0.4, block(1, 1, 4, 4)), (0.3, LEFT))
            )
            == 2
        )

    def test_a_moving_object_is_followed_by_way_of_the_frames_between(self):
        follower = at(LEFT)

        assert [follower.match(found((0.9, block(x, 0, 4, 4)))) for x in (0, 2, 4, 6, 8)] == [0, 0, 0, 0, 0]
        assert follower.match(found((0.9, LEFT))) is None

    def test_the_last_match_stays_through_misses(self):
        follower = at(LEFT)

        assert follower.match(NOTHING) is None
        assert follower.match(found((0.9, RIGHT))) is None
        assert follower.match(found((0.9, RIGHT), (0.5, LEFT))) == 1

    def test_an_empty_mask_is_never_a_match(self):
        assert at(LEFT).match(found((0.9, block(0, 0, 0, 0)), (0.8, LEFT))) == 1

    def test_boxes_alone_cannot_be_followed(self):
        with pytest.raises(ValueError, match="boxes only"):
            at(LEFT).match(no_detections((HEIGHT, WIDTH), NAMES, with_masks=False))


class TestFrames:
    def test_a_match_is_compared_with_the_object(self):
        # 8 of 16 + 16 - 8 pixels
        figures = measure_frame(at(LEFT), found((0.5, LEFT)), truth(block(2, 0, 4, 4)))

        assert figures == FrameFigures(iou=1 / 3, missed=False, class_name="cat", score=0.5)

    def test_nothing_found_is_a_miss_that_counts_zero(self):
        assert measure_frame(at(LEFT), NOTHING, truth(LEFT)) == FrameFigures(0.0, True, None, None)

    def test_a_match_beside_the_object_counts_zero_without_being_a_miss(self):
        figures = measure_frame(at(RIGHT), found((0.5, RIGHT)), truth(LEFT))

        assert (figures.iou, figures.missed) == (0, False)

    def test_nothing_found_where_nothing_is_counts_one_and_something_found_zero(self):
        assert measure_frame(at(LEFT), NOTHING, truth()) == FrameFigures(1.0, False, None, None)
        assert measure_frame(at(LEFT), found((0.5, LEFT)), truth()).iou == 0

    def test_ground_truth_of_another_size_is_refused(self):
        with pytest.raises(ValueError, match=r"expected ground truth of shape \(8, 12\), got \(12, 8\)"):
            measure_frame(at(LEFT), NOTHING, truth().T)


class TestSummary:
    def test_figures_count_every_frame_and_recall_starts_above_a_half(self):
        frames = [FrameFigures(iou, iou == 0, None, None) for iou in (0.0, 0.5, 0.6, 0.9)]

        figures = summarise(frames)

        assert figures.mean_iou == pytest.approx(0.5)
        assert figures.median_iou == pytest.approx(0.55)
        assert (figures.recall, figures.misses, figures.frames) == (0.5, 1, 4)

    def test_the_figures_of_davis_leave_out_the_first_and_the_last_frame(self):
        frames = [FrameFigures(iou, False, None, None) for iou in (1.0, 0.4, 0.8, 0.0)]

        figures = summarise(frames)

        assert (figures.davis_mean_iou, figures.davis_recall) == (pytest.approx(0.6), 0.5)
        assert figures.mean_iou == pytest.approx(0.55)
        assert summarise(frames[:2]).davis_mean_iou is summarise(frames[:2]).davis_recall is None

    def test_a_sequence_without_frames_is_refused(self):
        with pytest.raises(ValueError, match="without frames"):
            summarise([])
