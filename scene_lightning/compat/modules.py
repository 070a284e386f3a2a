"""The import hook that serves the modules `keras…` and `tensorflow…` to programs."""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from scene_lightning._unsupported import absent, advice, is_absent, script_frame
from scene_lightning._usage_report import ledger
from scene_lightning.compat.import_map import NEEDS_TENSORFLOW, Place, belongs, may_be_a_module, place_of
from scene_lightning.errors import UnsupportedError

_MISSING = object()


class CompatModule(ModuleType):
    """A module of Keras or TensorFlow: its names come from this package, looked up when they are asked for.

    Args:
        fullname: the path that the program imports.
        place: where its names come from.
    """

    def __init__(self, fullname: str, place: Place) -> None:
        super().__init__(fullname, f"{place.path}, on scene_lightning.")
        self.__path__: list[str] = []  # every one may have modules below it
        self.__dict__["_place"] = place

    def __getattr__(self, name: str) -> Any:
        place: Place = self.__dict__["_place"]
        if name == "__all__":
            return _public_names(place)
        value = _find(place, name)
        if isinstance(value, ModuleType) and name in place.children:  # it may have more names than the package's own
            return importlib.import_module(f"{self.__name__}.{name}")
        supported = value is not _MISSING and not is_absent(value)
        if supported:
            if not name.startswith("__"):
                ledger.symbols.add(f"{place.shown}.{name}")
            return value
        if name in place.children:
            return importlib.import_module(f"{self.__name__}.{name}")
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if is_tried():
            instead = advice(f"{place.path}.{name}", _public_names(place))
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} here. {instead}.")
        if value is _MISSING and may_be_a_module(place, name):
            return importlib.import_module(f"{self.__name__}.{name}")
        ledger.missing.add(f"{place.shown}.{name}")
        if value is not _MISSING:
            return value
        return absent(f"{place.path}.{name}", _public_names(place))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """A name in small letters was taken for a module, and is a function that is not here: refuse it."""
        place: Place = self.__dict__["_place"]
        ledger.missing.add(place.path)
        return absent(place.path, _public_names(place))(*args, **kwargs)

    def __reduce__(self) -> Any:
        return importlib.import_module, (self.__name__,)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_public_names(self.__dict__["_place"])})

    def __repr__(self) -> str:
        return f"<module {self.__name__!r} on scene_lightning>"


def _providers(place: Place) -> Iterator[ModuleType]:
    for name in place.providers:
        try:
            yield importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not error.name.startswith("scene_lightning"):
                raise


def _find(place: Place, name: str) -> Any:
    for provider in _providers(place):
        if name in _names_of(provider):
            return getattr(provider, name)
        further = vars(provider).get("__getattr__")
        if further is not None and not name.startswith("__"):
            try:
                return further(name)  # names that the package knows and refuses when they are used
            except (AttributeError, UnsupportedError):
                continue
    return _MISSING


@functools.lru_cache(256)
def _names_of(provider: ModuleType) -> frozenset[str]:
    """What a module shows: its `__all__`, or else the public names that it defines itself."""
    listed = vars(provider).get("__all__")
    if listed is not None:
        return frozenset(listed)
    own = (name for name, value in vars(provider).items() if getattr(value, "__module__", None) == provider.__name__)
    return frozenset(name for name in own if not name.startswith("_"))


def _public_names(place: Place) -> list[str]:
    names = {name for provider in _providers(place) for name in _names_of(provider)}
    if place.path in ("keras", "tensorflow"):
        names.update(place.children)
    return sorted(name for name in names if not name.startswith("_"))


def is_tried() -> bool:
    """Whether the program's line stands in a `try` that has an answer to a failing import."""
    frame = script_frame()
    if frame is None:
        return False
    lines = linecache.getlines(frame.f_code.co_filename)
    return any(first <= frame.f_lineno <= last for first, last in _guarded_lines("".join(lines)))


@functools.lru_cache(16)
def _guarded_lines(source: str) -> tuple[tuple[int, int], ...]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ()
    answers = {"ImportError", "ModuleNotFoundError", "AttributeError", "Exception", "BaseException"}
    ranges = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Try):
            continue
        caught = {name.id for handler in node.handlers if handler.type is not None
                  for name in ast.walk(handler.type) if isinstance(name, ast.Name)}  # fmt: skip
        if caught & answers or any(handler.type is None for handler in node.handlers):
            ranges.append((node.body[0].lineno, node.body[-1].end_lineno or node.body[-1].lineno))
    return tuple(ranges)


class CompatFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers every import of Keras or TensorFlow with a `CompatModule`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not belongs(fullname):
            return None
        parent = fullname.rpartition(".")[0]
        known = fullname.rpartition(".")[2] in place_of(parent).children if parent else fullname not in NEEDS_TENSORFLOW
        if not known and is_tried():
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin="scene_lightning", is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return CompatModule(spec.name, place_of(spec.name))

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run: names are looked up when they are asked for."""


def loaded() -> list[str]:
    """The names in sys.modules that a `CompatFinder` gave, or that belong to the real Keras or TensorFlow."""
    return [name for name in sys.modules if belongs(name)]
