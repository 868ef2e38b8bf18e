"""The stabiliser against what it is for, known by construction: noise goes, motion stays."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.tracking.options import STABILISE_KINDS
from pipeline.tracking.stabiliser import STRENGTHS, Stabiliser, Strength, Tracks

RATE = 25.0
SIZE = (480, 640)
BOX = np.array([200.0, 100.0, 300.0, 300.0])
LIGHT, STRONG = STRENGTHS["light"], STRENGTHS["strong"]
assert LIGHT is not None
assert STRONG is not None
BOTH = pytest.mark.parametrize("strength", [LIGHT, STRONG], ids=["light", "strong"])


def tracks(
    boxes: NDArray[np.float64],
    time: float,
    ids: list[int] | None = None,
    codes: NDArray[np.float64] | None = None,
    classes: list[int] | None = None,
    bodies: NDArray[np.float64] | None = None,
    score: float = 0.8,
) -> Tracks:
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    n = len(boxes)
    return Tracks(
        ids=np.array(range(n) if ids is None else ids, np.int64),
        boxes=boxes,
        codes=np.zeros((n, 8), np.float32) if codes is None else codes.astype(np.float32),
        scores=np.full(n, score, np.float32),
        classes=np.array([0] * n if classes is None else classes, np.int64),
        time=time,
        image_size=SIZE,
        bodies=None if bodies is None else np.asarray(bodies, np.float32).reshape(-1, 4),
    )


def run(strength: Strength, boxes: NDArray[np.float64], rate: float = RATE) -> NDArray[np.float32]:
    """One track's boxes, and what bodies that are the same come out as: [T, 2, 4]."""
    cropping, moving = Stabiliser(strength), Stabiliser(strength)
    crops = [cropping(tracks(box, t / rate)).boxes[0] for t, box in enumerate(boxes)]
    bodies = [moving(tracks(box, t / rate, bodies=box)).bodies for t, box in enumerate(boxes)]
    return np.stack([np.stack([one, other[0]]) for one, other in zip(crops, bodies, strict=True)])


def noisy(frames: int, pixels: float, seed: int = 0) -> NDArray[np.float64]:
    return BOX + np.random.default_rng(seed).normal(0, pixels, (frames, 4))


def test_the_strengths_are_those_that_can_be_chosen_and_off_is_none():
    assert tuple(STRENGTHS) == STABILISE_KINDS
    assert STRENGTHS["off"] is None


@BOTH
def test_the_first_frame_of_a_track_comes_out_as_it_went_in(strength):
    given = tracks(BOX, 0.0, ids=[7], codes=np.ones((1, 8)), classes=[3], bodies=BOX + 1)
    got = Stabiliser(strength)(given)
    for field in dataclasses.fields(Tracks):
        np.testing.assert_array_equal(getattr(got, field.name), getattr(given, field.name))


def test_no_smoothing_at_all_gives_every_frame_to_the_last_bit():
    nothing = dataclasses.replace(LIGHT, box=0, centre=0, size=0, code=0, shape=0)
    stabiliser, rng = Stabiliser(nothing), np.random.default_rng(1)
    for t in range(10):
        boxes = noisy(3, 5, seed=t)
        given = tracks(boxes, t / RATE, codes=rng.normal(size=(3, 6, 6)), bodies=boxes + 0.3)
        got = stabiliser(given)
        for name in ("boxes", "bodies", "codes"):
            np.testing.assert_array_equal(getattr(got, name), getattr(given, name))


@BOTH
def test_steady_motion_without_noise_comes_out_without_lag(strength):
    speed = np.array([3.0, -1.0, 3.0, -1.0])
    truth = BOX + np.arange(100)[:, None] * speed
    error = np.abs(run(strength, truth) - truth[:, None]).max(axis=-1)
    boxes, bodies = error.T
    assert bodies[12:].max() < 0.5, "a body is followed within a few frames"
    assert boxes[75:].max() < 0.5, "a box within seconds"
    assert boxes.max() < 0.2 * 100, "meanwhile it trails by less than a fifth of its size"


@BOTH
def test_jitter_of_a_still_box_is_less_than_half_of_what_it_was(strength):
    measured = noisy(400, 2.0)
    got = run(strength, measured)[50:, 0]
    assert np.diff(got, axis=0).std() < 0.35 * np.diff(measured, axis=0).std()
    assert (got - BOX).std() < 0.6 * (measured - BOX).std()


