"""What `help()` and a hover in an editor show: every public name is described, and its `Args` are its parameters.

One module: `pytest tests/test_docstrings.py -k "public and layers"`. The form:

    def resize(images, size, *, antialias=False, **kwargs):
        \"""Resize images.

        Args:
            images: tensor of (batch, height, width, channels).
            size: target (height, width) in pixels.
            antialias: whether to blur before shrinking.
            **kwargs: name, dtype and trainable, as for `Layer`.
        \"""

An `Example:` after ">>>" is run and knows `keras`, `np` and `torch`; code that needs files stands without. The first
line is a sentence that ends in a full stop. Every parameter has an entry under `Args:` or `Call arguments:`, and every
entry of `Args:` is a parameter; `width, height: text` describes two. A class describes the parameters of its
constructor in its own docstring. Text stands in the source, so that editors, which do not run it, can show it.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import scene_lightning
from scene_lightning._unsupported import is_absent
from scene_lightning.layers import Layer
from scene_lightning.models import Model

PACKAGE = Path(scene_lightning.__file__).parent
# Keras' modules in the order in which a name that several export is counted: it belongs to the first.
MODULES = (
    "layers", "models", "losses", "metrics", "optimizers", "optimizers.schedules", "callbacks", "initializers",
    "regularizers", "constraints", "activations", "random", "mixed_precision", "preprocessing.image", "ops",
    "ops.image", "ops.linalg", "applications", "applications.imagenet_utils", "datasets.boston_housing",
    "datasets.california_housing", "datasets.cifar10", "datasets.cifar100", "datasets.fashion_mnist", "datasets.mnist",
    "saving", "utils", "tree", "config", "backend", "",
)  # fmt: skip
# Classes that programs subclass or whose methods they call: their public methods and properties are described, too.
CLASSES = (
    "layers.Layer", "models.Model", "models.Sequential", "losses.Loss", "metrics.Metric", "optimizers.Optimizer",
    "callbacks.Callback", "initializers.Initializer", "regularizers.Regularizer", "constraints.Constraint",
    "utils.Dataset", "utils.PyDataset", "utils.Progbar", "preprocessing.image.ImageDataGenerator",
)  # fmt: skip
# Methods that torch and Lightning call: their pages describe them, and which arguments they take.
HOOKS = re.compile(r"on_\w+|(training|validation|test|predict)_step|setup|teardown|configure_\w+|forward|dtype")
# Modules whose functions are made from a table, with their text: no editor shows it, `help()` does.
MADE_FROM_TABLES = {"ops", "applications"}


# -- the rules ---------------------------------------------------------------------------------------------------------

ENTRY = re.compile(r" {4}(\*{0,2}\w+(?:, \*{0,2}\w+)*):(?: |$)")


def sections(text: str) -> dict[str, str]:
    """Heading → the lines below it, for a docstring in Google's form."""
    parts = re.split(r"^(\w[\w ]*):\n(?=    )", inspect.cleandoc(text) + "\n", flags=re.MULTILINE)
    bodies = [re.split(r"^(?=\S)", body, maxsplit=1, flags=re.MULTILINE)[0] for body in parts[2::2]]
    return dict(zip(parts[1::2], bodies, strict=True))


def entries(body: str) -> list[str]:
    """The names that a section describes."""
    matches = (ENTRY.match(line) for line in body.splitlines())
    return [name for match in matches if match for name in match[1].split(", ")]


def parameters(thing: Any) -> list[str]:
    """The names that a signature takes, with their stars; none for what has no signature."""
    try:
        signature = inspect.signature(thing)
    except ValueError:
        return []
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    taken = [stars.get(p.kind, "") + p.name for p in signature.parameters.values()]
    return [name for name in taken if name not in ("self", "cls") and not name.startswith("_")]


