"""`bench`: that it measures what it says it measures."""

from __future__ import annotations

import json
import time
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from app.bench import BENCHMARKS, machine_facts
from app.benchmarks import clip_run, gpu, nms, overlay, resident
from app.benchmarks.clips import write_clip as write_benchmark_clip
from app.benchmarks.figures import at_least, at_most
from app.benchmarks.nms import CANDIDATES, CLASSES, candidates
from app.benchmarks.random_weights import random_predictor
from app.benchmarks.scenes import COVERED, INSTANCES, injected, noise
from app.benchmarks.timing import milliseconds
from app.cli import main
from pipeline.metrics.run import Metrics, Span
from pipeline.sinks.video import VideoSink
from tests.clips import write_clip

Said = pytest.CaptureFixture[str]


@pytest.mark.parametrize(("height", "width"), [(432, 768), (720, 1280), (1080, 1920)])
def test_the_ten_instances_cover_a_quarter_of_any_frame(height: int, width: int) -> None:
    found = injected(height, width)
    assert len(found) == INSTANCES
    masks = found.masks
    assert masks.any(0).mean() == pytest.approx(COVERED, abs=0.01)
    assert (masks.sum(0) <= 1).all()
    for mask, (x1, y1, x2, y2) in zip(masks, found.boxes, strict=True):
        rows, columns = np.nonzero(mask)
        assert x1 - 1 <= columns.min() <= columns.max() <= x2 + 1
        assert y1 - 1 <= rows.min() <= rows.max() <= y2 + 1


def test_the_benchmarked_network_finds_the_instances_whatever_it_sees() -> None:
    predictor = random_predictor("livemask_n", engine="torch", device="cpu", image_size=128)
    for frame in (noise(432, 768), np.zeros((432, 768, 3), np.uint8)):
        found = predictor(frame)
        assert len(found) == INSTANCES
        assert found.masks.any(0).mean() == pytest.approx(COVERED, abs=0.04)
        expected = injected(432, 768)
        order = np.lexsort(found.boxes.T[:2].round(-2))
        wanted = np.lexsort(expected.boxes.T[:2].round(-2))
        assert np.allclose(found.boxes[order], expected.boxes[wanted], atol=2)


def test_every_class_has_the_same_number_of_candidates_for_nms() -> None:
    boxes, scores = candidates()
    assert boxes.shape == (1, CLASSES * CANDIDATES, 4)
    assert ((scores > 0.05).sum(-1) == CANDIDATES).all()
    assert ((boxes[..., 2:] - boxes[..., :2]) > 0).all()
    assert torch.equal(boxes, candidates()[0])


