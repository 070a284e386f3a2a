"""Imports Lightning without what only sound, boxes, pictures and torch.compile need, for a process of one command.

Lightning imports torchmetrics, which imports scipy.signal, matplotlib.pyplot and torchvision wherever they are
installed, and it imports torch's compiler for the name of one class. Together they take longer than torch itself.
Programs that import this package get both as they are.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

_UNUSED = ("matplotlib", "scipy", "torchvision", "transformers")
_COMPILER = "torch._dynamo"
_process = {"is_ours": False}


def allow() -> None:
    """Say that this process runs one command and nothing else."""
    _process["is_ours"] = True


def import_lightning() -> None:
    """Import it so in a process of the command line; elsewhere, and where it is imported already, do nothing."""
    if not _process["is_ours"] or {"torchmetrics", "lightning", _COMPILER} & set(sys.modules):
        return
    _import_torchmetrics()
    stand_in = _stand_in()
    sys.modules[_COMPILER] = stand_in
    try:
        import lightning  # noqa: F401 - what is asked for here
    except Exception:  # a version that asks the compiler for more: whoever needs Lightning imports it as it is
        for name in [name for name in sys.modules if name.split(".")[0] == "lightning"]:
            del sys.modules[name]
    finally:
        if sys.modules.get(_COMPILER) is stand_in:
            del sys.modules[_COMPILER]


def _import_torchmetrics() -> None:
    """Show it as absent what it does not need; all of that is optional to it."""
    from lightning_utilities.core import imports as requirements

    imports: Any = requirements
    cache = imports.RequirementCache
    check, available = cache._check_available, imports.package_available

    def check_needed(self: Any) -> None:
        if str(self.requirement or self.module).startswith(_UNUSED):
            self.available, self.message = False, "The command line leaves it out, to start sooner."
        else:
            check(self)

    cache._check_available = check_needed
    imports.package_available = lambda name: name not in _UNUSED and available(name)
    try:
        import torchmetrics  # noqa: F401 - what is asked for here
    finally:
        cache._check_available, imports.package_available = check, available


class _OfTheCompiler(type):
    """What the stand-in's class has for instances: those of the real one, once something has imported the compiler."""

    def __instancecheck__(cls, instance: Any) -> bool:
        compiler = sys.modules.get(_COMPILER)
        return compiler is not None and isinstance(instance, compiler.OptimizedModule)


def _stand_in() -> ModuleType:
    """What Lightning asks the compiler for while it is imported: a class for `isinstance`, and a mark for functions."""
    module: Any = ModuleType(_COMPILER)
    module.OptimizedModule = _OfTheCompiler("OptimizedModule", (), {})
    module.disable = lambda function=None, recursive=True, **options: function  # not to be compiled; nothing is, yet
    return module
