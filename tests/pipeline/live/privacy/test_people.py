"""People who are not found for a while stay hidden; and no longer than needed."""

from __future__ import annotations

import numpy as np
import pytest

from model.detections import Detections
from pipeline.frame import Result
from pipeline.live.privacy.filter import PrivacyFilter
from tests.pipeline.live.scenes import SIZE, Box, changed, disc, found, inside, noise, result

HERE: Box = (500, 200, 700, 600)
THERE: Box = (1000, 300, 1100, 500)
NOBODY = found([])


class Film:
    """Frames one after the other through one filter."""

    def __init__(self) -> None:
        self.hide = PrivacyFilter()

    def show(self, detections: Detections, at: float, time: float | None = None) -> np.ndarray:
        """[H, W] bool, what is hidden. at, time: seconds, of the watcher's clock and of the film's."""
        before = result(detections, at, time)
        after = self.hide(before)
        self.last: Result = after
        return changed(before, after)

    def nobody(self, start: float, end: float, rate: float = 30.0) -> np.ndarray:
        """Frames in which nobody is found; what is hidden in the last one."""
        for at in np.arange(start, end, 1 / rate):
            gone = self.show(NOBODY, float(at))
        return gone


@pytest.fixture
def film() -> Film:
    return Film()


def share(gone: np.ndarray, box: Box) -> float:
    """Of the person in this box, how much is hidden."""
    return float(gone[disc(box).paste(*SIZE)].mean())


def test_somebody_who_is_not_found_again_stays_hidden_for_two_seconds(film: Film) -> None:
    film.show(found([HERE]), 0.0)
    assert share(film.nobody(0.1, 1.95), HERE) > 0.999
    assert not film.nobody(1.95, 2.2).any()


def test_somebody_who_comes_and_goes_is_never_seen(film: Film) -> None:
    for frame in range(120):
        gone = film.show(found([HERE]) if frame % 30 == 0 else NOBODY, frame / 30)
        assert share(gone, HERE) > 0.999


def test_what_is_held_is_in_no_detection_and_out_of_the_prototypes(film: Film) -> None:
    film.show(found([HERE]), 0.0)
    prototypes = np.random.default_rng(0).normal(size=(80, 80, 2)).astype(np.float32)
    after = film.hide(result(NOBODY, 0.5, prototypes=prototypes))
    assert len(after.detections) == 0
    assert after.inspection is not None
    same = after.inspection.prototypes[..., 0] == prototypes[..., 0]
    assert not same[26:62, 33:43].any()
    assert same[:, 60:].all()


def test_nothing_but_means_is_left_where_a_region_is_held(film: Film) -> None:
    film.show(found([HERE]), 0.0)
    film.show(NOBODY, 0.5)
    held = film.last.frame.image[224:576, 512:672]  # whole blocks of 32 pixels
    blocks = held.reshape(11, 32, 5, 32, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()


def test_a_film_that_is_stepped_through_slowly_shows_nobody(film: Film) -> None:
    film.show(found([HERE]), 0.0, time=0.0)
    for step in range(1, 20):
        assert share(film.show(NOBODY, 10.0 * step, time=step / 30), HERE) > 0.999


def test_a_jump_in_a_film_does_not_bring_anybody_to_light_at_once(film: Film) -> None:
    film.show(found([HERE]), 0.0, time=60.0)
    assert share(film.show(NOBODY, 0.1, time=0.0), HERE) > 0.999
    for step in range(1, 70):
        gone = film.show(NOBODY, 0.1 + step / 30, time=step / 30)
    assert not gone.any()


def test_with_few_frames_a_second_some_frames_are_held_at_least(film: Film) -> None:
    film.show(found([HERE]), 0.0)
    hidden = [share(film.show(NOBODY, 5.0 * frame), HERE) > 0.999 for frame in range(1, 8)]
    assert hidden == [True] * 5 + [False] * 2


def test_a_paused_picture_is_hidden_for_as_long_as_it_is_shown(film: Film) -> None:
    film.show(found([HERE]), 0.0, time=1.0)
    for again in range(20):
        assert share(film.show(NOBODY, 3.0 * again, time=1.1), HERE) > 0.999


def test_of_two_in_one_place_the_one_who_is_lost_stays_hidden(film: Film) -> None:
    beside: Box = (560, 200, 760, 600)
    film.show(found([HERE, beside]), 0.0)
    for one in (HERE, beside):
        gone = film.show(found([one]), 0.1)
        assert share(gone, HERE) > 0.999
        assert share(gone, beside) > 0.999


def test_after_a_cut_the_new_people_are_hidden_and_the_old_place_for_a_while(film: Film) -> None:
    film.show(found([HERE]), 0.0)
    gone = film.show(found([THERE]), 0.03)
    assert share(gone, HERE) > 0.999
    assert share(gone, THERE) > 0.999
    for at in np.arange(0.1, 2.5, 0.05):
        gone = film.show(found([THERE]), float(at))
    assert share(gone, HERE) == 0
    assert share(gone, THERE) > 0.999


@pytest.mark.parametrize(("right", "down"), [(12, 0), (-12, 0), (0, 6), (8, -6)])
def test_somebody_who_walked_is_hidden_where_the_walk_leads(film: Film, right: int, down: int) -> None:
    def at(frame: int) -> Box:
        return 600 + right * frame, 300 + down * frame, 680 + right * frame, 480 + down * frame

    for frame in range(10):
        film.show(found([at(frame)]), frame / 30)
    for frame in range(10, 18):
        gone = film.show(NOBODY, frame / 30)
        assert share(gone, at(frame)) > 0.999


def test_a_mask_that_shrinks_for_a_moment_uncovers_nobody(film: Film) -> None:
    whole, lower = disc(HERE), disc((520, 450, 680, 600))
    film.show(found([HERE], crops=[whole]), 0.0)
    gone = film.show(found([HERE], crops=[lower]), 0.05)
    assert share(gone, HERE) > 0.999
    assert not film.show(found([HERE], crops=[lower]), 1.0)[inside((560, 200, 640, 300))].any()


def test_frames_of_another_size_hide_who_was_lost_at_the_same_place(film: Film) -> None:
    film.show(found([HERE]), 0.0)
    half: Box = (250, 100, 350, 300)
    before = result(found([], size=(360, 640)), 0.1, image=noise((360, 640)))
    gone = changed(before, film.hide(before))
    assert gone[disc(half).paste(360, 640)].mean() > 0.999


def test_another_source_begins_with_nobody(film: Film) -> None:
    film.show(found([HERE]), 0.0)
    film.hide.reset()
    assert not film.show(NOBODY, 0.1).any()
