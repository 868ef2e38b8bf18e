"""Which frames go through the network together: of one size, in their order, none lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoints.yolact import save_checkpoint
from model.host.torch_host import on_host
from model.options import DetectOptions
from model.predictor import load_predictor, make_predictor
from pipeline.detectors.base import Pending
from pipeline.detectors.host import HostDetector
from pipeline.frame import Frame, Result
from pipeline.frame_queue import FrameQueue, QueueClosed
from pipeline.metrics.run import Metrics
from pipeline.sinks.jsonl import frame_record
from pipeline.stages import infer
from tests.pipeline.standins import Detector
from tests.small_networks import FREE, free_network

WIDE, TALL, SMALL = (12, 20), (20, 12), (6, 10)


class Watched(Detector):
    """Remembers which frames came together."""

    def __init__(self, slots: int = 1) -> None:
        super().__init__(slots)
        self.taken: list[list[Frame]] = []

    def submit(self, frames: Sequence[Frame]) -> Pending:
        self.taken.append(list(frames))
        return super().submit(frames)


def frames_of(sizes: Sequence[tuple[int, int]]) -> list[Frame]:
    rng = np.random.default_rng(0)
    return [
        Frame(rng.integers(0, 256, (*size, 3), np.uint8), index, index, Fraction(1, 10), 0.0)
        for index, size in enumerate(sizes)
    ]


def inferred(detector: Detector | HostDetector, frames: Sequence[Frame], batch: int) -> list[Result]:
    queue: FrameQueue[Frame] = FrameQueue("frames", len(frames))
    found: FrameQueue[Result] = FrameQueue("found", len(frames))
    for frame in frames:
        queue.put(frame)
    queue.close()
    infer(detector, queue, found, Metrics(), lambda: batch)
    results = [found.get() for _ in range(len(found))]
    with pytest.raises(QueueClosed):  # nothing more will come
        found.get()
    return results


SEQUENCES: dict[str, list[tuple[int, int]]] = {
    "one size": [WIDE] * 7,
    "it changes once": [WIDE] * 5 + [TALL] * 4,
    "it changes with every frame": [WIDE, TALL] * 4,
    "it changes within a batch and back": [WIDE, WIDE, TALL, WIDE, SMALL, SMALL, SMALL, SMALL, WIDE],
    "the last one is another": [WIDE] * 4 + [SMALL],
}


@pytest.mark.parametrize("batch", [1, 2, 4])
@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("name", SEQUENCES)
def test_frames_of_different_sizes_never_share_a_batch_and_keep_their_order(
    name: str, slots: int, batch: int
) -> None:
    frames = frames_of(SEQUENCES[name])
    detector = Watched(slots)

    results = inferred(detector, frames, batch)

    assert [result.frame.index for result in results] == list(range(len(frames)))
    assert all(len({frame.size for frame in taken}) == 1 for taken in detector.taken)
    assert max(map(len, detector.taken)) <= batch
    assert [frame.index for taken in detector.taken for frame in taken] == list(range(len(frames)))


def test_a_batch_is_filled_as_far_as_the_size_stays_the_same() -> None:
    detector = Watched()
    inferred(detector, frames_of(SEQUENCES["it changes within a batch and back"]), 4)
    assert detector.batches == [2, 1, 1, 4, 1]


def test_batches_on_the_cpu_find_in_letterboxed_frames_of_several_sizes_what_each_frame_has_alone() -> None:
    options = DetectOptions(score_threshold=0.3, max_detections=20)
    predictor = on_host(make_predictor(free_network(), torch.device("cpu"), options))
    frames = frames_of([(90, 160), (90, 160), (160, 90), (45, 80), (45, 80), (90, 160)])

    results = inferred(HostDetector(predictor, Metrics()), frames, 2)

    assert sum(len(result.detections) for result in results) > 10
    for result, frame in zip(results, frames, strict=True):
        alone = predictor(frame.image)
        assert result.frame is frame
        assert result.detections.image_size == frame.size
        np.testing.assert_allclose(result.detections.boxes, alone.boxes, atol=0.05)
        np.testing.assert_allclose(result.detections.scores, alone.scores, atol=1e-4)
        assert (result.detections.masks != alone.masks).mean() < 1e-3


def test_openvino_finds_the_same_to_the_last_bit_whatever_the_batch(tmp_path: Path) -> None:
    weights = tmp_path / "free.pt"
    save_checkpoint(weights, FREE, free_network().state_dict())
    how = {"device": "cpu", "engine": "openvino", "precision": "fp32"}
    predictor = load_predictor(weights, score_threshold=0.3, max_detections=20, **how)
    frames = frames_of([(90, 160)] * 5)  # a multiple of no batch but 1

    def told(batch: int) -> list[tuple[str, bytes, bytes]]:
        results = inferred(HostDetector(predictor, Metrics()), frames, batch)
        found = [result.detections for result in results]
        lines = [json.dumps(frame_record(result)) for result in results]
        return [(line, d.scores.tobytes(), d.boxes.tobytes()) for line, d in zip(lines, found, strict=True)]

    alone = told(1)
    assert sum(line.count("score") for line, _, _ in alone) > 10
    assert [told(batch) for batch in (2, 3)] == [alone] * 2
