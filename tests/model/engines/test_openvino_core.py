"""One OpenVINO Core a process: with more, freed in the wrong order, the next signal ends the process."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from model.engines.openvino_core import openvino_core
from tests.source_tree import ROOT, modules

MAKES_ONE = {"Core", "compile_model", "read_model"}  # as names of the package, not as methods of a Core
CODE = """
import signal, sys
from pathlib import Path
import torch
from model.engines.choice import detect_machine
from model.engines.compiled_cache import CompiledCache, Compiler, ModelKey, compiled_cache
from model.detection.raw_outputs import raw_outputs
from model.engines.openvino_engine import OpenVinoEngine
from model.exporting.openvino_model import to_openvino
from tests.confident_network import confident_network

told = []
signal.signal(signal.SIGUSR1, lambda number, frame: told.append(number))
detect_machine()
compiled_cache()
network = confident_network()
cache = CompiledCache(Path(sys.argv[1]), "here")

def engine(digest):
    key = ModelKey(digest * 32, "tiny.pt", None, True, "fp32")
    made = OpenVinoEngine(Compiler(lambda: to_openvino(network), key, cache, "fp32"), "fp32", raw_outputs)
    made.start(torch.zeros(1, 3, 64, 64))()
    return made

first = engine("ab")
second = engine("cd")
del first
del second
signal.raise_signal(signal.SIGUSR1)
assert told == [signal.SIGUSR1]
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="signals with stacks of their own are POSIX")
def test_a_signal_is_handled_after_engines_have_gone_in_the_order_in_which_they_came(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_all_threads_share_one():
    found = []
    threads = [threading.Thread(target=lambda: found.append(openvino_core())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({id(core) for core in found}) == 1


def test_no_other_module_makes_one():
    makers = {
        name
        for name, module in modules().items()
        for node in ast.walk(module.tree)
        if makes_one(node) and name != "model.engines.openvino_core"
    }
    assert makers == set()


def makes_one(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "openvino" and any(alias.name in MAKES_ONE for alias in node.names)
    of_the_package = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    return of_the_package and node.value.id in ("openvino", "ov") and node.attr in MAKES_ONE


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("from openvino import Core, Model", True),
        ("core = openvino.Core()", True),
        ("ov.compile_model(model)", True),
        ("core.compile_model(model)", False),
        ("from openvino import Model", False),
    ],
)
def test_one_who_makes_one_is_found(code: str, expected: bool):
    assert any(map(makes_one, ast.walk(ast.parse(code)))) is expected
