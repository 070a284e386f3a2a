"""Names and arguments that pandas has removed since 0.20."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from scene_lightning.compat.removed.pandas_frames import table_methods
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

_PANDAS: Names = {
    "datetime": to("datetime.datetime"),
    "np": to("numpy"),
    "rolling_mean": Modern("series.rolling(window).mean()", lambda arg, window, *_, **__: arg.rolling(window).mean()),
    "scatter_matrix": to("pandas.plotting.scatter_matrix"),
    "value_counts": Modern(
        "pd.Series(values).value_counts()",
        lambda values, *args, **kwargs: importlib.import_module("pandas").Series(values).value_counts(*args, **kwargs),
    ),
}
_DROPPED = "leave it out"


def _bad_lines(kwargs: dict[str, Any], value: Any) -> None:
    kwargs.setdefault("on_bad_lines", "error" if value else "warn")


def _warn_bad_lines(kwargs: dict[str, Any], value: Any) -> None:
    if not value and kwargs.get("on_bad_lines") == "warn":
        kwargs["on_bad_lines"] = "skip"


def _white_space(kwargs: dict[str, Any], value: Any) -> None:
    if value:
        kwargs["sep"] = r"\s+"


_READING = {
    "error_bad_lines": ("on_bad_lines='warn'", _bad_lines),
    "warn_bad_lines": ("on_bad_lines='skip'", _warn_bad_lines),
    "delim_whitespace": (r"sep=r'\s+'", _white_space),
    "infer_datetime_format": (_DROPPED, None),
    "mangle_dupe_cols": (_DROPPED, None),
    "tupleize_cols": (_DROPPED, None),
    "verbose": (_DROPPED, None),
}
_FUNCTIONS: dict[str, dict[str, Any]] = {
    "read_csv": _READING,
    "read_table": _READING,
    "read_excel": {"sheetname": ("sheet_name=", renamed("sheet_name"))},
    "concat": {"join_axes": ("result.reindex", None)},
    "to_datetime": {"infer_datetime_format": (_DROPPED, None)},
    "get_dummies": {},
    "merge": {},
}
_METHODS = (
    "all any cummax cummin cumprod cumsum drop drop_duplicates dropna kurt max mean median min prod rename_axis "
    "reset_index sem set_index skew sort_index sort_values std sum to_csv to_dict var"
)


def _patch(module: ModuleType) -> None:
    for name, arguments in _FUNCTIONS.items():
        amend(module, name, shown=f"pd.{name}", arguments=arguments, positions=True)
    for name in ("read_csv", "read_table"):
        _squeezing(module, name)
    base = importlib.import_module("pandas.core.generic").NDFrame
    give_methods(base, table_methods(module), "DataFrame")
    replace(module.DataFrame, "from_csv", staticmethod(_from_csv))
    for cls in (module.DataFrame, module.Series):
        for name in _METHODS.split():
            arguments = {"line_terminator": ("lineterminator=", renamed("lineterminator"))} if name == "to_csv" else {}
            amend(cls, name, shown=f"{cls.__name__}.{name}", arguments=arguments, positions=True)
        _filling(cls)


def _from_csv(
    path: Any, header: Any = 0, sep: str = ",", index_col: Any = 0, parse_dates: bool = True, **kwargs: Any
) -> Any:
    note("pandas.DataFrame.from_csv", "pd.read_csv(path, index_col=0)")
    read = importlib.import_module("pandas").read_csv
    return read(path, header=header, sep=sep, index_col=index_col, parse_dates=parse_dates, **kwargs)


def _squeezing(module: ModuleType, name: str) -> None:
    read: Callable[..., Any] = getattr(module, name)

    @functools.wraps(read)
    def call(*args: Any, **kwargs: Any) -> Any:
        squeeze = kwargs.pop("squeeze", None)
        table = read(*args, **kwargs)
        if squeeze is not None:
            note(f"pd.{name}(squeeze=)", ".squeeze('columns')")
        return table.squeeze("columns") if squeeze else table

    replace(module, name, call)


def _filling(cls: type) -> None:
    fill: Callable[..., Any] = vars(cls).get("fillna", getattr(cls, "fillna", None))

    @functools.wraps(fill)
    def fillna(self: Any, *args: Any, **kwargs: Any) -> Any:
        method = kwargs.pop("method", None)
        if method is None:
            return fill(self, *args, **kwargs)
        modern = "ffill" if method in ("ffill", "pad") else "bfill"
        note(f"fillna(method={method!r})", f"{modern}()")
        return getattr(self, modern)(**kwargs)

    replace(cls, "fillna", fillna)


NAMES: dict[str, Names] = {"pandas": _PANDAS, "pandas.io.json": {"json_normalize": "pandas.json_normalize"}}
METHODS: dict[str, dict[str, Methods]] = {
    "pandas": {
        "Index": {
            "get_values": ("index.to_numpy()", lambda index: index.to_numpy),
            "is_monotonic": ("index.is_monotonic_increasing", lambda index: index.is_monotonic_increasing),
        }
    }
}
PATCHES = {"pandas": _patch}
MOVED = {
    "pandas.core.index": to("pandas"),
    "pandas.tools": to("pandas"),
    "pandas.tools.merge": to("pandas"),
    "pandas.tools.plotting": to("pandas.plotting"),
    "pandas.util.testing": to("pandas._testing"),
}