def faults(name: str, thing: Any, text: str | None, made: bool = False) -> Iterator[str]:
    """What is wrong with one docstring."""
    if not text or not text.strip():
        yield f"{name}: no docstring"
        return
    first = text.strip().splitlines()[0]
    if not first.endswith("."):
        yield f"{name}: the first line is no sentence with a full stop: {first!r}"
    if not made and first not in written_in(thing):
        yield f"{name}: its docstring is made at run time; no editor shows it"
    parts = sections(text)
    described = entries(parts.get("Args", ""))
    taken = [] if isinstance(thing, property) else parameters(thing)
    if missing := [p for p in taken if p not in [*described, *entries(parts.get("Call arguments", ""))]]:
        yield f"{name}: not in Args: {', '.join(missing)}"
    if unknown := [p for p in described if p not in taken]:
        yield f"{name}: in Args, but no parameter: {', '.join(unknown)}"
    if len(described) != len(set(described)):
        yield f"{name}: an argument is described twice"


def written_in(thing: Any) -> str:
    """The text of the file that defines it."""
    thing = inspect.unwrap(thing.fget if isinstance(thing, property) else thing)
    return Path(inspect.getsourcefile(thing) or "").read_text(encoding="utf-8")


def own_docstring(thing: Any) -> str | None:
    return vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__


@cache
def public_names(module: str) -> dict[str, Any]:
    """Name → class or function, for what belongs to a module: not to one before it, and once where it has aliases."""
    before = [id(thing) for other in MODULES[: MODULES.index(module)] for thing in public_names(other).values()]
    library = importlib.import_module(f"scene_lightning.{module}".rstrip("."))
    things: dict[int, tuple[str, Any]] = {}
    for name in getattr(library, "__all__", [name for name in vars(library) if not name.startswith("_")]):
        thing = getattr(library, name)
        described = inspect.isclass(thing) or inspect.isfunction(thing)
        foreign = not getattr(thing, "__module__", "").startswith("scene_lightning")
        better = id(thing) not in things or name == thing.__name__
        if described and better and not foreign and not is_absent(thing) and id(thing) not in before:
            things[id(thing)] = (name, thing)
    return dict(things.values())


def public_methods(path: str) -> dict[str, Any]:
    """Name → method or property of a class, those of bases in this package included, but not of `Layer` and `Model`."""
    module, _, name = path.rpartition(".")
    cls = getattr(importlib.import_module(f"scene_lightning.{module}"), name)
    own = {base for base in cls.__mro__ if base.__module__.startswith("scene_lightning.")}
    own -= {base for other in (Layer, Model) if issubclass(cls, other) and cls is not other for base in other.__mro__}
    methods = {}
    for member in sorted(name for name in dir(cls) if not name.startswith("_") and not HOOKS.fullmatch(name)):
        holder = next(base for base in cls.__mro__ if member in vars(base))
        thing = getattr(cls, member)
        if holder in own and (isinstance(thing, property) or inspect.isroutine(thing)):
            methods[f"{holder.__name__}.{member}"] = thing
    return methods


# -- held against the package ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES, ids=lambda name: name or "package")
def test_public_names_are_described(module: str) -> None:
    wrong: list[str] = []
    for name, thing in public_names(module).items():
        wrong += faults(name, thing, own_docstring(thing), made=module in MADE_FROM_TABLES)
    assert not wrong, f"{len(wrong)} in {module}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("place", (*MODULES, *CLASSES), ids=lambda place: place or "package")
def test_examples_give_what_they_say(place: str) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    names = {"keras": scene_lightning, "np": np, "torch": torch}
    output: list[str] = []
    for name, thing in (public_methods(place) if place in CLASSES else public_names(place)).items():
        text = inspect.cleandoc(own_docstring(thing) or "")
        runner.run(doctest.DocTestParser().get_doctest(text, names, f"{place}.{name}", None, None), out=output.append)
    assert not runner.failures, "".join(output)


@pytest.mark.parametrize("path", CLASSES)
def test_public_methods_are_described(path: str) -> None:
    wrong: list[str] = []
    for name, thing in public_methods(path).items():
        wrong += faults(name, thing, thing.__doc__)
    assert not wrong, f"{len(wrong)} in {path}:\n" + "\n".join(wrong)


