"""Finds the modules that a program imports from Keras or TensorFlow, that are not here, and that it never uses."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from scene_lightning.compat.import_map import belongs, is_here
from scene_lightning.compat.version_detection import parsed


def never_used(source: str) -> list[str]:
    """Name the modules that a program imports and never uses, in order; [] for a text that is not Python.

    A module is used when the name that the import gives it stands anywhere else in the text.

    Args:
        source: the program's text.
    """
    unused = set()
    for tree in parsed([source]):
        names = set(_uses(tree))
        unused |= {module for module, bound in _imports(tree) if bound not in names and not is_here(module)}
    return sorted(unused)


def _uses(tree: ast.Module) -> Iterator[str]:
    """Every name that is read, and every dotted path that begins with one."""
    for node in ast.walk(tree):
        path = _path(node)
        if path:
            yield path


def _path(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _path(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(module, what the program calls it) of each module of Keras' or TensorFlow's that is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, alias.asname or alias.name) for alias in node.names if belongs(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level and belongs(node.module):
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                if module in sys.modules:
                    yield module, alias.asname or alias.name
