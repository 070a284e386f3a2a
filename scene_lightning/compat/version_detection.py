"""Finds in a program's source which Keras it was written for, from spellings that only Keras before 2.4 had.

`Conv2D(32, 3, 3)` was a 3x3 kernel in Keras 1 and, with a warning, until Keras 2.3; tf.keras and every Keras since 2.4
read kernel_size=3, strides=3. The call alone cannot tell: the rest of its program can. Source: Keras 2.0's
`legacy/interfaces.py` and `legacy/layers.py`.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_KEYWORDS = {
    "nb_epoch", "samples_per_epoch", "nb_val_samples", "val_samples", "nb_worker", "nb_filter", "nb_row", "nb_col",
    "border_mode", "dim_ordering", "subsample", "atrous_rate", "filter_length", "pool_length", "W_regularizer",
    "b_regularizer", "W_constraint", "b_constraint", "gamma_init", "beta_init", "show_accuracy",
}  # fmt: skip
# Words that others use too, and mean Keras 1 in the calls named here.
_KEYWORDS_OF = {
    "Dense": ("output_dim", "init"),
    "Convolution2D": ("init", "bias"),
    "Conv2D": ("init",),
    "Model": ("input", "output"),
    "Dropout": ("p",),
    "merge": ("mode",),
    "Merge": ("mode",),
}
_IMPORTS = {"AtrousConvolution2D", "Convolution2D", "Deconvolution2D", "Highway", "MaxoutDense", "Merge", "merge"}
_BACKEND = {"set_image_dim_ordering", "image_dim_ordering"}
_DEEPEST = 40  # files: a program's own modules, not a library's


def old_spellings(program: Path) -> tuple[str, ...]:
    """Find the evidence in a script or notebook and in the modules beside it that it imports; () when there is none.

    A program that cannot be read or parsed has none: running it will say why.

    Args:
        program: its file.
    """
    return _evidence(list(_trees_of(program)))


def old_spellings_in(cells: Iterable[str]) -> tuple[str, ...]:
    """Find the evidence in the cells of a notebook, as far as they have run.

    Args:
        cells: their texts.
    """
    return _evidence(list(parsed(cells)))


def _evidence(trees: list[ast.Module]) -> tuple[str, ...]:
    if not any(_imports_keras(tree) for tree in trees) or any(_uses_tf_keras(tree) for tree in trees):
        return ()
    return tuple(dict.fromkeys(word for tree in trees for word in _spellings(tree)))


def _trees_of(program: Path) -> Iterator[ast.Module]:
    waiting, seen = [program], {program}
    while waiting and len(seen) < _DEEPEST:
        path = waiting.pop(0)
        for tree in parsed(_texts_of(path)):
            yield tree
            for module in _imported_modules(tree):
                beside = program.parent.joinpath(*module.split("."))
                for file in (beside.with_suffix(".py"), beside / "__init__.py"):
                    if file not in seen and file.is_file():
                        seen.add(file)
                        waiting.append(file)


def _texts_of(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix.lower() != ".ipynb":
            return [text]
        cells = json.loads(text)["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def parsed(texts: Iterable[str]) -> Iterator[ast.Module]:
    """Parse those texts that are Python, but for a notebook's magics.

    Args:
        texts: of files or cells.
    """
    for text in texts:
        try:
            yield ast.parse(re.sub(r"(?m)^(\s*)[%!?].*$", r"\1pass", text))  # a notebook's magics are no Python
        except (SyntaxError, ValueError):
            continue


def _imported_modules(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield module or "."
            yield from (f"{module}.{alias.name}".strip(".") for alias in node.names)


def _imports_keras(tree: ast.Module) -> bool:
    return any(module.partition(".")[0] == "keras" for module in _imported_modules(tree))


def _uses_tf_keras(tree: ast.Module) -> bool:
    by_import = any(re.match(r"tensorflow(\.\w+)*\.keras\b|tf_keras\b", module) for module in _imported_modules(tree))
    return by_import or any(
        isinstance(node, ast.Attribute) and node.attr == "keras" and _last_name(node.value) in ("tf", "tensorflow")
        for node in ast.walk(tree)
    )


def _spellings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "keras":
            yield from (alias.name for alias in node.names if alias.name in _IMPORTS)
        elif isinstance(node, ast.Call):
            called = _last_name(node.func)
            names = [keyword.arg for keyword in node.keywords if keyword.arg]
            yield from (f"{name}=" for name in names if name in _KEYWORDS)
            yield from (f"{called}({name}=)" for name in names if name in _KEYWORDS_OF.get(called, ()))
            if called in _BACKEND:
                yield f"K.{called}"


def _last_name(node: Any) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