FOLDERS = [*sorted(path.name for path in PACKAGE.iterdir() if any(path.glob("*.py"))), "modules of the package itself"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_open_with_a_plain_sentence(folder: str) -> None:
    files = PACKAGE.glob("*.py") if folder == FOLDERS[-1] else (PACKAGE / folder).rglob("*.py")
    wrong = []
    for file in sorted(files):
        opening = re.match(r'"""(.*?)(?:"""|\n)', file.read_text(encoding="utf-8"))
        if opening is None or not opening[1].endswith(".") or re.search(r"\bin[;:,] .*\bout\b", opening[1]):
            wrong.append(f"{file.relative_to(PACKAGE)}: {opening and opening[1]}")
    assert not wrong, "\n".join(wrong)


def written_parameters(arguments: ast.arguments) -> list[str]:
    """The parameters of a function in a file, as `parameters` gives those of one that is there."""
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    names += ["*" + arguments.vararg.arg] if arguments.vararg else []
    names += ["**" + arguments.kwarg.arg] if arguments.kwarg else []
    return [name for name in names if name not in ("self", "cls") and not name.lstrip("*").startswith("_")]


def described_arguments(thing: ast.FunctionDef | ast.ClassDef) -> list[str]:
    parts = sections(ast.get_docstring(thing) or "")
    return [name for part in ("Args", "Call arguments", "Attributes") for name in entries(parts.get(part, ""))]


def undescribed(thing: ast.stmt) -> list[str]:
    """What a function takes, a class' constructor takes or a dataclass holds, and no docstring describes."""
    if not isinstance(thing, ast.FunctionDef | ast.ClassDef) or thing.name.startswith("_"):
        return []
    decorators = " ".join(ast.unparse(decorator) for decorator in thing.decorator_list)
    if re.search(r"\b(overload|command|callback)\b", decorators):  # Typer's help describes the options of commands
        return []
    # registered in `cli/main.py`: Typer's help describes the options, those of `cli/options.py` too
    if isinstance(thing, ast.FunctionDef) and re.search(r"\btyper\.|\bJsonFlag\b", ast.unparse(thing.args)):
        return []
    described = described_arguments(thing)
    if isinstance(thing, ast.FunctionDef):
        taken = written_parameters(thing.args)
    elif init := next((m for m in thing.body if isinstance(m, ast.FunctionDef) and m.name == "__init__"), None):
        described += described_arguments(init)
        taken = written_parameters(init.args)
    else:
        fields = (each.target for each in thing.body if isinstance(each, ast.AnnAssign) and "dataclass" in decorators)
        taken = [name.id for name in fields if isinstance(name, ast.Name) and not name.id.startswith("_")]
    return [name for name in taken if name not in described]


@pytest.mark.parametrize("folder", FOLDERS)
def test_arguments_are_described(folder: str) -> None:
    """Every function and class without an underscore, whether Keras has it or not."""
    files = PACKAGE.glob("*.py") if folder == FOLDERS[-1] else (PACKAGE / folder).rglob("*.py")
    wrong = [
        f"{file.relative_to(PACKAGE)}: {thing.name}: {', '.join(missing)}"
        for file in sorted(files)
        for thing in ast.parse(file.read_text(encoding="utf-8")).body
        if (missing := undescribed(thing)) and isinstance(thing, ast.FunctionDef | ast.ClassDef)
    ]
    assert not wrong, f"{len(wrong)} in {folder}:\n" + "\n".join(wrong)


# -- the rules themselves ----------------------------------------------------------------------------------------------


def test_the_rules_see_what_is_missing_and_what_is_too_much() -> None:
    def resize(images: Any, size: Any, width: Any = 1, **kwargs: Any) -> None:
        """Resize images

        Args:
            images, sizes: what to resize,
                width: not an entry, but more of the one above.
            **kwargs: further ones.

        Raises:
            width: not an argument.
        """

    text = textwrap.dedent(resize.__doc__ or "")
    assert list(faults("resize", resize, text)) == [
        "resize: the first line is no sentence with a full stop: 'Resize images'",
        "resize: not in Args: size, width",
        "resize: in Args, but no parameter: sizes",
    ]
