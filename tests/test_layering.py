"""The project's architecture, read from its own sources: who imports whom, and what an import costs."""

from __future__ import annotations

import ast
import graphlib
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.cli import COMMANDS
from tests.source_tree import LAYERS, ROOT, Module, modules

# package -> what it may import besides the standard library; the longest package that matches counts
ALLOWED: dict[str, set[str]] = {
    "model": {"model", "numpy", "platformdirs", "pycocotools", "torch", "torchvision"},
    "model.training": {
        "model", "numpy", "pycocotools", "torch", "torchvision",
        "PIL", "scipy", "tensorboard",
    },
    "model.evaluation": {"model", "numpy", "pycocotools", "scipy", "torch"},
    "model.engines": {"model", "numpy", "openvino", "torch"},
    "model.exporting": {"model", "nncf", "numpy", "openvino", "torch", "torchvision"},
    "model.sharpmask.loading": {"model", "openvino", "torch"},
    "model.engines.openvino_core": {"model", "openvino"},
    "model.images": {"model", "numpy", "PIL"},
    "model.colour_profile": {"numpy", "PIL"},
    "model.orientation": {"PIL"},
    "model.loading": {"model", "openvino", "torch"},
    "model.host": {"model", "numpy", "cv2"},
    "model.host.torch_host": {"model", "torch"},
    "model.evaluation.matched_masks": {"model", "numpy", "cv2", "pycocotools"},
    "pipeline": {"pipeline", "model", "numpy", "torch", "av", "cv2", "cv2_enumerate_cameras", "PIL"},
    "pipeline.tracking.bytetrack": {"pipeline", "numpy", "supervision", "trackers"},
    "pipeline.stability.truth": {"model", "numpy", "scipy"},
    "pipeline.tracking.cuts": {"pipeline", "numpy", "cv2", "scenedetect"},
    "ui": {"ui", "pipeline", "model", "numpy", "platformdirs", "PyQt6", "pyqtgraph"},
}  # fmt: skip

TORCH_FREE = (
    "app.options", "app.cli", "model", "model.checkpoints.catalog", "model.classes", "model.config",
    "model.detections", "model.engines", "model.errors", "model.options", "model.evaluation.coco_eval",
    "model.predictor", "model.instance_predictor", "model.host.predictor", "model.engines.openvino_engine",
    "pipeline.builder", "pipeline.detectors.build", "pipeline.detectors.switchable",
    "pipeline.tracking.following",
    "pipeline.live.session", "app.annotate.command", "app.annotate.photos", "app.annotate.videos",
    "app.annotate.compare", "app.stability.run", "app.predictors", "app.doctor", "app.gui",
)  # fmt: skip
HEAVY = {"torch", "torchvision", "openvino", "nncf", "cv2", "PyQt6", "av", "rich", "numpy"}


@dataclass(frozen=True)
class Import:
    """One imported name; `for_types` when it stands in an `if TYPE_CHECKING:` block."""

    target: str
    line: int
    for_types: bool