@BOTH
def test_jitter_of_a_still_body_is_less_than_it_was(strength):
    measured = noisy(400, 2.0)
    got = run(strength, measured)[50:, 1]
    assert np.diff(got, axis=0).std() < 0.8 * np.diff(measured, axis=0).std()
    assert (got - BOX).std() < 0.9 * (measured - BOX).std()


def test_a_box_goes_where_its_body_goes():
    stabiliser, around = Stabiliser(STRONG), np.array([-10, -20, 10, 20])
    for t, body in enumerate(noisy(20, 2.0)):
        got = stabiliser(tracks(body + around, t / RATE, bodies=body))
    assert got.bodies is not None
    np.testing.assert_allclose(got.boxes[0], got.bodies[0] + around, atol=0.5)
    assert (got.boxes[0] != (body + around).astype(np.float32)).all()


def test_strong_leaves_less_jitter_than_light():
    measured = noisy(400, 2.0)
    light, strong = (np.diff(run(s, measured)[50:], axis=0).std(axis=(0, 2)) for s in (LIGHT, STRONG))
    assert (strong < light).all()


@BOTH
def test_a_leap_is_followed_at_once_and_is_not_taken_for_a_speed(strength):
    leap = np.array([150.0, 0, 150.0, 0])
    measured = np.concatenate([np.tile(BOX, (20, 1)), np.tile(BOX + leap, (20, 1))])
    error = np.abs(run(strength, measured) - measured[:, None]).max(axis=-1)
    assert error[20:].max() < 0.07 * 150
    assert error[26:].max() < 0.02 * 150


@BOTH
def test_coefficients_are_steadied_and_a_sudden_change_passes(strength):
    rng, stabiliser = np.random.default_rng(2), Stabiliser(strength)
    before, after = rng.normal(size=8), rng.normal(size=8)
    truth = np.where(np.arange(100)[:, None] < 60, before, after)
    measured = truth + rng.normal(0, 0.05, truth.shape)
    got = np.stack(
        [stabiliser(tracks(BOX, t / RATE, codes=one[None])).codes[0] for t, one in enumerate(measured)]
    )
    assert (got - truth)[10:60].std() < 0.9 * (measured - truth)[10:60].std()
    assert np.linalg.norm(got[60] - after) < 0.15 * np.linalg.norm(after - before)


@BOTH
def test_of_a_picture_what_changes_much_passes_and_the_rest_is_steadied(strength):
    rng, stabiliser = np.random.default_rng(3), Stabiliser(strength)
    truth = np.zeros((80, 20, 20))
    truth[40:, :8, :8] = 1
    measured = truth + rng.normal(0, 0.1, truth.shape)
    got = np.stack(
        [stabiliser(tracks(BOX, t / RATE, codes=one[None])).codes[0] for t, one in enumerate(measured)]
    )
    error = got - truth
    assert error[10:, 10:, 10:].std() < 0.8 * 0.1
    assert np.abs(error[40, :7, :7].mean()) < 0.1, "the part that changed is there in its first frame"


@BOTH
def test_a_class_that_flickers_stays_and_one_that_lasts_is_taken_over(strength):
    stabiliser = Stabiliser(strength)
    seen = [1] * 10 + [2, 1, 1, 3, 1, 2, 2, 1] * 4 + [2] * 40
    got = [int(stabiliser(tracks(BOX, t / RATE, classes=[c])).classes[0]) for t, c in enumerate(seen)]
    assert set(got[:42]) == {1}
    changes = np.flatnonzero(np.diff(got))
    assert len(changes) == 1
    assert got[-1] == 2
    assert changes[0] < 42 + RATE, "within a second"


def test_what_is_smoothed_depends_on_time_and_not_on_the_frame_rate():
    def slow(rate: float) -> NDArray[np.float32]:
        time = np.arange(0, 2, 1 / rate)
        return run(LIGHT, BOX + 4 * np.sin(4 * time)[:, None], rate)[:: round(rate / 25)]

    np.testing.assert_allclose(slow(25), slow(100), atol=0.8)


