import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ui.live_window import in_view
from ui.view.geometry import MOST_ZOOM, ViewGeometry

SIDES = st.tuples(st.floats(10, 4000), st.floats(10, 4000))
FRAMES = st.tuples(st.integers(1, 8000), st.integers(1, 8000))


def test_a_frame_fills_the_view_as_far_as_its_aspect_allows():
    wide, high = ViewGeometry((800, 600), (1600, 900)), ViewGeometry((800, 600), (300, 600))

    assert wide.target == pytest.approx((0, 75, 800, 450))
    assert high.target == pytest.approx((250, 0, 300, 600))


def test_beside_the_frame_is_no_point_of_it():
    geometry = ViewGeometry((800, 600), (1600, 900))

    assert geometry.to_frame(400, 300) == pytest.approx((800, 450))
    assert geometry.to_frame(400, 74) is None
    assert geometry.to_frame(400, 526) is None


def test_without_a_frame_nothing_is_shown_and_nothing_is_hit():
    empty = ViewGeometry((800, 600), (0, 0))

    assert empty.scale == 0
    assert empty.to_frame(400, 300) is None
    assert empty.zoomed(2, 10, 10).panned(5, 5).to_frame(400, 300) is None


@pytest.mark.parametrize("at", [(400, 300), (300, 200), (520, 333.3)])
@pytest.mark.parametrize("factor", [1.25, 2, 7])
def test_zooming_leaves_what_is_under_the_cursor_there(at, factor):
    geometry = ViewGeometry((800, 600), (1600, 1200)).zoomed(2, 400, 300)

    closer = geometry.zoomed(factor, *at)

    assert closer.to_frame(*at) == pytest.approx(geometry.to_frame(*at))
    assert closer.scale == pytest.approx(geometry.scale * factor)


@given(SIDES, FRAMES, st.lists(st.tuples(st.floats(0.2, 5), st.floats(-2000, 2000), st.floats(-2000, 2000))))
def test_however_it_is_zoomed_and_moved_a_large_frame_leaves_no_gap_and_a_small_one_is_in_the_middle(
    view, frame, moves
):
    geometry = ViewGeometry(view, frame)
    for factor, dx, dy in moves:
        geometry = geometry.zoomed(factor, view[0] / 3, view[1] / 3).panned(dx, dy)
    x, y, width, height = geometry.target

    assert 1 <= geometry.zoom <= MOST_ZOOM
    for start, extent, room in ((x, width, view[0]), (y, height, view[1])):
        if extent >= room:
            assert start <= 1e-6 * extent
            assert start + extent >= room - 1e-6 * extent
        else:
            assert start == pytest.approx((room - extent) / 2, abs=1e-6 * room)


def test_view_and_frame_coordinates_are_each_others_inverse():
    geometry = ViewGeometry((640, 480), (1920, 1080)).zoomed(3.7, 500, 200).panned(-40, 12)
    point = geometry.to_frame(123, 234)

    assert point is not None
    assert in_view(geometry, *point) == pytest.approx((123, 234))


def test_another_size_of_the_same_shape_is_looked_at_in_the_same_way():
    closer = ViewGeometry((640, 480), (640, 480)).zoomed(4, 100, 100)

    larger = closer.fitted((640, 480), (1280, 960))

    assert (larger.zoom, larger.centre) == (closer.zoom, closer.centre)
    assert closer.fitted((640, 480), (480, 640)) == ViewGeometry((640, 480), (480, 640))


@pytest.mark.parametrize(
    ("frame", "aspect", "target"),
    [
        ((720, 576), 64 / 45, (0, 75, 800, 450)),  # a wide DVD
        ((720, 576), 16 / 15, (0, 0, 800, 600)),
        ((1600, 1800), 0.5, (266.667, 0, 266.667, 600)),
    ],
)
def test_a_frame_is_shown_in_the_shape_of_its_pixels(frame, aspect, target):
    geometry = ViewGeometry((800, 600), frame, aspect=aspect)

    assert geometry.target == pytest.approx(target, abs=0.01)
    middle = frame[0] / 2, frame[1] / 2
    assert geometry.to_frame(400, 300) == pytest.approx(middle)
    assert geometry.zoomed(3, 400, 200).to_frame(400, 200) == pytest.approx(geometry.to_frame(400, 200))
    assert in_view(geometry, *middle) == pytest.approx((400, 300))
    assert geometry.zoomed(3, 10, 10).whole() == geometry


def test_another_shape_of_pixels_begins_anew_and_the_same_one_stays():
    near = ViewGeometry((800, 600), (720, 576), aspect=64 / 45).zoomed(4, 100, 100)

    assert near.fitted((800, 600), (720, 576), 16 / 15).zoom == 1
    assert near.fitted((400, 300), (720, 576)).zoom == near.zoom
    assert near.fitted((400, 300), (720, 576)).aspect == 64 / 45