def imports(tree: ast.AST, for_types: bool = False) -> Iterator[Import]:
    """All imports of a file, those in functions too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import; write the whole name"
            # a name may be a module or something within it: both are tried by whoever asks
            yield from (Import(f"{node.module}.{a.name}", node.lineno, for_types) for a in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for child in node.body:
                yield from imports(ast.Module([child], []), for_types=True)
        else:
            yield from imports(node, for_types)


def forbidden_imports(module: Module) -> list[str]:
    """Where a module imports what its layer may not."""
    package = max((p for p in ALLOWED if f"{module.name}.".startswith(f"{p}.")), key=len, default=None)
    if package is None:
        return []
    allowed = ALLOWED[package] | sys.stdlib_module_names
    return [
        f"{module.name}, line {i.line}: {i.target}"
        for i in imports(module.tree)
        if i.target.partition(".")[0] not in allowed
    ]


def training_imports(module: Module) -> list[str]:
    """Where a module that serves inference imports training; what evaluates reads labels as training does."""
    if module.name.startswith(("model.training", "model.evaluation")):
        return []
    return [
        f"{module.name}, line {i.line}: {i.target}"
        for i in imports(module.tree)
        if i.target.startswith("model.training") and not i.for_types
    ]


def dependencies(known: Iterable[str], module: Module) -> set[str]:
    """The modules among `known` that a module imports when it runs."""
    known = set(known)
    targets = {i.target for i in imports(module.tree) if not i.for_types}
    found = {t if t in known else t.rpartition(".")[0] for t in targets}
    return (found & known) - {module.name}


def import_cycle(found: dict[str, Module]) -> list[str]:
    """The modules of one import cycle, or an empty list."""
    try:
        graphlib.TopologicalSorter({n: dependencies(found, m) for n, m in found.items()}).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def run_python(code: str, folder: Path) -> str:
    """What a fresh interpreter prints, started in `folder` with the project on its path."""
    setup = f"import sys; sys.path[:0] = [{str(folder)!r}, {str(ROOT)!r}]; sys.dont_write_bytecode = True\n"
    command = [sys.executable, "-c", setup + code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_after(code: str, folder: Path) -> set[str]:
    """The top-level packages that a fresh interpreter has loaded once it ran `code`."""
    report = "\nimport json; print(json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"
    return set(json.loads(run_python(code + report, folder).splitlines()[-1]))


def work_done_by_importing(names: Iterable[str], others: Iterable[str], folder: Path) -> list[str]:
    """Files, folders, processes, connections, threads, CUDA contexts and changes of the environment.

    `others` are packages of other people; what they do when they are imported is theirs to answer for.
    """
    code = f"""
import importlib, json, os, sys, threading
sys.modules["openvino_telemetry"] = None  # or importing OpenVINO would report it
for name in {list(others)!r}:
    try:
        importlib.import_module(name)
    except ImportError:  # an optional one
        pass
WORK = {{"os.mkdir", "os.remove", "os.rename", "os.putenv", "os.unsetenv", "os.chdir", "os.system",
        "socket.connect", "subprocess.Popen"}}
done = []
def watch(event, arguments):
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if writes or event in WORK:
        done.append(f"{{event}} {{arguments}}")
threads = threading.active_count()
sys.addaudithook(watch)
for name in {list(names)!r}:
    importlib.import_module(name)
if "torch" in sys.modules and sys.modules["torch"].cuda.is_initialized():
    done.append("CUDA was initialised")
if threading.active_count() != threads:
    done.append("a thread was started")
