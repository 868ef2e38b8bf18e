"""What every kind of source has to do (`pipeline.sources.base.Source`)."""

from __future__ import annotations

import threading
from contextlib import closing
from itertools import islice
from time import monotonic

import numpy as np
import pytest

from pipeline.sources import SOURCES
from tests.pipeline.sources.every_source import CASES, FRAMES, SIZE

AT_ONCE = 5.0  # seconds; a second is what is asked for, the rest is for a busy machine

pytestmark = pytest.mark.usefixtures("no_proxy")


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def opener(case, tmp_path):
    """Opens a new source of the kind."""
    with case.ready(tmp_path) as opener:
        yield opener


def test_every_kind_of_source_is_tested_here():
    assert {case.kind for case in CASES.values()} == set(SOURCES)


def test_frames_are_counted_from_0_and_their_stamps_grow(opener, case):
    with closing(opener()) as source:
        frames = list(islice(iter(source.read, None), FRAMES))

    indices, stamps = [frame.index for frame in frames], [frame.time for frame in frames]
    assert len(frames) == FRAMES
    # a live source may have a newer frame by the time that it is read first
    assert indices[0] == 0 or source.info.live
    assert indices == sorted(set(indices))
    assert indices == list(range(FRAMES)) or source.info.live
    assert stamps == sorted(set(stamps))
    assert len({frame.time_base for frame in frames}) == 1


def test_pictures_are_contiguous_bgr_of_the_size_that_is_told(opener):
    with closing(opener()) as source:
        frames = list(islice(iter(source.read, None), 3))

    assert (source.info.width, source.info.height) == SIZE
    for frame in frames:
        assert frame.image.shape == (SIZE[1], SIZE[0], 3)
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous


def test_frames_are_captured_in_their_order_and_after_the_opening(opener):
    moments = [monotonic()]
    with closing(opener()) as source:
        moments += [frame.captured_at for frame in islice(iter(source.read, None), 5)]
    moments.append(monotonic())

    assert moments == sorted(moments)


def test_the_end_is_none_and_stays_none(opener, case):
    if not case.ends:
        pytest.skip("it has no end")
    with closing(opener()) as source:
        assert len(list(iter(source.read, None))) == FRAMES
        assert source.read() is None
        assert source.read() is None


def test_closing_twice_does_no_harm_and_there_is_nothing_to_read_after_it(opener):
    source = opener()
    assert source.read() is not None
    source.close()
    source.close()

    assert source.read() is None
    assert source.info.name


def test_a_source_that_nobody_reads_can_be_closed(opener):
    opener().close()


def test_interrupted_before_it_is_read_a_source_gives_nothing(opener):
    with closing(opener()) as source:
        source.interrupt()

        assert source.read() is None
        assert source.read() is None


def test_interrupting_from_another_thread_ends_the_reading(opener):
    begun = monotonic()
    with closing(opener()) as source:
        timer = threading.Timer(0.1, source.interrupt)
        timer.start()
        while source.read() is not None:
            pass
        timer.join()

    assert monotonic() - begun < AT_ONCE


def test_warnings_are_sentences_told_once(opener):
    with closing(opener()) as source:
        list(islice(iter(source.read, None), FRAMES))
        warnings = source.warnings

    assert all(isinstance(warning, str) and "\n" not in warning for warning in warnings)
    assert len(set(warnings)) == len(warnings)
