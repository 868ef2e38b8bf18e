import dataclasses

import numpy as np

from model.detections import Detections, MaskCrop, no_detections
from tests.ui.standin_session import result_of
from ui.selection import next_instance, point_on


def two_that_overlap() -> Detections:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 20, 10]], np.float32)
    crops = (MaskCrop(0, 0, np.ones((10, 10), bool)), MaskCrop(0, 0, np.ones((10, 20), bool)))
    scores = np.array([0.9, 0.8], np.float32)
    return Detections((10, 20), boxes, scores, np.zeros(2, np.int64), ("person",), crops, scores)


def test_instances_follow_one_another_from_left_to_right_and_round_again():
    found = result_of().detections.select([1, 0])  # the right one first

    assert [next_instance(found, None, 1), next_instance(found, 1, 1), next_instance(found, 0, 1)] == [
        1,
        0,
        1,
    ]
    assert next_instance(found, None, -1) == 0
    assert next_instance(found, 7, 1) == 1
    assert next_instance(no_detections((4, 4), ()), None, 1) is None


def test_a_point_of_an_instance_lies_on_it_and_on_no_other_where_that_is_possible():
    found = two_that_overlap()

    x, y = point_on(found, 1)
    assert x > 10
    assert 0 < y < 10
    assert point_on(found, 0)[0] < 10  # all of it lies under the other one, so any pixel has to do


def test_without_masks_the_middle_of_the_box_has_to_do():
    assert point_on(dataclasses.replace(two_that_overlap(), crops=None), 1) == (10, 5)
