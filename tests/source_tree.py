"""The project's own sources, parsed, for the tests that read them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("model", "pipeline", "ui", "app")


@dataclass(frozen=True)
class Module:
    """A source file under the name that it is imported by."""

    name: str
    tree: ast.Module
    lines: int = 0


@cache
def modules() -> dict[str, Module]:
    """Every module of the layers that there are."""
    found = [module(path) for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]
    return {m.name: m for m in found}


def module(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text(encoding="utf-8")
    return Module(name, ast.parse(text), len(text.splitlines()))