print(json.dumps(done))
"""
    return list(json.loads(run_python(code, folder).splitlines()[-1]))


def test_every_layer_imports_only_what_it_may():
    assert [fault for m in modules().values() for fault in forbidden_imports(m)] == []


def test_inference_never_imports_training():
    assert [f for m in modules().values() if m.name.startswith("model") for f in training_imports(m)] == []


def test_no_module_imports_itself_by_way_of_others():
    assert import_cycle(modules()) == []


@pytest.mark.parametrize(
    ("name", "source", "fault"),
    [
        ("model.x", "import cv2", "model.x, line 1: cv2"),
        (
            "model.x",
            "def f():\n    from pipeline.overlay.draw import draw",
            "line 2: pipeline.overlay.draw.draw",
        ),
        ("pipeline.x", "if TYPE_CHECKING:\n    from app import cli", "pipeline.x, line 2: app.cli"),
        ("pipeline.x.y", "from PyQt6.QtCore import Qt", "pipeline.x.y, line 1: PyQt6"),
        ("ui.x", "import torch", "ui.x, line 1: torch"),
        ("model.training.x", "import av", "model.training.x, line 1: av"),
    ],
)
def test_an_import_across_the_layers_is_found(name: str, source: str, fault: str):
    assert fault in forbidden_imports(Module(name, ast.parse(source)))[0]


def test_a_cycle_is_found_even_within_functions():
    sources = {
        "model.a": "from model import b",
        "model.b": "import model.c",
        "model.c": "def f():\n    from model.a import x",
    }

    cycle = import_cycle({name: Module(name, ast.parse(text)) for name, text in sources.items()})

    assert set(cycle) == set(sources)


def test_training_imported_by_inference_is_found_but_not_what_types_need():
    at_run_time = Module("model.x", ast.parse("from model.training.loss import YolactLoss"))
    for_types = Module(
        "model.x", ast.parse("if TYPE_CHECKING:\n    from model.training.loss import YolactLoss")
    )

    assert training_imports(at_run_time)
    assert not training_imports(for_types)


@pytest.mark.parametrize("name", [*TORCH_FREE, *(n for n in modules() if n.partition(".")[0] == "ui")])
def test_records_configuration_and_command_line_load_without_torch(name: str, tmp_path: Path):
    assert "torch" not in loaded_after(f"import {name}", tmp_path)


def test_what_openvino_runs_needs_no_pytorch_from_the_file_to_the_last_frame(tmp_path: Path):
    demo = str(ROOT / "assets" / "demo.mp4")
    code = f"""
from app.cli import main
photo = {str(ROOT / "assets" / "photos" / "dog.jpg")!r}
assert main(["annotate", {demo!r}, photo, "-o", "out", "--max-frames", "5", "--json", "--quiet"]) == 0
assert main(["annotate", {demo!r}, "-o", "both", "--max-frames", "5", "--compare", "nms=soft"]) == 0
"""
    assert "torch" not in loaded_after(code, tmp_path)


def test_what_annotates_loads_neither_torchvision_nor_the_compiler_that_it_brings(tmp_path: Path):
    loaded = loaded_after("import app.annotate.videos, app.annotate.photos, model.loading", tmp_path)
    assert loaded & {"torchvision", "sympy", "openvino", "nncf"} == set()


@pytest.mark.parametrize("name", ["app.gui", "ui.window.main_window", "ui.window.application"])
def test_the_window_is_there_before_networks_and_decoders_are_loaded(name: str, tmp_path: Path):
    loaded = loaded_after(f"import {name}", tmp_path)
    assert loaded & {"torch", "torchvision", "openvino", "nncf", "cv2", "av", "pyqtgraph"} == set()


@pytest.mark.parametrize(
    "command", [(), *((name,) for name in COMMANDS)], ids=lambda c: " ".join(c) or "none"
)
def test_help_is_told_without_loading_anything_heavy(command: tuple[str, ...], tmp_path: Path):
    code = f"""
import runpy
sys.argv = ["run_app.py", *{command!r}, "--help"]
try:
    runpy.run_path({str(ROOT / "run_app.py")!r}, run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
"""
    assert loaded_after(code, tmp_path) & HEAVY == set()


def test_importing_every_module_does_no_work(tmp_path: Path):
    targets = {i.target for m in modules().values() for i in imports(m.tree)}
    # a target may be a module or something within one
    others = {t for target in targets for t in (target.rpartition(".")[0], target) if t}
    foreign = {t for t in others if t.partition(".")[0] not in {*LAYERS, *sys.stdlib_module_names}}

    assert work_done_by_importing(modules(), sorted(foreign), tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "work"),
    [
        ("import pathlib; pathlib.Path('made').mkdir()", "os.mkdir"),
        ("open('made', 'w').close()", "open"),
        ("import os; os.environ['X_MADE'] = '1'", "os.putenv"),
        ("import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()", "thread"),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
    ],
)
def test_work_done_by_an_import_is_found(source: str, work: str, tmp_path: Path):
    (tmp_path / "busy.py").write_text(source)

    assert work in work_done_by_importing(["busy"], [], tmp_path)[0]
