"""COCO's compressed run-length code, taken apart: against pycocotools, which can only put it together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from pipeline.sinks.tracks.youtube_vis import runs_of


@given(st.lists(st.integers(0, 2**22), min_size=1, max_size=40))
def test_any_lengths_come_back(lengths: list[int]) -> None:
    size = [1, sum(lengths)]
    code = coco_mask.frPyObjects({"counts": lengths, "size": size}, *size)["counts"]
    assert runs_of(code.decode()) == lengths


def test_no_letters_are_no_runs() -> None:
    assert runs_of("") == []