def test_things_are_timed_in_turn_and_each_often_enough() -> None:
    calls: list[str] = []
    taken = milliseconds({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, seconds=0)
    assert set(taken) == {"a", "b"}
    assert "".join(calls).endswith("ab" * 5)


def test_targets_are_compared_in_the_right_direction() -> None:
    assert [at_least("x", value, 7).reached for value in (6.9, 7, 8)] == [False, True, True]
    assert [at_most("x", value, 4, "ms").reached for value in (3, 4, 4.1)] == [True, True, False]


@pytest.mark.parametrize(
    ("drawing", "forward", "reached", "note"),
    [(4.0, 99, True, ""), (4.1, 12, False, ""), (4.1, 40, None, "only where the forward pass takes 12 ms")],
)
def test_a_slow_machine_may_reach_the_drawing_target_but_cannot_miss_it(
    drawing: float, forward: float, reached: bool | None, note: str
) -> None:
    figure = overlay.judged(drawing, lambda: forward)
    assert figure.reached is reached
    assert note in figure.note
    assert bool(figure.note) is bool(note)


def test_the_gpu_waits_whenever_its_inference_stream_does_whatever_else_works() -> None:
    metrics = Metrics()
    metrics.add(Span("capture", 0, 0.0, 10.0, thread="capture"))
    metrics.add(Span("forward", 0, 0.0, 4.0, thread="gpu upload"))
    metrics.add(Span("forward", 0, 4.0, 6.0, thread="gpu inference"))
    metrics.add(Span("nms", 0, 6.0, 6.5, thread="gpu inference"))
    metrics.add(Span("overlay", 0, 6.5, 10.0, thread="overlay"))
    assert gpu.waiting(metrics.snapshot()) == pytest.approx(0.75)


@pytest.mark.skipif(not resident.STATUS.exists(), reason="this system has no /proc")
def test_memory_is_told_in_bytes() -> None:
    resource = pytest.importorskip("resource")
    # not what `getrusage` calls the peak, which begins with that of the process that started this one
    pages = int(resident.STATUS.with_name("statm").read_text().split()[1])
    held = pages * resource.getpagesize()
    assert resident.in_bytes("VmRSS") == pytest.approx(held, rel=0.05)
    assert resident.in_bytes("VmHWM") > 0.95 * held


def test_a_long_clip_is_a_short_one_over_and_over(tmp_path: Path) -> None:
    write_clip(tmp_path / "short.mp4", frames=9)
    write_benchmark_clip(tmp_path / "long.mp4", tmp_path / "short.mp4", (96, 64), 40)
    with av.open(str(tmp_path / "long.mp4")) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert len(frames) == 40
    assert frames[0].shape == (64, 96, 3)
    assert np.array_equal(frames[0], frames[9])


def test_the_pipeline_is_measured_by_the_wall_clock_and_by_cpu_time(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", size=(96, 64), frames=12)
    predictor = random_predictor("livemask_n", engine="torch", device="cpu", image_size=64)
    begun, cpu = time.perf_counter(), time.process_time()
    done = clip_run.annotate(tmp_path / "clip.mp4", predictor, VideoSink(tmp_path / "out.mp4"))
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    assert done.metrics.frames == 12
    assert done.metrics.seconds <= 12 / done.fps <= seconds
    assert 0 < 12 * done.cpu_seconds <= cpu


def test_the_table_is_printed_and_written_as_json(tmp_path: Path, capsys: Said) -> None:
    out = tmp_path / "figures.json"
    assert main(["bench", "--only", "overlay", "--seconds", "0", "--json", str(out)]) == 0
    assert "overlay, 10 instances, 1280 x 720" in capsys.readouterr().out
    record = json.loads(out.read_text())
    (figure,) = record["figures"]
    assert figure["value"] > 0
    assert figure["reached"] in ([True] if figure["value"] <= 4 else [False, None])
    assert record["machine"]["cores"]


def test_what_cannot_be_measured_says_why(capsys: Said) -> None:
    assert main(["bench", "--only", "accuracy"]) == 0
    assert "no labelled images; name a COCO json with --data" in capsys.readouterr().out


def test_one_benchmark_that_fails_does_not_take_the_others_along(capsys: Said) -> None:
    code = main(["bench", "--only", "startup,overlay", "--seconds", "0", "--clip", "/absent.mp4"])
    said = capsys.readouterr()
    assert code == 1
    assert "failed: startup: " in said.err
    assert "overlay, 10 instances" in said.out


def test_a_benchmark_finds_the_threads_of_the_start_whatever_ran_before(
    monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    before, seen = torch.get_num_threads(), []
    monkeypatch.setattr(overlay, "run", lambda setup: torch.set_num_threads(before + 1) or [])
    monkeypatch.setattr(nms, "run", lambda setup: seen.append(torch.get_num_threads()) or [])
    try:
        assert main(["bench", "--only", "overlay,nms"]) == 0
        assert [*seen, torch.get_num_threads()] == [before, before]
    finally:
        torch.set_num_threads(before)


def test_the_machine_has_as_many_cores_as_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert machine_facts()["cores"] == "2 of 64"


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--only", "speed"), "no benchmark is named 'speed'"), (("--frames", "500"), "must be more than 500")],
)
def test_wrong_usage_is_told(options: tuple[str, ...], said: str, capsys: Said) -> None:
    assert main(["bench", *options]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name != "accuracy"])
def test_every_benchmark_runs(name: str, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    assert main(["bench", "--only", name, "--seconds", "0", "--frames", "520", "--json", str(out)]) == 0
    assert json.loads(out.read_text())["figures"]
