"""Names, styles and arguments that Matplotlib has removed since 1.5."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from scene_lightning.compat.removed.patching import (
    Methods,
    Modern,
    Names,
    amend,
    give_methods,
    note,
    renamed,
    replace,
    to,
)

_ALWAYS = "leave it out: Matplotlib always draws over what is there"


def _hold(*_: Any, **__: Any) -> None:
    """Nothing: what is drawn stays."""


def _register_cmap(name: Any = None, cmap: Any = None, *, override_builtin: bool = False) -> None:
    importlib.import_module("matplotlib").colormaps.register(cmap, name=name, force=override_builtin)


def _normpdf(x: Any, mu: float, sigma: float) -> Any:
    return np.exp(-(((np.asarray(x) - mu) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))


def _plot_date(
    x: Any, y: Any, fmt: str = "o", tz: Any = None, xdate: bool = True, ydate: bool = False, **kwargs: Any
) -> Any:
    axes = importlib.import_module("matplotlib.pyplot").gca()
    if xdate:
        axes.xaxis_date(tz)
    if ydate:
        axes.yaxis_date(tz)
    return axes.plot(x, y, fmt, **kwargs)


_COLOUR_MAPS = {
    "spectral": "nipy_spectral", "Vega10": "tab10", "Vega20": "tab20", "Vega20b": "tab20b", "Vega20c": "tab20c",
}  # fmt: skip
NAMES: dict[str, Names] = {
    "matplotlib.pyplot": {
        "hold": Modern(_ALWAYS, _hold),
        "ishold": Modern(_ALWAYS, lambda: True),
        "over": Modern(_ALWAYS, lambda func, *args, **kwargs: func(*args, **kwargs)),
        "plot_date": Modern("plt.plot", _plot_date),
        "register_cmap": Modern("mpl.colormaps.register", _register_cmap),
    },
    "matplotlib.cm": {
        "cmap_d": to("matplotlib.colormaps"),
        "get_cmap": to("matplotlib.pyplot.get_cmap"),
        "register_cmap": Modern("mpl.colormaps.register", _register_cmap),
        **{old: Modern(f"plt.cm.{new}", f"matplotlib.pyplot.cm.{new}") for old, new in _COLOUR_MAPS.items()},
    },
    "matplotlib.mlab": {"normpdf": Modern("scipy.stats.norm.pdf", _normpdf)},
}


def _pyplot(module: ModuleType) -> None:
    current: Callable[..., Any] = module.gca

    @functools.wraps(current)
    def gca(**kwargs: Any) -> Any:
        return module.gcf().gca(**kwargs) if kwargs else current()

    replace(module, "gca", gca)
    for name in ("hist", "grid", "stem"):  # these say themselves which arguments they take
        amend(module, name, shown=f"plt.{name}", arguments=_AXES[name])


# Methods of Axes → arguments that they have dropped or renamed.
_AXES: dict[str, dict[str, Any]] = {
    "hist": {"normed": ("density=", renamed("density"))},
    "grid": {"b": ("visible=", renamed("visible"))},
    "stem": {"use_line_collection": ("leave it out", None)},
}
_TICKS = "top bottom left right labeltop labelbottom labelleft labelright"


def _ticks(cls: type) -> None:
    """`tick_params(labelbottom="off")`: texts that were switches."""
    set_params: Callable[..., Any] = vars(cls)["tick_params"]

    @functools.wraps(set_params)
    def tick_params(self: Any, *args: Any, **kwargs: Any) -> Any:
        for name in _TICKS.split():
            if kwargs.get(name) in ("on", "off") and isinstance(kwargs[name], str):
                note(f"tick_params({name}={kwargs[name]!r})", f"{name}={kwargs[name] == 'on'}")
                kwargs[name] = kwargs[name] == "on"
        return set_params(self, *args, **kwargs)

    replace(cls, "tick_params", tick_params)


def _axes(module: ModuleType) -> None:
    cls = module.Axes
    for name, arguments in _AXES.items():
        amend(cls, name, shown=f"Axes.{name}", arguments=arguments)
    base = importlib.import_module("matplotlib.axes._base")._AxesBase
    amend(base, "grid", shown="Axes.grid", arguments=_AXES["grid"])
    _ticks(base)


def _figure(module: ModuleType) -> None:
    cls = module.Figure
    current: Callable[..., Any] = cls.gca

    @functools.wraps(current)
    def gca(self: Any, **kwargs: Any) -> Any:
        if not kwargs:
            return current(self)
        note("gca(projection=)", "fig.add_subplot(projection=)")
        return self.add_subplot(**kwargs)

    replace(cls, "gca", gca)
    amend(cls, "add_subplot", shown="add_subplot", arguments={"axisbg": ("facecolor=", renamed("facecolor"))})
    dropped = {"frameon": ("facecolor=", None), "papertype": ("leave it out", None)}
    amend(cls, "savefig", shown="savefig", arguments=dropped)


def _canvas(module: ModuleType) -> None:
    def title(canvas: Any) -> Any:
        return lambda text: None if canvas.manager is None else canvas.manager.set_window_title(text)

    def rgb(canvas: Any) -> Any:
        return lambda: np.asarray(canvas.buffer_rgba())[..., :3].tobytes()

    methods = {
        "set_window_title": ("fig.canvas.manager.set_window_title", title),
        "tostring_rgb": ("fig.canvas.buffer_rgba", rgb),
    }
    give_methods(module.FigureCanvasBase, methods, "canvas")


def _style(module: ModuleType) -> None:
    """seaborn's styles have been called after its version since 3.6."""
    library = module.library

    def new_name(style: Any) -> Any:
        if isinstance(style, list | tuple):
            return [new_name(one) for one in style]
        if not isinstance(style, str) or style in library or not style.startswith("seaborn"):
            return style
        modern = style.replace("seaborn", "seaborn-v0_8", 1)
        note(f"plt.style.use({style!r})", repr(modern))
        return modern

    for name in ("use", "context"):
        function: Callable[..., Any] = getattr(module, name)

        def call(style: Any, *args: Any, function: Callable[..., Any] = function, **kwargs: Any) -> Any:
            return function(new_name(style), *args, **kwargs)

        replace(module, name, functools.wraps(function)(call))