def test_rows_keep_their_order_and_tracks_do_not_mix():
    rng = np.random.default_rng(4)
    together, alone = Stabiliser(LIGHT), {i: Stabiliser(LIGHT) for i in range(300)}
    for t in range(6):
        ids = rng.permutation(300)[: rng.integers(0, 300)]
        boxes = BOX + ids[:, None] + rng.normal(0, 2, (len(ids), 4))
        codes = rng.normal(size=(len(ids), 8))
        got = together(tracks(boxes, t / RATE, ids=ids.tolist(), codes=codes))
        assert got.ids.tolist() == ids.tolist()
        for row, i in enumerate(ids[:20]):
            one = alone[int(i)](tracks(boxes[row], t / RATE, ids=[int(i)], codes=codes[row : row + 1]))
            np.testing.assert_allclose(got.boxes[row], one.boxes[0], rtol=1e-5)
            np.testing.assert_allclose(got.codes[row], one.codes[0], rtol=1e-4, atol=1e-5)
        for row, i in enumerate(ids[20:], start=20):
            alone[int(i)](tracks(boxes[row], t / RATE, ids=[int(i)], codes=codes[row : row + 1]))


def test_the_same_frames_give_the_same_bytes():
    measured = noisy(50, 3.0)
    assert run(LIGHT, measured).tobytes() == run(LIGHT, measured).tobytes()


def test_what_is_given_is_not_written_to():
    stabiliser = Stabiliser(LIGHT)
    for t in range(3):
        given = tracks(noisy(2, 5, seed=t), t / RATE, bodies=noisy(2, 5, seed=t))
        assert given.bodies is not None
        for part in (given.ids, given.boxes, given.codes, given.scores, given.classes, given.bodies):
            part.setflags(write=False)
        stabiliser(given)


def test_frames_without_tracks_are_no_gap_for_a_track_that_soon_returns():
    stabiliser = Stabiliser(LIGHT)
    stabiliser(tracks(BOX, 0.0, ids=[5]))
    nothing = stabiliser(tracks(np.zeros((0, 4)), 0.04, ids=[]))
    assert nothing.boxes.shape == (0, 4)
    returned = stabiliser(tracks(BOX + 5, 0.08, ids=[5])).boxes[0]
    assert ((returned > BOX) & (returned < BOX + 5)).all()


@pytest.mark.parametrize("between", [[], [0.5, 1.1]])
def test_a_track_that_returns_after_long_begins_anew(between):
    stabiliser = Stabiliser(LIGHT)
    stabiliser(tracks(BOX, 0.0, ids=[5]))
    for time in between:
        stabiliser(tracks(BOX, time, ids=[6]))
    np.testing.assert_array_equal(stabiliser(tracks(BOX + 5, 1.5, ids=[5])).boxes[0], BOX + 5)


def test_after_a_reset_every_track_begins_anew():
    stabiliser = Stabiliser(STRONG)
    stabiliser(tracks(BOX, 0.0))
    stabiliser.reset()
    np.testing.assert_array_equal(stabiliser(tracks(BOX + 5, 0.04)).boxes[0], BOX + 5)


@pytest.mark.parametrize("codes", [np.ones((1, 32)), np.ones((1, 4, 4)), np.ones((1, 0))])
def test_codes_of_another_kind_begin_anew(codes):
    stabiliser = Stabiliser(STRONG)
    stabiliser(tracks(BOX, 0.0))
    got = stabiliser(tracks(BOX + 5, 0.04, codes=codes))
    np.testing.assert_array_equal(got.codes, codes)
    np.testing.assert_array_equal(got.boxes[0], BOX + 5)


@pytest.mark.parametrize("times", [[1.0] * 20, list(np.arange(20) * -0.04)])
def test_a_time_that_does_not_advance_still_follows_what_moves(times):
    stabiliser = Stabiliser(STRONG)
    boxes = BOX + 2 * np.arange(20)[:, None]
    got = [stabiliser(tracks(box, time)).boxes[0] for box, time in zip(boxes, times, strict=True)]
    assert np.abs(got[-1] - boxes[-1]).max() < 0.1 * 100


def test_boxes_without_area_and_codes_of_nought_stay_finite_and_upright():
    stabiliser, rng = Stabiliser(STRONG), np.random.default_rng(5)
    for t in range(30):
        boxes = np.array([[50.0, 50, 50, 50], [10, 10, 10 + rng.uniform(0, 2), 11]])
        got = stabiliser(tracks(boxes, t / RATE, bodies=boxes))
        assert got.bodies is not None
        assert np.isfinite(got.boxes).all()
        assert np.isfinite(got.bodies).all()
        assert np.isfinite(got.codes).all()
        assert (got.boxes[:, 2:] >= got.boxes[:, :2]).all()
