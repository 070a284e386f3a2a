"""importlib: what stands for Python's module `imp`, removed in 3.12."""

from __future__ import annotations

import importlib.util
import sys
from importlib import reload
from types import ModuleType
from typing import Any


def load_source(name: str, pathname: str, file: Any = None) -> ModuleType:
    """Load a file as a module.

    Args:
        name: of the module.
        pathname: the file.
        file: ignored.
    """
    spec = importlib.util.spec_from_file_location(name, pathname)
    if spec is None or spec.loader is None:
        raise ImportError(f"No module can be loaded from {pathname!r}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def new_module(name: str) -> ModuleType:
    """Make an empty module.

    Args:
        name: of the module.
    """
    return ModuleType(name)


__all__ = ["load_source", "new_module", "reload"]
