"""The demo video, and the exact masks that its script knows."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from assets.make_demo_video import FPS, FRAMES, HEIGHT, SAMPLE_RATE, SHOTS, VIDEO, WIDTH, cut_out, scene
from tests.source_tree import ROOT

LARGEST_FILE = 3_000_000  # bytes


@pytest.fixture(scope="module")
def frames() -> list[NDArray[np.uint8]]:
    with av.open(str(VIDEO)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def share(mask: NDArray[np.bool_]) -> float:
    return float(mask.mean())


def test_it_is_small_short_and_has_sound() -> None:
    assert VIDEO.stat().st_size < LARGEST_FILE
    with av.open(str(VIDEO)) as container:
        (video,), (sound,) = container.streams.video, container.streams.audio
        assert (video.width, video.height, video.average_rate, video.frames) == (WIDTH, HEIGHT, FPS, FRAMES)
        assert (sound.rate, sound.channels) == (SAMPLE_RATE, 2)
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert samples.shape[1] / SAMPLE_RATE == pytest.approx(FRAMES / FPS, abs=0.05)
    assert 0.005 < np.abs(samples).mean() < 0.1  # quiet, but not silent
    assert np.abs(samples[0] - samples[1]).max() > 0.005  # stereo


@pytest.mark.parametrize("index", [0, 37, 75, 149, 170, 210, 250, 290, 349])
def test_the_video_shows_what_the_script_computes(frames: list[NDArray[np.uint8]], index: int) -> None:
    image, _ = scene(index)
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(frames[index].astype(int) - image).mean() < 5
    other, _ = scene((index + 25) % FRAMES)
    assert np.abs(frames[index].astype(int) - other).mean() > 5


def test_a_frame_is_the_same_whenever_it_is_computed() -> None:
    first, masks = scene(60)
    cut_out.cache_clear()
    second, again = scene(60)
    assert np.array_equal(first, second)
    assert all(np.array_equal(masks[name], again[name]) for name in masks)


def test_every_pixel_belongs_to_one_person_at_most() -> None:
    for index in range(0, FRAMES, 10):
        masks = scene(index)[1].values()
        assert all(mask.shape == (HEIGHT, WIDTH) and mask.dtype == bool for mask in masks)
        assert not any((a & b).any() for a, b in combinations(masks, 2))


def test_people_move_hide_one_another_leave_and_enter() -> None:
    starts = np.cumsum([0, *(shot.frames for shot in SHOTS[:3])])
    meeting, leaving, entering = ((scene(int(a))[1], scene(int(b) - 1)[1]) for a, b in pairwise(starts))
    assert share(meeting[1]["hopper"]) < 0.95 * share(meeting[0]["hopper"])
    assert share(leaving[1]["hopper"]) < 0.8 * share(leaving[0]["hopper"])
    assert share(entering[0]["hopper"]) == 0
    assert share(entering[1]["hopper"]) > 0.1


@pytest.mark.parametrize("index", [-1, FRAMES])
def test_a_frame_that_is_not_there_is_refused(index: int) -> None:
    with pytest.raises(IndexError, match=f"there are {FRAMES} frames"):
        scene(index)


def test_its_credits_tell_what_it_is_made_of() -> None:
    credits_ = (ROOT / "assets" / "CREDITS.md").read_text(encoding="utf-8")
    used = {f"{shot.background}.jpg" for shot in SHOTS}
    assert all(f"`{name}`" in credits_.partition("`demo.mp4`")[2] for name in used)
    assert all(Path(ROOT, "assets", "photos", name).is_file() for name in used)


@pytest.mark.slow
def test_the_shipped_weights_find_the_people_in_it() -> None:
    from model import load_predictor

    predictor = load_predictor(device="cpu")
    overlaps = []
    for index in range(0, FRAMES, 7):
        image, masks = scene(index)
        found = predictor(image).masks
        for mask in masks.values():
            if share(mask) > 0.08:
                overlaps += [max(((mask & f).sum() / (mask | f).sum() for f in found), default=0.0)]
    assert np.mean(np.array(overlaps) > 0.5) > 0.9
    assert np.median(overlaps) > 0.8
