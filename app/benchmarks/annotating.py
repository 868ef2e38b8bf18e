"""The whole pipeline: a video file annotated to H.264, with ten instances in every frame."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from app.benchmarks.clip_run import ClipRun, annotate
from app.benchmarks.clips import write_clip
from app.benchmarks.figures import Figure, Setup, at_least
from app.benchmarks.random_weights import random_predictor
from app.benchmarks.timing import milliseconds
from app.terminal import timings_text
from app.threads import streams_for_files, usable_cores
from model.input_shape import input_shape
from model.project import DEMO
from pipeline.sinks.video import VideoSink

WIDTH, HEIGHT = 768, 432
FRAMES = 300
USED = 0.8  # of the cores' time, at least
TARGET_FPS = 45.0
FAST_FORWARD = 12.0  # ms of the bf16 forward pass where that many frames a second are asked for


def run(setup: Setup) -> list[Figure]:
    """`livemask_s` at its own input size on a 768 x 432 file, as `annotate` does it."""
    predictor = random_predictor("livemask_s", device="cpu", streams=streams_for_files())
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(clip, setup.clip or DEMO, (WIDTH, HEIGHT), FRAMES)
        annotate(clip, predictor, VideoSink(Path(folder) / "warm.mp4"))
        done = annotate(clip, predictor, VideoSink(Path(folder) / "out.mp4"))
    print(timings_text(done.metrics))
    return _figures(done, forward_pass(setup))


def forward_pass(setup: Setup) -> float:
    """Milliseconds of one forward pass that has all cores to itself, in the precision that auto chooses."""
    predictor = random_predictor("livemask_s", device="cpu")
    image = torch.zeros(1, 3, *input_shape(predictor.config, (HEIGHT, WIDTH)).padded)
    return milliseconds({"forward": lambda: predictor.engine.start(image)()}, setup.seconds)["forward"]


def _figures(done: ClipRun, forward: float) -> list[Figure]:
    cores = usable_cores()
    title = f"annotate, {WIDTH} x {HEIGHT} to H.264"
    possible = cores / done.cpu_seconds
    fast = forward <= FAST_FORWARD
    return [
        Figure(f"{title}: forward pass alone", forward, "ms"),
        Figure(
            f"{title}: frames a second", done.fps, "fps",
            f"≥ {TARGET_FPS:g} where the forward pass takes {FAST_FORWARD:g} ms",
            done.fps >= TARGET_FPS if fast else None,
        ),
        Figure(f"{title}: CPU time a frame", 1000 * done.cpu_seconds, "ms", note=f"{cores} cores"),
        at_least(f"{title}: fps x CPU time a frame / cores", done.fps / possible, USED),
    ]  # fmt: skip
