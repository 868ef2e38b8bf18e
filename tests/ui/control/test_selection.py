from model.detections import no_detections
from tests.ui.standin_session import result_of
from ui.control.selection import next_instance


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
