"""Functions that seaborn has removed, and the arguments that it takes by name alone since 0.12."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from scene_lightning.compat.removed.patching import Modern, Names, amend, note, renamed, replace

# x, y, hue and data could be given in this order.
_XY = (
    "barplot boxenplot boxplot catplot countplot ecdfplot histplot jointplot kdeplot lineplot lmplot pointplot "
    "regplot residplot scatterplot stripplot swarmplot violinplot"
)
_ORDER = {
    "lmplot": ("x", "y", "data", "hue"),
    **dict.fromkeys(("jointplot", "regplot", "residplot"), ("x", "y", "data")),
}


def _distplot(
    a: Any = None, bins: Any = None, hist: bool = True, kde: bool = True, rug: bool = False, **kwargs: Any
) -> Any:
    seaborn = importlib.import_module("seaborn")
    common = {name: kwargs[name] for name in ("color", "label", "ax") if kwargs.get(name) is not None}
    axes = kwargs.get("ax")
    if hist:
        density = "density" if kde or kwargs.get("norm_hist") else "count"
        axes = seaborn.histplot(x=a, bins="auto" if bins is None else bins, stat=density, kde=kde, **common)
    elif kde:
        axes = seaborn.kdeplot(x=a, **common)
    if rug:
        axes = seaborn.rugplot(x=a, **common)
    return axes


_SEABORN: Names = {
    "distplot": Modern("sns.histplot or sns.kdeplot", _distplot),
    "factorplot": Modern(
        "sns.catplot(kind='point')",
        lambda *args, kind="point", **kwargs: importlib.import_module("seaborn").catplot(*args, kind=kind, **kwargs),
    ),
}


def _patch(module: ModuleType) -> None:
    height = {"size": ("height=", renamed("height"))}
    for name in ("catplot", "jointplot", "lmplot", "pairplot"):
        amend(module, name, shown=f"sns.{name}", arguments=height)
    for name in ("FacetGrid", "JointGrid", "PairGrid"):
        if hasattr(module, name):
            amend(getattr(module, name), "__init__", shown=f"sns.{name}", arguments=height)
    for name in _XY.split():
        if hasattr(module, name):
            order = _ORDER.get(name, ("x", "y", "hue", "data"))
            replace(module, name, _by_position(getattr(module, name), name, order))


def _by_position(function: Callable[..., Any], name: str, order: tuple[str, ...]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        is_table = len(args) == 1 and (hasattr(args[0], "columns") or isinstance(args[0], dict) or "x" in kwargs)
        if not args or is_table:
            return function(*args, **kwargs)
        named = dict(zip(order, args, strict=False))
        note(f"sns.{name}({', '.join(named)})", ", ".join(f"{argument}=" for argument in named))
        return function(**named, **kwargs)

    return call


NAMES = {"seaborn": _SEABORN}
PATCHES = {"seaborn": _patch}
