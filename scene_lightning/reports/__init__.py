"""A run's folder, and its plots and tables."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scene_lightning.reports import plots as plots
else:

    def __getattr__(name: str) -> Any:
        """PEP 562: `reports.plots` brings matplotlib, which most predictions do without, when it is first asked for."""
        if name != "plots":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module("scene_lightning.reports.plots")
