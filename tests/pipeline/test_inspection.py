"""Results that tell what their masks were made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from model.detection.raw_outputs import RawOutputs
from model.options import DetectOptions
from model.predictor import Predictor, load_predictor
from model.torch_predictor import TorchPredictor
from pipeline.detectors.host import HostDetector
from pipeline.frame import Frame, Result
from pipeline.metrics.run import Metrics
from tests.pipeline.detector_checks import CPU, check_equal, on_host, results
from tests.pipeline.small_engines import CELLS, LinearEngine, small_frames, small_predictor
from tests.rebuilt_masks import rebuilt_masks

PHOTOS = Path(__file__).parents[2] / "assets" / "photos"


def inspected(predictor: Predictor, frames: list[Frame], batch: int = 1) -> list[Result]:
    return results(HostDetector(predictor, Metrics(), inspect=True), frames, batch)


def check_masks(result: Result) -> int:
    """That a frame of the prototypes' own size has the masks that its inspection gives; how many."""
    assert result.inspection is not None
    prototypes, coefficients = result.inspection.prototypes, result.inspection.coefficients
    assert prototypes.shape[:2] == result.frame.size
    assert (prototypes.dtype, coefficients.dtype) == (np.float32, np.float32)
    masks = rebuilt_masks(prototypes, coefficients, result.detections.boxes, result.inspection.places)
    if result.inspection.places is None:
        np.testing.assert_array_equal(masks > 0.5, result.detections.masks)
    elif len(masks):  # places are added up in another order, which may round a pixel of an edge elsewhere
        assert np.mean((masks > 0.5) != result.detections.masks) < 1e-4
    return len(masks)


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_each_frame_of_a_batch_tells_the_parts_of_its_own_masks(batch: int) -> None:
    frames = small_frames(5, [(CELLS, CELLS)])
    found = inspected(small_predictor(CPU, torch.clone), frames, batch)
    assert sum(map(check_masks, found)) > 10


def test_inspection_changes_nothing_of_what_is_found_and_is_not_made_unasked() -> None:
    frames = small_frames(4)
    plain = on_host(frames)
    check_equal(inspected(small_predictor(CPU, torch.clone), frames), plain)
    assert {result.inspection for result in plain} == {None}


def test_boxes_alone_have_no_parts_to_tell_of() -> None:
    (result,) = inspected(small_predictor(CPU, torch.clone, with_masks=False), small_frames(1))
    assert result.inspection is None
    assert len(result.detections)


def test_a_frame_without_detections_still_shows_its_prototypes() -> None:
    predictor = small_predictor(CPU, torch.clone, DetectOptions(score_threshold=1.0))
    (result,) = inspected(predictor, small_frames(1))
    assert result.inspection is not None
    assert result.inspection.coefficients.shape == (0, 32)
    assert result.inspection.prototypes.any()


class OverwritingEngine(LinearEngine):
    """Gives outputs in one and the same memory each time, as engines may."""

    slots = 1

    def __init__(self) -> None:
        super().__init__(CPU, torch.clone)
        self._memory: RawOutputs | None = None

    def start(self, images: Tensor) -> Callable[[], RawOutputs]:
        new = super().start(images)()
        self._memory = self._memory or new
        for place, part in zip(self._memory, new, strict=True):
            if place is not None and part is not None:
                place.copy_(part)
        memory = self._memory
        return lambda: memory


def test_what_is_told_of_a_frame_outlasts_the_engines_next_outputs() -> None:
    usual = small_predictor(CPU, torch.clone)
    frames = small_frames(3, [(CELLS, CELLS)])
    found = inspected(TorchPredictor(OverwritingEngine(), usual.decoder, usual.options), frames)
    assert sum(map(check_masks, found)) > 6


def test_the_shipped_network_tells_the_parts_of_the_masks_that_it_finds() -> None:
    # small regions of a mask, which are dropped by default, are not a matter of its parts
    predictor = load_predictor(device="cpu", score_threshold=0.2, min_mask_region=0)
    (blank,) = inspected(predictor, small_frames(1))
    assert blank.inspection is not None
    height, width, _ = blank.inspection.prototypes.shape
    # pictures of the prototypes' size have masks that are not enlarged
    pictures = [cv2.resize(cv2.imread(str(path)), (width, height)) for path in sorted(PHOTOS.glob("*.jpg"))]
    frames = [dataclasses.replace(blank.frame, image=picture) for picture in pictures]
    assert sum(map(check_masks, inspected(predictor, frames))) > 10
