"""The shape of the house: circles, floors, folders and names, read from the project's own sources."""

from __future__ import annotations

import ast
import graphlib
import re
from collections import Counter, defaultdict

from app.cli import COMMANDS
from tests.source_tree import LAYERS, ROOT, Module, modules
from tests.test_layering import imports

MOST_MODULES_A_FOLDER = 25  # besides __init__.py

# within `pipeline`, from the ground up: a floor imports from floors below it, and from itself
FLOORS: tuple[tuple[str, ...], ...] = (
    ("pipeline.frame", "pipeline.ebml", "pipeline.native_memory", "pipeline.worker"),
    ("pipeline.frame_queue",),
    ("pipeline.sources", "pipeline.stability", "pipeline.tracking"),
    ("pipeline.settings",),
    ("pipeline.overlay",),
    ("pipeline.detectors", "pipeline.sinks", "pipeline.metrics"),
    ("pipeline.stages",),
    ("pipeline.runner",),
    ("pipeline.builder",),
    ("pipeline.live",),
)
# modules that may know `argparse.Namespace` besides the commands themselves
PARSERS = {"app.cli", "app.options", "app.values"}
SCRIPTS = ("assets", "examples")  # folders of programs that belong to no layer


def targets(module: Module) -> set[str]:
    """The modules of the project that a module names in imports, those for types included."""
    known = modules().keys()
    found = {i.target if i.target in known else i.target.rpartition(".")[0] for i in imports(module.tree)}
    return (found & known) - {module.name}


def floor(name: str) -> int:
    """The floor of a module of `pipeline`, from 0."""
    fits = [n for n, names in enumerate(FLOORS) for p in names if f"{name}.".startswith(f"{p}.")]
    assert len(fits) == 1, f"{name} has no place in FLOORS, or several"
    return fits[0]


def test_no_circle_of_imports_even_with_those_for_types():
    try:
        graphlib.TopologicalSorter({n: targets(m) for n, m in modules().items()}).prepare()
    except graphlib.CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def test_within_the_pipeline_imports_lead_downward():
    upward = [
        f"{m.name} imports {t}"
        for m in modules().values()
        if m.name.startswith("pipeline.")
        for t in targets(m)
        if t.startswith("pipeline.") and floor(t) > floor(m.name)
    ]
    assert upward == []


def test_only_the_window_knows_what_is_live():
    faults = [
        f"{m.name} imports {t}"
        for m in modules().values()
        if not m.name.startswith(("ui", "pipeline.live"))
        for t in targets(m)
        if t.startswith("pipeline.live")
    ]
    assert faults == []


def test_parsed_arguments_stay_where_commands_are_parsed():
    commands = {module for module, _ in COMMANDS.values()}
    faults = [
        f"{m.name}, line {node.lineno}"
        for m in modules().values()
        if m.name not in commands | PARSERS
        for node in ast.walk(m.tree)
        if isinstance(node, ast.Attribute) and node.attr == "Namespace"
    ]
    assert faults == []


def test_no_folder_is_crowded():
    count = Counter(
        f"{path.parent.relative_to(ROOT)}" for layer in LAYERS for path in (ROOT / layer).rglob("[!_]*.py")
    )
    assert {folder: n for folder, n in count.items() if n > MOST_MODULES_A_FOLDER} == {}


def test_a_public_class_has_a_name_of_its_own():
    homes = defaultdict(list)
    for m in modules().values():
        for node in m.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(m.name)
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_work_is_imported_within_functions_by_commands_alone():
    commands = {"app.cli", *(module for module, _ in COMMANDS.values())}
    faults = [
        f"{m.name}, line {node.lineno}"
        for m in modules().values()
        if m.name.startswith("app.") and m.name not in commands
        for function in ast.walk(m.tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    assert faults == []


def test_the_first_line_of_a_docstring_says_what_is_returned_or_done():
    clauses = (
        *("What", "How", "Whether", "Where", "Which", "Why", "When", "Who", "Whose", "That"),
        *("All", "Those", "These", "Some", "Something", "Everything", "Each", "Every", "Both", "Its"),
        *("Nothing", "None", "Not", "So"),
        *("In", "At", "As", "By", "For", "From", "After", "Without"),
    )
    trees = {m.name: m.tree for m in modules().values()}
    scripts = (path for folder in SCRIPTS for path in sorted((ROOT / folder).glob("*.py")))
    trees |= {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in scripts}
    faults = [
        f"{name}: {line}"
        for name, tree in trees.items()
        for node in ast.walk(tree)
        # of modules, classes and functions, and those below constants
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in str(node.value.value).strip().splitlines()[:1]
        if re.split(r"\W", line)[0] in clauses
    ]
    assert faults == []
