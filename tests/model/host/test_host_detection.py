"""Detection in arrays against detection in tensors, which says what is right."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from model.anchors import make_cells
from model.config import PRESETS, YolactConfig
from model.detection.decoding import Decoding, for_frames
from model.detection.postprocessing import find
from model.detection.postprocessing import to_detections as tensors_to_detections
from model.detections import Detections
from model.host.detection import add_masks, in_frame, suppress, to_detections
from model.host.outputs import HostDecoder, ImageOutputs
from model.host.torch_host import on_host
from model.input_shape import input_shape
from model.network.anchors import make_anchors as anchor_tensors
from model.options import NMS_KINDS, DetectOptions
from model.predictor import load_predictor, make_predictor
from pipeline.sources.images import read_image
from tests.model.host.random_outputs import ANCHORS, as_tensors, random_outputs
from tests.small_networks import FREE, SPARSE, free_network, small_network
from tests.source_tree import ROOT

FRAME = (90, 120)
PHOTOGRAPHS = sorted((ROOT / "assets" / "photos").glob("*.jpg"))
OPTIONS = {
    "few": DetectOptions(score_threshold=0.3, max_detections=7),
    "many": DetectOptions(score_threshold=0.0),
    "one class": DetectOptions(score_threshold=0.2, classes=(1,)),
    "whole masks": DetectOptions(score_threshold=0.4, crop_masks=False),
    "scaled": DetectOptions(threshold_scale=0.5, threshold_limit=0.6),
}
THRESHOLDS = dataclasses.replace(
    SPARSE,
    detection=dataclasses.replace(
        SPARSE.detection, class_thresholds=(0.3, 0.6, 0.45), double_iou_threshold=0.6
    ),
)


def on_arrays(outputs: ImageOutputs, config: YolactConfig, options: DetectOptions) -> Detections:
    decoder = HostDecoder(config, ANCHORS)
    inner, anchors = in_frame(outputs, decoder, FRAME)
    found = add_masks(suppress(inner, anchors, config, options), inner, decoder, options)
    return to_detections(found, config, FRAME, options)


def on_tensors(outputs: ImageOutputs, config: YolactConfig, options: DetectOptions) -> Detections:
    decoder = Decoding(config, torch.from_numpy(ANCHORS))
    raw, inner = for_frames(as_tensors(outputs), decoder, FRAME)
    return tensors_to_detections(find(raw, inner, options), [FRAME], config.class_names, options)[0]


def check_alike(found: Detections, expected: Detections, share: float = 1.0) -> None:
    """That both are the same but for rounding; share: of the masks' pixels that have to be."""
    assert len(found) == len(expected)
    np.testing.assert_array_equal(found.classes, expected.classes)
    np.testing.assert_allclose(found.scores, expected.scores, atol=2e-6)
    np.testing.assert_allclose(found.box_scores, expected.box_scores, atol=2e-6)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-3)
    assert found.has_masks == expected.has_masks
    if found.has_masks and len(found):
        assert (found.masks == expected.masks).mean() >= share
        assert [(c.x, c.y, c.pixels.shape) for c in found.crops or ()] == [
            (c.x, c.y, c.pixels.shape) for c in expected.crops or ()
        ]


@pytest.mark.parametrize("nms", NMS_KINDS)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("config", [SPARSE, THRESHOLDS], ids=["one threshold", "a threshold a class"])
def test_anchors_give_what_they_give_in_tensors(config: YolactConfig, options: DetectOptions, nms: str):
    options = dataclasses.replace(options, nms=nms)
    counts = []
    for seed in range(2):
        outputs = random_outputs(seed, 16, config)
        expected = on_tensors(outputs, config, options)
        check_alike(on_arrays(outputs, config, options), expected, share=0.9999)
        counts.append(len(expected))
    assert max(counts) > 3


