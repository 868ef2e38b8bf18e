"""Rules of the house that a machine can check, read from the project's own sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.source_tree import ROOT, Module, module, modules

MOST_LINES_A_FILE = 300
MOST_LINES_A_FUNCTION = 80


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)))


def calls(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """What is called, as written, and where."""
    return ((ast.unparse(n.func), n.lineno) for n in ast.walk(tree) if isinstance(n, ast.Call))


def public_parts(module: Module) -> Iterator[tuple[str, ast.Module | ast.FunctionDef | ast.ClassDef]]:
    """The module itself, its public functions and classes, and their public methods."""
    yield module.name, module.tree
    for node in module.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield f"{module.name}.{node.name}", node
            for part in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(part, ast.FunctionDef) and not part.name.startswith("_"):
                    yield f"{module.name}.{node.name}.{part.name}", part


def test_only_the_application_prints_or_exits():
    said = {"print", "input", "exit", "quit", "sys.exit", "os._exit"}
    faults = [
        f"{m.name}, line {line}: {call}"
        for m in modules().values()
        if not m.name.startswith("app")
        for call, line in calls(m.tree)
        if call in said
    ]
    assert faults == []


def test_nothing_is_evaluated_from_text_and_no_function_rebinds_a_global():
    faults = [
        f"{m.name}, line {line}: {call}"
        for m in modules().values()
        for call, line in calls(m.tree)
        if call in {"eval", "exec", "compile"}
    ]
    rebound = [m.name for m in modules().values() for n in ast.walk(m.tree) if isinstance(n, ast.Global)]
    assert faults + rebound == []


def test_every_source_file_and_every_function_stays_short():
    tests = [module(path) for path in sorted((ROOT / "tests").rglob("*.py"))]
    long_files = [f"{m.name}: {m.lines}" for m in modules().values() if m.lines > MOST_LINES_A_FILE]
    long_functions = [
        f"{m.name}.{f.name}: {length}"
        for m in (*modules().values(), *tests)
        for f in functions(m.tree)
        if (length := (f.end_lineno or f.lineno) - f.lineno + 1) > MOST_LINES_A_FUNCTION
    ]
    assert long_files + long_functions == []


def test_everything_public_says_what_it_is():
    undocumented = [
        name
        for m in modules().values()
        if m.lines
        for name, part in public_parts(m)
        if not ast.get_docstring(part)
    ]
    assert undocumented == []
