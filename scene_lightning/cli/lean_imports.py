"""Imports torchmetrics without the packages that only metrics of sound, boxes and pictures need.

Lightning imports torchmetrics, and that scipy.signal, matplotlib.pyplot and torchvision (with it torch's compiler)
wherever they are installed: half the time that one prediction takes. They are optional to torchmetrics; a process of
the command line, which asks it for classification metrics alone, shows them to it as absent. Programs that import this
package get torchmetrics as it is.
"""

from __future__ import annotations

import sys
from typing import Any

_UNUSED = ("matplotlib", "scipy", "torchvision", "transformers")
_process = {"is_ours": False}


def allow() -> None:
    """Say that this process runs one command and nothing else."""
    _process["is_ours"] = True


def import_torchmetrics() -> None:
    """Import it so in a process of the command line; elsewhere, and where it is imported already, do nothing."""
    if not _process["is_ours"] or "torchmetrics" in sys.modules:
        return
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
