"""OpenVINO and NNCF report nothing: no connection, no identifier in the home folder, no thread that sends."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source_tree import ROOT, modules

REPORTING = {"openvino", "nncf"}
CODE = """
import sys, threading
sent = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        sent.append((event, str(arguments)))
sys.addaudithook(watch)
from model.engines.openvino_core import refuse_telemetry
refuse_telemetry()
import {library}
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join(10)
assert not sent, sent
assert sys.modules["openvino_telemetry"] is None
"""


def imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").partition(".")[0]}
    return {a.name.partition(".")[0] for a in node.names} if isinstance(node, ast.Import) else set()


@pytest.mark.parametrize("library", ["openvino", pytest.param("nncf", marks=pytest.mark.slow)])
def test_nothing_is_sent_and_nothing_is_left_in_the_home_folder(library: str, tmp_path: Path):
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("NNCF", "CI", "TF_BUILD", "JENKINS"))
    }

    done = subprocess.run(
        [sys.executable, "-c", CODE.format(library=library)],
        cwd=ROOT,
        env={**environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "intel").exists()


def test_no_module_imports_them_as_it_is_imported_itself():
    at_once = [
        name for name, module in modules().items() for node in module.tree.body if imported(node) & REPORTING
    ]
    assert at_once == []
