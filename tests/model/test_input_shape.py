"""The size at which frames enter the network."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import preset
from model.input_shape import InputShape, input_shape
from tests.small_networks import FREE, SMALL

S = preset("livemask_s")  # 416 pixels


@pytest.mark.parametrize(
    ("frame", "content", "padded"),
    [
        ((720, 1280), (232, 416), (256, 416)),  # 234 exactly
        ((1080, 1920), (232, 416), (256, 416)),
        ((1280, 720), (416, 232), (416, 256)),  # a telephone
        ((480, 640), (312, 416), (320, 416)),
        ((500, 500), (416, 416), (416, 416)),
        ((1, 1), (416, 416), (416, 416)),
        ((1, 5000), (4, 416), (32, 416)),  # a panorama of one line
        ((5000, 1), (416, 4), (416, 32)),
        ((1000, 1001), (416, 416), (416, 416)),
    ],
)
def test_the_longer_side_fills_the_input_and_the_other_follows_in_steps_of_4_padded_to_32(
    frame: tuple[int, int], content: tuple[int, int], padded: tuple[int, int]
):
    assert input_shape(S, frame) == InputShape(content, padded)


@pytest.mark.parametrize("frame", [(720, 1280), (1280, 720), (1, 1), (1, 5000)])
def test_where_the_aspect_ratio_is_not_kept_every_frame_is_stretched_to_the_square(frame: tuple[int, int]):
    assert input_shape(SMALL, frame) == InputShape((64, 64), (64, 64))


@settings(deadline=None)
@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(1, 40))
def test_every_frame_fits_and_keeps_its_shape_to_within_two_pixels(height: int, width: int, steps: int):
    side = 32 * steps

    shape = input_shape(dataclasses.replace(FREE, image_size=side), (height, width))

    assert max(shape.content) == side
    exact = (height * side / max(height, width), width * side / max(height, width))
    for full, part, wanted in zip(shape.padded, shape.content, exact, strict=True):
        assert part % 4 == 0
        assert full % 32 == 0
        assert 0 <= full - part < 32
        assert abs(part - wanted) <= 2 or part == 4
