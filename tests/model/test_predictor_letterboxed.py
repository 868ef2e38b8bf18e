"""A predictor whose network keeps the aspect ratio, on frames of several sizes and shapes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from model import Detections, load_predictor
from model.checkpoints.yolact import save_checkpoint
from model.detection.raw_outputs import RawOutputs
from model.engines.base import YolactEngine
from model.errors import ConfigError
from model.options import DetectOptions
from model.predictor import Predictor, make_predictor
from tests.small_networks import FREE, free_network

NETWORK = free_network()
SIZES = [(90, 160), (45, 80), (160, 90), (90, 160), (1, 200), (64, 64), (64, 64), (160, 90)]


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return make_predictor(NETWORK, torch.device("cpu"), DetectOptions(score_threshold=0.3, max_detections=20))


def picture(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


FRAMES = [picture(size, seed) for seed, size in enumerate(SIZES)]


def same(a: Detections, b: Detections) -> bool:
    return (
        a.image_size == b.image_size
        and len(a) == len(b)
        and np.allclose(a.boxes, b.boxes, atol=0.05)
        and np.allclose(a.scores, b.scores, atol=1e-4)
        and np.array_equal(a.classes, b.classes)
        and (a.masks != b.masks).sum() <= 1e-3 * a.masks.size
    )


def test_frames_of_any_sizes_in_one_list_give_what_each_gives_alone_in_their_order(predictor: Predictor):
    together = predictor(FRAMES)

    assert [found.image_size for found in together] == SIZES
    assert sum(map(len, together)) > 10
    for found, frame in zip(together, FRAMES, strict=True):
        assert same(found, predictor(frame))


def test_only_frames_of_one_shape_share_a_batch(predictor: Predictor, monkeypatch: pytest.MonkeyPatch):
    engine: YolactEngine = predictor.engine
    shapes: list[tuple[int, ...]] = []
    start = engine.start

    def watched_start(images: torch.Tensor) -> Callable[[], RawOutputs]:
        shapes.append(tuple(images.shape))
        return start(images)

    monkeypatch.setattr(engine, "start", watched_start)

    predictor(FRAMES)

    # the first two are of one shape, and so are the two squares
    assert shapes == [
        (2, 3, 96, 128),
        (1, 3, 128, 96),
        (1, 3, 96, 128),
        (1, 3, 32, 128),
        (2, 3, 128, 128),
        (1, 3, 128, 96),
    ]


def test_an_input_of_several_shapes_cannot_be_prepared(predictor: Predictor):
    with pytest.raises(ValueError, match=r"of one size .* got 160 x 90, 90 x 160"):
        predictor.prepare([picture((90, 160)), picture((160, 90))])


def test_what_is_no_frame_is_refused_in_a_list_of_shapes_too(predictor: Predictor):
    for bad in (picture((4, 4))[:0], picture((4, 4))[..., 0], picture((4, 4)).astype(np.float32)):
        with pytest.raises(ValueError, match=r"expected frames \[B, H, W, 3\] uint8 BGR, got"):
            predictor([FRAMES[0], bad])


def test_the_input_size_is_the_longer_side_and_a_multiple_of_32(tmp_path: Path):
    save_checkpoint(tmp_path / "free.pt", FREE, NETWORK.state_dict())

    larger = load_predictor(tmp_path / "free.pt", device="cpu", engine="torch", image_size=192)

    assert larger.prepare([picture((90, 160))]).shape == (1, 3, 128, 192)
    with pytest.raises(ConfigError, match="must be a multiple of 32 pixels, such as 160, got 150"):
        load_predictor(tmp_path / "free.pt", device="cpu", image_size=150)


def test_the_least_threshold_of_all_classes_is_told(predictor: Predictor):
    assert predictor.score_threshold == 0.3
    assert predictor.with_options(score_threshold=None).score_threshold == 0.3
    assert predictor.with_options(score_threshold=0.5).score_threshold == 0.5
