"""The examples do what their first lines say."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from model.engines.torch_engine import TorchEngine
from model.exporting.exported import Facts
from model.exporting.onnx_model import write_onnx
from model.network.yolact import Yolact
from model.options import DetectOptions
from model.torch_predictor import TorchPredictor
from pipeline.sinks.jsonl import JsonLinesSink
from tests.clips import write_clip
from tests.confident_network import confident_weights, photographs
from tests.pipeline.sinks.recordings import fill, info
from tests.pipeline.sinks.tracks.scenes import crossing, results
from tests.small_networks import free_network
from tests.source_tree import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MOST_LINES = 60


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with weights; compiled models are kept in it, so that the network is compiled once."""
    folder = tmp_path_factory.mktemp("shared")
    confident_weights(folder / "weights.pt")
    return folder


@pytest.fixture
def weights(shared: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LIVEMASK_HOME", str(shared))
    return str(shared / "weights.pt")


@pytest.fixture
def photo(tmp_path: Path) -> str:
    return str(next(photographs(tmp_path / "photos", 1).iterdir()))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_begins_with_what_it_shows(path: Path):
    lines = path.read_text().splitlines()
    assert len(lines) <= MOST_LINES
    assert lines[0].startswith('"""')
    assert any(f"python -m examples.{path.stem} " in line for line in lines)


def test_every_example_is_run_here():
    tested = Path(__file__).read_text()
    assert [path.stem for path in EXAMPLES if f'example("{path.stem}")' not in tested] == []


def example(name: str):
    return importlib.import_module(f"examples.{name}")


def test_photographs_are_told_and_drawn(weights: str, photo: str, tmp_path: Path, capsys):
    example("photographs").main([photo, "-o", str(tmp_path / "out"), "--weights", weights])
    assert "0.png: " in capsys.readouterr().out
    drawn = cv2.imread(str(tmp_path / "out" / "0_masks.png"))
    assert drawn.shape == cv2.imread(photo).shape


def test_a_video_loop_writes_as_many_frames_as_it_is_asked_for(weights: str, tmp_path: Path, capsys):
    write_clip(tmp_path / "a.mp4", frames=5)
    made = tmp_path / "out" / "b.mp4"
    example("video_loop").main([str(tmp_path / "a.mp4"), str(made), "--frames", "3", "--weights", weights])
    assert capsys.readouterr().out.splitlines()[-1].startswith("3 frames, 0.000 to ")
    assert made.exists()


def test_a_source_of_ones_own_runs_through_the_pipeline(weights: str, photo: str, tmp_path: Path, capsys):
    example("own_source").main(photo, str(tmp_path / "pan.mp4"), weights, frames=4)
    assert capsys.readouterr().out.startswith("finished 4 frames, 0.000 to 0.120 s")


def test_a_sink_of_ones_own_gets_every_frame(weights: str, tmp_path: Path, capsys):
    write_clip(tmp_path / "a.mp4", frames=4)
    example("own_sink").main(str(tmp_path / "a.mp4"), str(tmp_path / "a.csv"), weights, most=3)
    assert capsys.readouterr().out == f"{tmp_path / 'a.csv'}: 3 frames\n"
    assert (tmp_path / "a.csv").read_text().startswith("seconds,class,count")


def test_json_lines_are_read_back_as_tracks(tmp_path: Path, capsys):
    frames = results(crossing()[:3])
    fill(JsonLinesSink(tmp_path / "a.jsonl"), info(), frames)
    example("read_json_lines").main(str(tmp_path / "a.jsonl"))
    told = capsys.readouterr().out.splitlines()
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    tracks = {found["track_id"] for line in lines for found in line["detections"]} - {-1}
    assert [line.partition(":")[0] for line in told[1:]] == [f"track {n}" for n in sorted(tracks)]
    assert "0.00 to 0.08 s, 3 frames" in told[1]


class StandIn:
    """Answers as a session of ONNX Runtime does, with the network itself."""

    def __init__(self, network: Yolact) -> None:
        self._network = network

    def get_modelmeta(self) -> SimpleNamespace:
        config = json.dumps(self._network.config.to_dict())
        return SimpleNamespace(custom_metadata_map={"livemask.config": config})

    @torch.no_grad()
    def run(self, outputs: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        return [part.numpy() for part in self._network(torch.from_numpy(inputs["images"]))[:4]]


def assert_read_as_the_predictor_reads(session: object, network: Yolact, size: tuple[int, int]) -> None:
    blocks = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
    picture = cv2.resize(blocks, size[::-1])
    boxes, scores, names, masks = example("onnx_numpy").detect(session, picture[..., ::-1])

    engine = TorchEngine(network, torch.device("cpu"))
    expected = TorchPredictor(engine, network, DetectOptions(nms="class-agnostic"))(picture)
    assert len(expected) > 2
    assert tuple(names) == expected.names
    np.testing.assert_allclose(scores, expected.scores, atol=1e-3)
    sides = np.array([size[1], size[0]] * 2)
    np.testing.assert_allclose(boxes.clip(0, 1) * sides, expected.boxes, atol=0.1)
    np.testing.assert_allclose(masks.mean((1, 2)), expected.masks.mean((1, 2)), atol=0.02)


@pytest.mark.parametrize("size", [(96, 128), (300, 170)])
def test_numpy_decodes_outputs_as_the_predictor_does(size: tuple[int, int], monkeypatch):
    # the decoding needs no onnxruntime, which may not be installed
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    network = free_network()
    assert_read_as_the_predictor_reads(StandIn(network), network, size)


@pytest.mark.slow
def test_onnxruntime_runs_an_exported_model(tmp_path: Path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    network = free_network()
    write_onnx(network, tmp_path / "free.onnx", Facts(network.config, "0" * 64, "fp32"))
    session = onnxruntime.InferenceSession(tmp_path / "free.onnx")
    assert_read_as_the_predictor_reads(session, network, (300, 170))
