"""Every name in a public signature can be imported from a public module."""

from __future__ import annotations

import ast
import builtins
import inspect
import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import pytest

import followersdata_async

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

PACKAGE = "followersdata_async"
CREATED_BY_THE_LIBRARY = {"Changes", "Listeners", "Outcomes", "Placements", "Polling"}
"""Users get objects of these classes from methods, so their constructors are not public."""


def is_public(name: str) -> bool:
    """Return whether no part of a module's dotted name is private."""
    return not any(part.startswith("_") for part in name.split("."))


def find_public_modules() -> dict[str, ModuleType]:
    """Return the public modules that say what they export."""
    names = [PACKAGE, *(info.name for info in pkgutil.walk_packages(followersdata_async.__path__, f"{PACKAGE}."))]
    skipped = (f"{PACKAGE}.cli", f"{PACKAGE}.ledger.migrations")
    modules = {name: import_module(name) for name in names if is_public(name) and not name.startswith(skipped)}
    return {name: module for name, module in modules.items() if hasattr(module, "__all__")}


MODULES = find_public_modules()
EXPORTED = {id(getattr(module, name)): f"{path}.{name}" for path, module in MODULES.items() for name in module.__all__}
OBJECTS = {f"{path}.{name}": getattr(module, name) for path, module in MODULES.items() for name in module.__all__}


@cache
def find_origins(module: str) -> dict[str, tuple[str, str]]:
    """Return the module and the name from which each global name of a module comes, also for type checkers only."""
    origins = {}
    for node in ast.walk(ast.parse(inspect.getsource(import_module(module)))):
        if isinstance(node, ast.Import):
            origins |= {(alias.asname or alias.name): (alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            path = import_module(module).__package__ if node.level else ""
            parts = (path or "").split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            full = ".".join(filter(None, [base, node.module]))
            origins |= {alias.asname or alias.name: (full, alias.name) for alias in node.names}
    return origins


def find_annotations(value: object) -> Iterator[tuple[str, object]]:
    """Yield the module and the text of each annotation of a public function or class."""
    if inspect.isclass(value):
        for class_ in value.__mro__:
            if class_.__module__.startswith(PACKAGE):
                yield from find_class_annotations(class_, with_constructor=value.__name__ not in CREATED_BY_THE_LIBRARY)
    elif inspect.isfunction(value):
        yield from ((value.__module__, text) for text in inspect.get_annotations(value).values())


def find_class_annotations(class_: type[Any], *, with_constructor: bool) -> Iterator[tuple[str, object]]:
    """Yield the annotations of a class: its public attributes, its public methods, and its constructor."""
    yield from ((class_.__module__, text) for name, text in inspect.get_annotations(class_).items() if is_public(name))
    for name, member in vars(class_).items():
        function = inspect.unwrap(getattr(member, "fget", None) or getattr(member, "__func__", member))
        # attrs writes constructors from the attributes.
        is_constructor = name == "__init__" and with_constructor and not attrs.has(class_)
        if inspect.isfunction(function) and (is_public(name) or is_constructor):
            yield from ((class_.__module__, text) for text in inspect.get_annotations(function).values())


def find_unexported(value: object) -> set[str]:
    """Return the names of this package in the annotations of a value that no public module exports."""
    found = set()
    for module, text in find_annotations(value):
        for node in ast.walk(ast.parse(text if isinstance(text, str) else "None", mode="eval")):
            if isinstance(node, ast.Name) and not hasattr(builtins, node.id):
                path, name = find_origins(module).get(node.id, (module, node.id))
                if path.startswith(PACKAGE):
                    part = getattr(import_module(path), name)
                    if id(part) not in EXPORTED and not isinstance(part, TypeVar):
                        found.add(f"{path}.{name}")
    return found


def test_an_unexported_name_is_found() -> None:
    """In a method of a class and in a function."""

    class Example:
        def __init__(self, settings: Settings) -> None:  # type: ignore[name-defined]  # noqa: F821
            """Take a private value."""

    Example.__module__ = f"{PACKAGE}._pipeline"
    assert find_unexported(Example) == {f"{PACKAGE}._settings.Settings"}


@pytest.mark.parametrize("name", OBJECTS)
def test_public_signatures_use_public_names(name: str) -> None:
    """Users can annotate whatever they pass and get."""
    assert find_unexported(OBJECTS[name]) == set()