def _of_subplotspec(name: str) -> Callable[[Any], Any]:
    return lambda ax: getattr(ax.get_subplotspec(), name)


METHODS: dict[str, dict[str, Methods]] = {
    "matplotlib.axes": {
        "Axes": {
            **{
                name: (f"ax.get_subplotspec().{name}()", _of_subplotspec(name))
                for name in ("is_first_col", "is_first_row", "is_last_col", "is_last_row")
            },
            "get_axes": ("ax.axes", lambda ax: lambda: ax.axes),
            "get_axis_bgcolor": ("ax.get_facecolor", lambda ax: ax.get_facecolor),
            "hold": (_ALWAYS, lambda ax: _hold),
            "ishold": (_ALWAYS, lambda ax: lambda: True),
            "set_axis_bgcolor": ("ax.set_facecolor", lambda ax: ax.set_facecolor),
            "set_color_cycle": (
                "ax.set_prop_cycle(color=…)", lambda ax: lambda colors: ax.set_prop_cycle(color=colors)
            ),
        }
    },
    "matplotlib.figure": {"Figure": {"hold": (_ALWAYS, lambda figure: _hold)}},
}  # fmt: skip
PATCHES = {
    "matplotlib.axes": _axes,
    "matplotlib.backend_bases": _canvas,
    "matplotlib.figure": _figure,
    "matplotlib.pyplot": _pyplot,
    "matplotlib.style": _style,
}

MOVED = {
    "matplotlib.docstring": to("matplotlib._docstring"),
    "matplotlib.tight_layout": to("matplotlib._tight_layout"),
    "mpl_toolkits.axes_grid": to("mpl_toolkits.axes_grid1"),
    "mpl_toolkits.axes_grid.axes_grid": to("mpl_toolkits.axes_grid1.axes_grid"),
    "mpl_toolkits.axes_grid.inset_locator": to("mpl_toolkits.axes_grid1.inset_locator"),
}
