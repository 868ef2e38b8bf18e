"""A GPU: forward pass, whole pipeline, and the share of time in which it waits."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from app.benchmarks.clip_run import annotate
from app.benchmarks.clips import write_clip
from app.benchmarks.figures import Figure, Setup, missing
from app.benchmarks.random_weights import random_predictor
from app.benchmarks.timing import milliseconds
from model.input_shape import input_shape
from model.project import DEMO
from pipeline.metrics.run import MetricsSnapshot
from pipeline.sinks.video import VideoSink

CONFIGS = ("yolact_resnet50", "yolact_base")
BATCHES = (1, 8)
FRAMES = 600
INFERENCE = "gpu inference"  # what the stream that computes is called in metrics


def run(setup: Setup) -> list[Figure]:
    """Measure two published networks at batch 1 and 8, in the precision that auto chooses."""
    if not torch.cuda.is_available():
        return [missing("GPU", "PyTorch sees no CUDA device")]
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(clip, setup.clip or DEMO, (1280, 720), FRAMES)
        return [
            figure for name in CONFIGS for batch in BATCHES for figure in _measure(name, batch, clip, setup)
        ]


def _measure(name: str, batch: int, clip: Path, setup: Setup) -> list[Figure]:
    predictor = random_predictor(name, device="cuda", batch=batch)
    images = torch.zeros(batch, 3, *input_shape(predictor.config, (720, 1280)).padded, device="cuda")

    def forward() -> None:
        predictor.engine.start(images)()
        torch.cuda.synchronize()

    taken = milliseconds({"forward": forward}, setup.seconds)["forward"]
    done = annotate(clip, predictor, VideoSink(clip.with_name("out.mp4")), batch=batch)
    title = f"{name}, batch {batch}, {predictor.engine.precision}"
    return [
        Figure(f"{title}: forward a frame", taken / batch, "ms"),
        Figure(f"{title}: whole pipeline, 1280 x 720 to H.264", done.fps, "fps"),
        Figure(f"{title}: time in which the GPU waits", 100 * waiting(done.metrics), "%"),
    ]


def waiting(metrics: MetricsSnapshot) -> float:
    """The part of a run, 0 to 1, in which the GPU's stream of inference had nothing to do.

    Threads of the CPU work under the same stages, and say nothing of the GPU.
    """
    busy = sum(stage.threads.get(INFERENCE, 0.0) for stage in metrics.stages)
    return 1 - metrics.share(busy)
