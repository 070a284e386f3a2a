"""Every exported name of every Keras-facing namespace stands in a parity table or test; the symbol table is current."""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent
# namespace → where its tests are. What is exported there must be named there: in a table's string, or in code.
PLACES = {
    "activations": ("test_activations.py",),
    "applications": ("applications",),
    "backend": ("backend", "test_namespaces.py", "ops"),
    "callbacks": ("callbacks",),
    "config": ("test_namespaces.py", "callbacks", "fast", "utils"),
    "constraints": ("test_regularizers_constraints.py",),
    "datasets": ("test_namespaces.py",),
    "initializers": ("test_initializers.py",),
    "layers": ("layers", "utils/test_lookup.py"),
    "losses": ("losses", "test_namespaces.py"),
    "metrics": ("metrics",),
    "mixed_precision": ("test_namespaces.py",),
    "models": ("models", "saving", "test_namespaces.py"),
    "ops": ("ops",),
    "ops.image": ("ops",),
    "optimizers": ("optimizers",),
    "optimizers.schedules": ("optimizers",),
    "preprocessing.image": ("preprocessing", "utils", "test_namespaces.py"),
    "random": ("test_namespaces.py",),
    "regularizers": ("test_regularizers_constraints.py",),
    "saving": ("test_namespaces.py", "saving", "models"),
    "tree": ("test_tree.py",),
    "utils": ("utils", "callbacks", "test_namespaces.py", "models"),
}
# Not compared, and why.
REASONS = {
    "backend": {
        "print_tensor": "prints", "set_session": "does nothing", "manual_variable_initialization": "does nothing",
    },
    "config": dict.fromkeys(
        (
            "disable_traceback_filtering", "enable_traceback_filtering", "is_traceback_filtering_enabled",
            "enable_unsafe_deserialization",
        ),
        "does nothing here",
    ),
    "datasets": dict.fromkeys(
        ("boston_housing", "california_housing", "cifar100", "fashion_mnist", "reuters"),
        "the same reader as one that is tested, or a stand-in",
    ),
    "losses": {"LossFunctionWrapper": "the base of the classes", "Reduction": "a list of names"},
    "metrics": {"MetricContainer": "of compile(), not of Keras", "resolve_metric": "of compile()"},
    "preprocessing.image": dict.fromkeys(
        ("BatchFromFilesMixin", "DataFrameIterator", "Iterator", "NumpyArrayIterator", "validate_filename"),
        "what flow() and its sisters give, compared through them",
    ),
    "saving": dict.fromkeys(
        (
            "OptimizerState", "check_image_info", "normalize_compile_config", "normalize_model_config",
            "portable_config", "read_tensors", "read_tf_checkpoint", "write_keras2_h5", "write_tensors",
        ),
        "parts of reading and writing, driven by each test of a file",
    ),
    "optimizers": {
        "KerasOptimizer": "the torch face of every optimizer, driven by each of their tests",
        "ScalarVariable": "the learning rate of each of their tests",
        "experimental": "old paths of the same classes", "legacy": "old paths of the same classes",
        "schedules": "a namespace of its own here",
    },
}  # fmt: skip


def namespace(name: str) -> Any:
    return importlib.import_module(f"scene_lightning.{name}")


@functools.cache
def named_in(places: tuple[str, ...]) -> set[str]:
    """Each identifier, attribute and string in these tests; `X.__all__` in a module's own table stands for all of X."""
    found: set[str] = set()
    for place in places:
        path = TESTS / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            tree = ast.parse(file.read_text(encoding="utf-8"))
            prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute):
                    found.add(node.attr)
                elif isinstance(node, ast.Name):
                    found.add(node.id)
                elif isinstance(node, ast.alias):
                    found.add(node.name)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                    found.update(re.findall(r"\w+", node.value))
            tables = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and node.value]
            for node in (inner for table in tables for inner in ast.walk(table)):
                if isinstance(node, ast.Attribute) and node.attr == "__all__" and isinstance(node.value, ast.Name):
                    found.update(namespace(node.value.id).__all__)
    return found


def is_covered(space: str, name: str) -> bool:
    """Named under `space`, or the same class or function named under another namespace that exports it."""
    module = namespace(space)
    thing = getattr(module, name)
    if aliases(module, name) & named_in(PLACES[space]) or inspect.ismodule(thing):
        return True
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        return False
    others = [other for other in PLACES if other not in (space, "applications")]
    exports = [(other, one) for other in others for one in namespace(other).__all__]
    shared = [(other, one) for other, one in exports if getattr(namespace(other), one) is thing]
    return any(aliases(namespace(other), one) & named_in(PLACES[other]) for other, one in shared)


def aliases(module: Any, name: str) -> set[str]:
    """`name`, and the other names that the module has for the same class or function."""
    thing = getattr(module, name)
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        return {name}
    return {name, *(other for other in module.__all__ if getattr(module, other) is thing)}


@pytest.mark.parametrize("name", sorted(PLACES))
def test_every_export_is_in_a_table_or_test(name: str) -> None:
    module = namespace(name)
    uncovered = [one for one in module.__all__ if not is_covered(name, one)]
    assert sorted(set(uncovered) - set(REASONS.get(name, {}))) == [], f"add them to a table in {PLACES[name]}"
    assert set(REASONS.get(name, {})) <= set(module.__all__), "a reason for a name that is not exported"


def test_every_namespace_has_a_place() -> None:
    top = importlib.import_module("scene_lightning")
    spaces = {name for name in top.__all__ if inspect.ismodule(getattr(top, name))}
    assert spaces - set(PLACES) == {"data", "preprocessing"}, "data is not Keras'; preprocessing holds image alone"


def test_the_table_of_symbols_is_current() -> None:
    path = TESTS.parent / "docs" / "generate_symbols.py"
    spec = importlib.util.spec_from_file_location("generate_symbols", path)
    assert spec is not None and spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    assert generator.TARGET.read_text(encoding="utf-8") == generator.table(), "run python docs/generate_symbols.py"
