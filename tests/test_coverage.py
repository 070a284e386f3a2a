"""Holds that tests use each exported name (a call, or a row of a table that they run), and docs/keras-symbols.md."""

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
# namespace → where its tests are. What is exported there must be used there: called, passed on, or a row of a table.
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
    "initializers": {"Initializer": "the base of the classes"},
    "losses": {"LossFunctionWrapper": "the base of the classes", "Reduction": "a list of names"},
    "models": {"Functional": "what Model(inputs, outputs) makes, in each test of a graph"},
    "metrics": {
        "cosine_similarity": "called by its name in tests/metrics/test_container.py, beside Keras",
        "MetricContainer": "of compile(), not of Keras",
        "resolve_metric": "of compile()"},
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
def used_in(places: tuple[str, ...]) -> set[str]:
    """What these tests call, pass on or look up: not what they import, mention in a text or compare types with."""
    used: set[str] = set()
    for place in places:
        path = TESTS / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            tree = ast.parse(file.read_text(encoding="utf-8"))
            idle = {id(part) for node in ast.walk(tree) for part in not_run(node)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute) and id(node) not in idle:
                    used.add(node.attr)
                elif isinstance(node, ast.Name) and id(node) not in idle:
                    used.add(node.id)
                for table in tables(node):
                    used |= words_of(table)
            for node in (inner for table in tables(tree) for inner in ast.walk(table)):  # `X.__all__`: all of X
                if isinstance(node, ast.Attribute) and node.attr == "__all__" and isinstance(node.value, ast.Name):
                    used.update(namespace(node.value.id).__all__)
    return used


def not_run(node: ast.AST) -> list[ast.AST]:
    """Names in this node that are only compared or annotated with."""
    if isinstance(node, ast.Compare) and all(
        isinstance(one, ast.Is | ast.IsNot | ast.In | ast.NotIn) for one in node.ops
    ):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass", "hasattr"):
        return [part for argument in node.args[1:] for part in ast.walk(argument)]
    if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
        return list(ast.walk(node.annotation))
    return []


def tables(node: ast.AST) -> list[ast.expr]:
    """Where names stand as strings to be looked up: a module's values, marks of a test, what a loop takes, getattr."""
    if isinstance(node, ast.Module):
        return [one.value for one in node.body if isinstance(one, ast.Assign | ast.AnnAssign) and one.value]
    if isinstance(node, ast.FunctionDef):
        return node.decorator_list
    if isinstance(node, ast.For | ast.comprehension):
        return [node.iter]
    if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in ("getattr", "get"):
        return [node]
    return []


def words_of(table: ast.expr) -> set[str]:
    """The names in a table's strings and keywords; a string with anything but names is a text."""
    strings = [node.value for node in ast.walk(table) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    names = [
        name for text in strings if re.fullmatch(r"[A-Za-z_][\w.]*( +[A-Za-z_][\w.]*)*", text) for name in text.split()
    ]
    keywords = [node.arg for node in ast.walk(table) if isinstance(node, ast.keyword) and node.arg]
    return {part for name in names for part in name.split(".")} | set(keywords)


def is_covered(space: str, name: str) -> bool:
    """Used under `space`, or the same class or function used under another namespace that exports it."""
    module = namespace(space)
    thing = getattr(module, name)
    if aliases(module, name) & used_in(PLACES[space]) or inspect.ismodule(thing):
        return True
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        return False
    others = [other for other in PLACES if other not in (space, "applications")]
    exports = [(other, one) for other in others for one in namespace(other).__all__]
    shared = [(other, one) for other, one in exports if getattr(namespace(other), one) is thing]
    return any(aliases(namespace(other), one) & used_in(PLACES[other]) for other, one in shared)


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


def test_an_import_a_text_and_a_comparison_are_no_use(tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(
        "import scene_lightning as keras\nfrom scene_lightning.layers import Dense\nTABLE = ['Conv2D Add', 'softmax']\n"
        "def test(x: keras.Model) -> None:\n    assert type(x) is keras.layers.Flatten, 'Dropout'\n"
        "    assert isinstance(x, keras.layers.Average) and keras.layers.Multiply()(x) is not None\n"
    )
    words = {"Dense", "Conv2D", "Add", "softmax", "Model", "Flatten", "Dropout", "Average", "Multiply"}
    assert used_in((str(file),)) & words == {"Conv2D", "Add", "softmax", "Multiply"}


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
