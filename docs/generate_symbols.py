"""Writes `docs/keras-symbols.md`, the table of Keras' names that this package has.

Run: python docs/generate_symbols.py. A test holds the file against what this makes.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

from scene_lightning._unsupported import names_with_advice

TARGET = Path(__file__).with_name("keras-symbols.md")
SPACES = (
    "", "models", "layers", "activations", "initializers", "regularizers", "constraints", "losses", "metrics",
    "optimizers", "optimizers.schedules", "callbacks", "preprocessing.image", "utils", "applications", "datasets",
    "saving", "config", "mixed_precision", "random", "ops", "ops.image", "backend",
)  # fmt: skip
HEAD = """# Keras names in this package

Made from the code by `python docs/generate_symbols.py`; a test holds it to be current. `a` = `b` are two names of one
thing. A name under *instead* can be imported; using it raises an `UnsupportedError` that says the same.
"""


def table() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(section(space) for space in SPACES)])


def section(space: str) -> str:
    """One namespace: the names it has, and what to use for those it has not."""
    module = importlib.import_module(f"scene_lightning.{space}".rstrip("."))
    names = [name for name in module.__all__ if not name.startswith("_")]
    parts = [f"## keras{'.' if space else ''}{space}\n", wrapped(merged(module, names))]
    for advice, absent in instead(space).items():
        parts.append(f"\n*{advice}*, instead of: {wrapped([f'`{name}`' for name in absent])}")
    return "\n".join(parts) + "\n"


def merged(module: ModuleType, names: list[str]) -> list[str]:
    """Names in order, each with the others that mean the same class or function."""
    groups: dict[Any, list[str]] = {}
    for name in sorted(names, key=str.lower):
        found = getattr(module, name)
        alike = inspect.isclass(found) or inspect.isroutine(found)
        groups.setdefault(id(found) if alike else name, []).append(name)
    return [" = ".join(f"`{name}`" for name in group) for group in groups.values()]


def instead(space: str) -> dict[str, list[str]]:
    """Advice → the names it is for."""
    names: dict[str, list[str]] = {}
    for name, advice in names_with_advice(f"keras.{space}".rstrip(".")).items():
        names.setdefault(advice, []).append(name)
    return names


def wrapped(words: list[str]) -> str:
    """The words in lines of at most 120 characters."""
    return textwrap.fill(", ".join(words), 120, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    TARGET.write_text(table(), encoding="utf-8")
    print(f"{TARGET.name}: {len(SPACES)} namespaces")
