"""Networks that keep the aspect ratio, where somebody watches: their maps lie over the frame, no square."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
import torch

from model.classes import COCO_CLASSES
from model.input_shape import input_shape
from model.options import DetectOptions
from model.predictor import Predictor, make_predictor
from pipeline.detectors.switchable import SwitchableDetector
from pipeline.frame import Frame, Result
from pipeline.live.assembly import add_up, explain, overlap
from pipeline.live.network.fitting import warm_up
from pipeline.live.network.networks import Networks
from pipeline.live.painting import LivePainter
from pipeline.live.privacy.filter import PrivacyFilter
from pipeline.metrics.run import Metrics
from pipeline.settings import DetectionSettings, DisplaySettings
from tests.pipeline.live.scenes import found, noise
from tests.pipeline.live.sessions import small_network as square_network
from tests.small_networks import FREE, small_network

SIZES = [(180, 320), (320, 180), (240, 320), (100, 333)]
# a network that was not trained is sure of nothing
UNSURE = dataclasses.replace(FREE.detection, confidence_threshold=1e-4)
CONFIG = dataclasses.replace(FREE, class_names=("person", "dog", "bird"), detection=UNSURE)
SOME = DetectOptions(score_threshold=0.0, max_detections=8)


@pytest.fixture(scope="module")
def letterboxing() -> Predictor:
    return make_predictor(small_network(CONFIG), torch.device("cpu"), SOME)


def frame_of(size: tuple[int, int], index: int = 0) -> Frame:
    return Frame(noise(size, seed=index), index, index, Fraction(1, 10), float(index))


def detected(predictor: Predictor, frames: Sequence[Frame]) -> list[Result]:
    detector = SwitchableDetector(Metrics())
    detector.inspect = True
    detector.use(predictor)
    return [detector.submit([frame])()[0] for frame in frames]


@pytest.mark.parametrize("size", SIZES)
def test_prototypes_lie_over_the_frame_and_add_up_to_the_masks_that_are_shown(letterboxing, size) -> None:
    (result,) = detected(letterboxing, [frame_of(size)])
    assert result.inspection is not None
    prototypes = result.inspection.prototypes
    content = input_shape(CONFIG, size).content
    assert prototypes.shape == (content[0] // 4, content[1] // 4, CONFIG.num_prototypes)
    assert len(result.detections) > 0
    added, shown = [], []
    for row in range(len(result.detections)):
        explanation = explain(result.inspection, result.detections, row, "effect")
        added.append(add_up(prototypes, explanation, len(explanation.order)).mask)
        shown.append(shrunk(result.detections.masks[row], prototypes.shape[:2]))
    # the frame's pixels do not lie in the middle of the prototypes', where edges are steep
    assert overlap(np.stack(added), np.stack(shown)) > 0.8


def shrunk(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[Hp, Wp] bool, the mask's pixels in the middle of each prototype pixel."""
    rows, columns = (
        ((np.arange(count) + 0.5) * whole / count).astype(int)
        for count, whole in zip(size, mask.shape, strict=True)
    )
    return mask[rows[:, None], columns[None, :]]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_hidden_of_a_person_is_hidden_in_the_prototypes_too(letterboxing, size) -> None:
    (result,) = detected(letterboxing, [frame_of(size)])
    height, width = size
    box = (0.25 * width, 0.25 * height, 0.75 * width, 0.75 * height)
    result = dataclasses.replace(result, detections=found([box], size=size))
    hidden = PrivacyFilter()(result)
    assert result.inspection is not None
    assert hidden.inspection is not None
    before, after = result.inspection.prototypes, hidden.inspection.prototypes
    assert after.shape == before.shape
    rows, columns = after.shape[:2]
    middle = np.s_[round(0.4 * rows) : round(0.6 * rows), round(0.4 * columns) : round(0.6 * columns)]
    assert (before[middle] != after[middle]).any(axis=-1).all()
    assert len(np.unique(after[middle].reshape(-1, after.shape[2]), axis=0)) <= 9, "in blocks"


def test_frames_of_other_shapes_and_networks_of_other_kinds_take_turns_while_it_runs(letterboxing) -> None:
    square = square_network(thresholds=(0.01,) * 3)
    detector, painter = SwitchableDetector(Metrics()), LivePainter(DisplaySettings())
    detector.inspect = True
    shapes = []
    for index in range(8):
        detector.use(letterboxing if index % 4 < 2 else square)
        detector.compare(square if index % 2 else letterboxing)
        (result,) = detector.submit([frame_of(SIZES[index % 4], index)])()
        painted = painter(result, 25.0)
        assert painted.annotated is not None
        assert result.other is not None
        assert result.inspection is not None
        assert painted.annotated.shape[:2] == result.other.image_size == SIZES[index % 4]
        shapes.append(result.inspection.prototypes.shape[:2])
    assert shapes[:4] == [(18, 32), (32, 18), (8, 8), (8, 8)]


def test_both_sides_of_a_comparison_read_one_letterboxed_pass(letterboxing) -> None:
    detector = SwitchableDetector(Metrics())
    detector.use(letterboxing)
    detector.compare(letterboxing.with_options(max_detections=2))
    (result,) = detector.submit([frame_of(SIZES[0])])()
    assert result.other is not None
    assert len(result.other) == 2
    np.testing.assert_array_equal(result.other.boxes, result.detections.boxes[:2])


def test_a_network_is_warmed_up_with_a_wide_frame() -> None:
    class Remembers:
        config, frames = CONFIG, []

        def __call__(self, frame):
            self.frames.append(frame)

    network = Remembers()
    warm_up(network)
    (frame,) = network.frames
    assert input_shape(CONFIG, frame.shape[:2]) == input_shape(CONFIG, (1080, 1920))


def test_it_is_told_that_the_longer_side_of_the_input_is_meant(letterboxing) -> None:
    networks = Networks(lambda _: letterboxing, lambda _: None, DetectionSettings(), private=False)
    networks.load()
    assert networks.loaded is not None
    assert (networks.loaded.image_size, networks.loaded.keeps_aspect_ratio) == (128, True)
    assert networks.loaded.class_thresholds == (0.3,) * 3


def test_people_are_found_by_their_name_among_eighty_classes() -> None:
    names = (*COCO_CLASSES[40:], *COCO_CLASSES[:40])
    person, dog = names.index("person"), names.index("dog")
    boxes = [(100.0, 100.0, 300.0, 600.0), (700.0, 100.0, 900.0, 600.0)]
    seen = found(boxes, [dog, person], names=names)
    result = Result(frame_of((720, 1280)), seen)
    hidden = PrivacyFilter()(result)
    changed = (hidden.frame.image != result.frame.image).any(axis=-1)
    assert not changed[:, 100:300].any()
    assert changed[200:500, 750:850].mean() > 0.9
