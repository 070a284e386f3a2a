"""Watches imports: when a library that has removed names is imported, they are given back.

A library that was imported before is treated at once. Modules that have gone altogether (`sklearn.cross_validation`)
are answered only after Python has failed to find them.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from scene_lightning.compat.modules import is_tried
from scene_lightning.compat.removed import (
    matplotlib_names,
    not_installed,
    notebook_names,
    numpy_names,
    pandas_names,
    pillow,
    scipy_names,
    seaborn_names,
    sklearn_names,
    standard_library,
)
from scene_lightning.compat.removed.patching import Methods, Modern, Names, give_methods, give_names, note, restore

_LIBRARIES = (
    standard_library, numpy_names, pillow, scipy_names, sklearn_names, pandas_names, matplotlib_names, seaborn_names,
    notebook_names, not_installed,
)  # fmt: skip


def _merged(table: str) -> dict[str, Any]:
    """A table of the libraries' files: module → what it gets back."""
    return {module: entry for library in _LIBRARIES for module, entry in getattr(library, table, {}).items()}


_NAMES: dict[str, Names] = _merged("NAMES")
_METHODS: dict[str, dict[str, Methods]] = _merged("METHODS")  # module → class → methods
_PATCHES: dict[str, Callable[[ModuleType], None]] = _merged("PATCHES")  # what no table can say
_WATCHED = {*_NAMES, *_METHODS, *_PATCHES}
# Module that has gone → what stands for it; then the rules for many of a kind.
_MOVED: dict[str, Modern] = _merged("MOVED")
_RULES = (standard_library.successor, sklearn_names.successor, not_installed.successor)


class _AfterImport(importlib.abc.MetaPathFinder):
    """Finds nothing itself: lets the others find a watched module, and has it patched once it is loaded."""

    def __init__(self) -> None:
        self._looking: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in _WATCHED or fullname in self._looking:
            return None
        self._looking.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._looking.discard(fullname)
        if spec is not None and spec.loader is not None:
            _patch_when_loaded(spec.loader)
        return spec


def _give_back(module: ModuleType) -> None:
    name = module.__name__
    if name in _NAMES:
        give_names(module, _NAMES[name])
    for cls, methods in _METHODS.get(name, {}).items():
        give_methods(getattr(module, cls), methods)
    if name in _PATCHES:
        _PATCHES[name](module)


def _patch_when_loaded(loader: Any) -> None:
    """Have the loader, which belongs to this one module, give it its names back after it has run the module."""
    run = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        run(module)
        _give_back(module)

    loader.exec_module = exec_module


class _Former(ModuleType):
    """A module that has gone: its names come from another one."""

    def __init__(self, fullname: str, provider: str) -> None:
        super().__init__(fullname, f"{fullname} is gone; its names are those of {provider}.")
        self.__path__: list[str] = []
        self.__dict__["_provider"] = provider

    def __getattr__(self, name: str) -> Any:
        provider = self.__dict__["_provider"]
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        try:
            return getattr(importlib.import_module(provider), name)
        except AttributeError:
            raise AttributeError(
                f"module {self.__name__!r} is gone, and {provider!r}, which stands for it, has no attribute {name!r}"
            ) from None


class _Vanished(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers for modules that are no more; stands last, so that a module that exists is found first."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        modern = _MOVED.get(fullname) or next((new for rule in _RULES if (new := rule(fullname))), None)
        if modern is None or is_tried():
            return None
        return importlib.machinery.ModuleSpec(fullname, self, loader_state=modern, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        note(spec.name, spec.loader_state.spelling)
        return _Former(spec.name, spec.loader_state.value)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run: names are looked up when they are asked for."""


def install() -> None:
    """Give the removed names back, in what is imported and in what will be."""
    if any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _AfterImport())
    sys.meta_path.append(_Vanished())
    for name in _WATCHED & sys.modules.keys():
        _give_back(sys.modules[name])


def uninstall() -> None:
    """Take them away again."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _AfterImport | _Vanished)]
    for name, module in list(sys.modules.items()):
        if isinstance(module, _Former):
            del sys.modules[name]
    restore()