@pytest.mark.parametrize("nms", NMS_KINDS)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_cells_of_a_letterboxed_frame_give_what_they_give_in_tensors(options: DetectOptions, nms: str):
    options = dataclasses.replace(options, nms=nms)
    shape = input_shape(FREE, FRAME)
    counts = []
    for seed in range(2):
        outputs = random_outputs(seed, 32, FREE, len(make_cells(shape)))
        expected = on_tensors(outputs, FREE, options)
        check_alike(on_arrays(outputs, FREE, options), expected, share=0.9999)
        counts.append(len(expected))
    assert max(counts) > 3


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["box_deltas", "class_logits"])
def test_values_that_are_not_finite_spoil_what_they_spoil_in_tensors(part: str, value: float):
    for row in range(3):
        outputs = random_outputs(row, 16)
        getattr(outputs, part)[row] = value
        for nms in NMS_KINDS:
            options = DetectOptions(score_threshold=0.2, nms=nms)
            check_alike(
                on_arrays(outputs, SPARSE, options), on_tensors(outputs, SPARSE, options), share=0.9999
            )


def test_boxes_alone_are_boxes_alone():
    outputs = random_outputs(0, 16)._replace(prototypes=None)
    found = on_arrays(outputs, SPARSE, DetectOptions(score_threshold=0.3))
    assert found.crops is None
    check_alike(found, on_tensors(outputs, SPARSE, DetectOptions(score_threshold=0.3)))


@pytest.mark.parametrize("config", [SPARSE, FREE], ids=["anchors", "cells"])
def test_nothing_found_is_a_record_of_nothing(config: YolactConfig):
    rows = len(ANCHORS) if config is SPARSE else len(make_cells(input_shape(FREE, FRAME)))
    outputs = random_outputs(0, 32, config, rows)
    outputs.class_logits[:] = 0 if config is SPARSE else -9
    for nms in NMS_KINDS:
        found = on_arrays(outputs, config, DetectOptions(nms=nms))
        assert (len(found), found.crops, found.boxes.shape) == (0, (), (0, 4))


PLAIN = [name for name, config in PRESETS.items() if not config.backbone.deformable_interval]


@pytest.mark.parametrize("name", PLAIN)
def test_every_configuration_has_the_anchors_that_its_network_has(name: str):
    config = PRESETS[name]
    if config.anchors is not None:
        np.testing.assert_array_equal(
            HostDecoder(config, anchor_tensors(config.anchors, config.image_size).numpy()).anchors,
            make_anchors_of(config),
        )


def make_anchors_of(config: YolactConfig) -> np.ndarray:
    """Slowly, one anchor after another."""
    assert config.anchors is not None
    rows = []
    for stride, sides in zip((8, 16, 32, 64, 128), config.anchors.sides, strict=True):
        cells = -(-config.image_size // stride)
        for y in range(cells):
            for x in range(cells):
                for side in sides:
                    for ratio in config.anchors.ratios:
                        width = side * ratio**0.5
                        height = width if config.anchors.square else side / ratio**0.5
                        scale = config.anchors.reference_size
                        rows.append(((x + 0.5) / cells, (y + 0.5) / cells, width / scale, height / scale))
    return np.array(rows, np.float32)


@pytest.mark.parametrize("make", [small_network, free_network])
def test_a_network_of_pytorch_finds_the_same_either_way(make):
    options = DetectOptions(score_threshold=0.1)
    in_tensors = make_predictor(make(), torch.device("cpu"), options)
    hosted = on_host(in_tensors)
    for path in PHOTOGRAPHS[:2]:
        frame = read_image(path)
        raw = in_tensors.engine.start(torch.from_numpy(hosted.prepare([frame])))()
        size = (frame.shape[0], frame.shape[1])
        raw, decoder = for_frames(raw, in_tensors.decoder, size)
        found = find(raw, decoder, options)
        (expected,) = tensors_to_detections(found, [size], in_tensors.class_names, options)
        assert len(expected)
        check_alike(hosted(frame), expected, share=0.999)


@pytest.mark.parametrize("nms", NMS_KINDS)
def test_the_trained_network_finds_in_arrays_what_it_finds_in_tensors(nms: str):
    options = DetectOptions(nms=nms)
    hosted = load_predictor("livemask_n", engine="torch", device="cpu", nms=nms)
    counts = 0
    for path in PHOTOGRAPHS[:4]:
        frame = read_image(path)
        size = (frame.shape[0], frame.shape[1])
        (outputs,) = hosted.engine.start(hosted.prepare([frame]))()
        decoder = Decoding(hosted.config, torch.zeros(0, 4))
        raw, inner = for_frames(as_tensors(outputs), decoder, size)
        (expected,) = tensors_to_detections(find(raw, inner, options), [size], hosted.class_names, options)
        check_alike(hosted(frame), expected, share=0.9999)
        counts += len(expected)
    assert counts > 3
