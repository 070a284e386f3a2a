"""Methods that pandas' tables and columns have lost: `append`, `ix`, `as_matrix` and others, in today's terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np


def table_methods(pd: ModuleType) -> dict[str, tuple[str, Callable[[Any], Any]]]:
    """Map each lost method to (the modern spelling, what gives it), for tables and columns.

    Args:
        pd: the module pandas.
    """

    def append(table: Any) -> Any:
        def call(other: Any, ignore_index: bool = False, verify_integrity: bool = False, sort: bool = False) -> Any:
            if not hasattr(table, "columns"):  # a Series, whose first argument has another name
                others = list(other) if isinstance(other, list | tuple) else [other]
                return pd.concat([table, *others], ignore_index=ignore_index, verify_integrity=verify_integrity)
            return pd.concat(
                [table, *_rows(pd, table, other, ignore_index)],
                ignore_index=ignore_index, verify_integrity=verify_integrity, sort=sort,
            )  # fmt: skip

        return call

    def sort(table: Any) -> Any:
        def call(
            columns: Any = None, axis: int = 0, ascending: Any = True, inplace: bool = False, by: Any = None
        ) -> Any:
            key = by if columns is None else columns
            if key is None and hasattr(table, "columns"):
                return table.sort_index(axis=axis, ascending=ascending, inplace=inplace)
            keys = {} if key is None else {"by": key}
            return table.sort_values(**keys, ascending=ascending, inplace=inplace)

        return call

    def set_value(table: Any) -> Any:
        def call(index: Any, col: Any, value: Any = None, takeable: bool = False) -> Any:
            if hasattr(table, "columns"):
                table.at[index, col] = value
            else:
                table.at[index] = col
            return table

        return call

    return {
        "append": ("pd.concat([df, other])", append),
        "applymap": ("df.map", lambda table: table.map),
        "as_matrix": (
            "df.to_numpy()", lambda t: lambda columns=None: (t if columns is None else t[columns]).to_numpy()
        ),
        "backfill": ("df.bfill", lambda table: table.bfill),
        "clip_lower": ("df.clip(lower=)", lambda t: lambda threshold, axis=None: t.clip(lower=threshold, axis=axis)),
        "clip_upper": ("df.clip(upper=)", lambda t: lambda threshold, axis=None: t.clip(upper=threshold, axis=axis)),
        "convert_objects": ("df.infer_objects", lambda table: lambda *_, **__: table.infer_objects()),
        "get_value": (
            "df.at[index, col]", lambda t: lambda *key, takeable=False: t.at[key if len(key) > 1 else key[0]]
        ),
        "get_values": ("df.to_numpy()", lambda table: table.to_numpy),
        "icol": ("df.iloc[:, i]", lambda table: lambda i: table.iloc[:, i]),
        "iget": ("series.iloc[i]", lambda table: lambda i: table.iloc[i]),
        "irow": ("df.iloc[i]", lambda table: lambda i: table.iloc[i]),
        "iteritems": ("df.items", lambda table: table.items),
        "ix": ("df.loc or df.iloc", _Ix),
        "lookup": ("df.to_numpy()[rows, columns]", lambda table: lambda rows, columns: table.to_numpy()[
            table.index.get_indexer(rows), table.columns.get_indexer(columns)]),
        "mad": ("(df - df.mean()).abs().mean()", lambda table: lambda *_, **__: (table - table.mean()).abs().mean()),
        "nonzero": ("series.to_numpy().nonzero()", lambda table: lambda: table.to_numpy().nonzero()),
        "order": ("series.sort_values", lambda t: lambda na_last=True, ascending=True: t.sort_values(
            ascending=ascending, na_position="last" if na_last else "first")),
        "pad": ("df.ffill", lambda table: table.ffill),
        "ravel": ("series.to_numpy().ravel()", lambda table: lambda order="C": table.to_numpy().ravel(order)),
        "reshape": ("series.to_numpy().reshape()", lambda table: table.to_numpy().reshape),
        "set_value": ("df.at[index, col] = value", set_value),
        "sort": ("df.sort_values", sort),
        "valid": ("series.dropna", lambda table: lambda *_, **__: table.dropna()),
    }  # fmt: skip


def _rows(pd: ModuleType, table: Any, other: Any, ignore_index: bool) -> list[Any]:
    """What is to be appended to a table, as tables."""
    if isinstance(other, list | tuple) and other and not isinstance(other[0], pd.DataFrame):
        return [row for one in other for row in _rows(pd, table, one, ignore_index)]
    if isinstance(other, list | tuple):
        return list(other)
    if isinstance(other, Mapping):
        if not ignore_index:
            raise TypeError("Can only append a dict if ignore_index=True")
        other = pd.Series(other)
    if not isinstance(other, pd.Series):
        return [other]
    if other.name is None and not ignore_index:
        raise TypeError("Can only append a Series if ignore_index=True or if the Series has a name")
    columns = [*table.columns, *(name for name in other.index if name not in table.columns)]
    row = other.reindex(columns).to_frame().T.infer_objects()
    return [row.rename(index={other.name: table.index.size}) if other.name is None else row]


class _Ix:
    """`table.ix[rows, columns]`: by label, or by position where the labels are no whole numbers."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __getitem__(self, key: Any) -> Any:
        return self._table.loc[self._labels(key)]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._table.loc[self._labels(key)] = value

    def _labels(self, key: Any) -> Any:
        if isinstance(key, tuple) and self._table.ndim == 2:
            return tuple(_label(axis, part) for axis, part in zip(self._table.axes, key, strict=False))
        return _label(self._table.index, key)


def _label(axis: Any, key: Any) -> Any:
    """A key of `ix` as one of `loc`: positions only where the axis has no whole numbers as labels."""
    if axis.dtype.kind in "iu":
        return key
    if isinstance(key, slice):
        bounds = [bound for bound in (key.start, key.stop) if bound is not None]
        return axis[key] if bounds and all(isinstance(bound, int | np.integer) for bound in bounds) else key
    if _is_position(key) and key not in axis:
        return axis[key]
    if isinstance(key, list | np.ndarray) and len(key) and all(_is_position(one) for one in key):
        return axis[list(key)]
    return key


def _is_position(key: Any) -> bool:
    return isinstance(key, int | np.integer) and not isinstance(key, bool)
