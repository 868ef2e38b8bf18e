"""The documents name what is there: paths, modules, classes, functions and flags in backticks, and links."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.source_tree import LAYERS, ROOT, module

DOCUMENTS = ("ARCHITECTURE.md", "CONTRIBUTING.md")
# names of other projects, of Python and of command lines
OUTSIDE = {
    "ONNX", "OpenCV", "OpenVINO", "PyAV", "PyTorch", "ByteTrack", "Core", "Fraction", "OMP_NUM_THREADS",
    "QWidget", "TYPE_CHECKING", "YOLACT", "GPU", "CPU", "NMS", "BLOCK", "DROP_OLDEST",
}  # fmt: skip

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"\.?[\w-]+(?:/[\w.-]+)*/?|[\w-]+\.(?:py|md|toml|txt|sh)")
_DOTTED = re.compile(rf"(?:{'|'.join((*LAYERS, 'tests', 'examples'))})(?:\.\w+)+")
_IN_PICTURES = re.compile(
    rf"\b(?:{'|'.join(LAYERS)})[./]\w[\w./]*\w|\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b|--[a-z][a-z-]+"
)

# parsing all files, as `is_defined` does with a few, would take seconds
_NAMES = re.compile(r"^\s*(?:def|class) (\w+)|^\s*(\w+)(?:: [^\n=]+)?(?: = |$)", re.MULTILINE)
_FLAGS = re.compile(r"\"(--[a-z][a-z0-9-]*)\"")


def mentioned(text: str) -> Iterator[str]:
    """What stands in backticks, and what looks like a name of the project in Mermaid pictures."""
    yield from _SPAN.findall(_FENCED.sub("", text))
    for language, body in _FENCED.findall(text):
        if language == "mermaid":
            yield from _IN_PICTURES.findall(body)


def exists(name: str) -> bool:
    """Whether a path, a dotted name, a flag or the name of a class, constant or function is there.

    True for anything else, such as a command or an expression.
    """
    if name.startswith("--"):
        return name.partition(" ")[0] in flags()
    if _DOTTED.fullmatch(name) and not (ROOT / name).exists():
        return is_defined(name)
    if _PATH.fullmatch(name) and ("/" in name or "." in name):
        return (ROOT / name).exists()
    plain = name.removesuffix("()")
    if plain.isidentifier() and plain not in OUTSIDE and (plain != plain.lower() or "_" in plain):
        return plain in names()
    return True


def is_defined(dotted: str) -> bool:
    """Whether a dotted name is a module, or is defined in one, at its top or in one of its classes."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:count])
        if path.is_dir() and count == len(parts):
            return True
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if file.is_file():
            return _has(module(file).tree, parts[count:])
    return False


def _has(scope: ast.AST, parts: list[str]) -> bool:
    if not parts:
        return True
    inner = [node for node in ast.iter_child_nodes(scope) if parts[0] in set(_defined(node))]
    return any(len(parts) == 1 or _has(node, parts[1:]) for node in inner)


def _defined(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def _sources(*folders: str) -> Iterator[str]:
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            yield path.read_text(encoding="utf-8")


@cache
def names() -> frozenset[str]:
    """Every name that is defined anywhere: classes, functions, fields and variables."""
    return frozenset(
        name
        for text in _sources(*LAYERS, "tests", "examples")
        for found in _NAMES.findall(text)
        for name in found
    )


@cache
def flags() -> frozenset[str]:
    """Every flag of the command line."""
    return frozenset(flag for text in _sources("app") for flag in _FLAGS.findall(text))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_mentions_is_there(document: str):
    text = (ROOT / document).read_text(encoding="utf-8")
    assert [name for name in dict.fromkeys(mentioned(text)) if not exists(name)] == []


@pytest.mark.parametrize("document", [*DOCUMENTS, "README.md", "CHANGELOG.md", "findings/README.md"])
def test_links_lead_somewhere(document: str):
    path = ROOT / document
    links = re.findall(r"\]\(([^)#:]+)(?:#[\w-]*)?\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_finding_is_in_the_table():
    table = (ROOT / "findings" / "README.md").read_text(encoding="utf-8")
    scripts = sorted(path.name for path in (ROOT / "findings").glob("*.sh"))
    assert sorted(re.findall(r"^\| \[`([\w.]+)`\]", table, re.MULTILINE)) == scripts


@pytest.mark.parametrize(
    "name",
    [
        "pipeline/nowhere.py", "pipeline.runner.Nothing", "pipeline.runner.Runner.fly", "NoSuchClass",
        "NO_SUCH_TABLE", "no_such_function()", "--no-such-flag", "nothing.md",
    ],
)  # fmt: skip
def test_what_is_not_there_is_found(name: str):
    assert not exists(name)


@pytest.mark.parametrize(
    "name",
    [
        "pipeline/runner.py", "pipeline/", "pipeline.runner.Runner.start", "pipeline.frame.Frame.pts",
        "SOURCES", "Runner", "load_predictor()", "--stabilise light", "make test", "x + 1",
    ],
)  # fmt: skip
def test_what_is_there_is_found(name: str):
    assert exists(name)


def test_names_in_pictures_are_looked_at():
    text = "```mermaid\nflowchart LR\n a[pipeline/nowhere.py] --> b[NoSuchClass of pipeline.runner]\n```\n"
    assert [name for name in mentioned(text) if not exists(name)] == ["pipeline/nowhere.py", "NoSuchClass"]
