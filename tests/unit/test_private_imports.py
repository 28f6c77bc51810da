"""Only the package and its tests import what is not public."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = sorted([*ROOT.glob("benchmarks/**/*.py"), *ROOT.glob("docs/**/*.py")])
MARKDOWN = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("followersdata_async/**/*.py")])
IMPORT = re.compile(r"\b(?:from|import)\s+(followersdata_async[\w.]*)(?:\s+import\s+([^#\n]+))?")


def find_private_imports(source: str) -> list[str]:
    """Return the private modules and names of the package that Python code imports."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in found if is_private(name)]


def find_unexported_imports(source: str) -> list[str]:
    """Return the names that Python code imports from modules of the package that do not export them."""
    return [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "followersdata_async"
        for alias in node.names
        if alias.name not in getattr(import_module(str(node.module)), "__all__", ())
    ]


def find_private_examples(text: str) -> list[str]:
    """Return the private modules and names of the package that examples in a text import, line by line."""
    found = []
    for module, names in IMPORT.findall(text):
        found += [f"{module}.{name}" for name in re.findall(r"\w+", names)] or [module]
    return [name for name in found if is_private(name)]


def is_private(name: str) -> bool:
    """Return whether a dotted name is a private one of the package."""
    package, *parts = name.split(".")
    return package == "followersdata_async" and any(re.match(r"_(?!_)", part) for part in parts)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import followersdata_async._wire", ["followersdata_async._wire"]),
        ("from followersdata_async import AsyncClient, _settings", ["followersdata_async._settings"]),
        ("from followersdata_async._batch.ids import split_ids", ["followersdata_async._batch.ids.split_ids"]),
        ("from followersdata_async import __version__", []),
        ("from followersdata_async.models import Ok", []),
    ],
)
def test_private_imports_are_found(source: str, expected: list[str]) -> None:
    """In code and in examples."""
    assert find_private_imports(source) == expected
    assert find_private_examples(f"```python\n{source}\n```") == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from followersdata_async.sandbox.backend import Backend", ["followersdata_async.sandbox.backend.Backend"]),
        ("from followersdata_async.sandbox import Sandbox, backend", ["followersdata_async.sandbox.backend"]),
        ("from followersdata_async import AsyncClient, orders", []),
        ("from .sandbox import Backend", []),
        ("from json import loads", []),
    ],
)
def test_unexported_imports_are_found(source: str, expected: list[str]) -> None:
    """Also from modules without an underscore."""
    assert find_unexported_imports(source) == expected


def test_benchmarks_and_example_programs_import_exported_names() -> None:
    """What they do, every user can do."""
    found = {file.name: find_unexported_imports(file.read_text("utf-8")) for file in PYTHON}
    assert {name: imports for name, imports in found.items() if imports} == {}


def test_benchmarks_and_example_programs_import_public_modules() -> None:
    """What they do, every user can do."""
    found = {file.name: find_private_imports(file.read_text("utf-8")) for file in PYTHON}
    assert {name: imports for name, imports in found.items() if imports} == {}


def test_examples_import_public_modules() -> None:
    """In README, the documentation and docstrings."""
    found = {file.name: find_private_examples(file.read_text("utf-8")) for file in MARKDOWN}
    assert {name: imports for name, imports in found.items() if imports} == {}
