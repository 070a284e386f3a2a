"""Names that NumPy has removed: in 1.24 Python's own types, in 2.0 the second spellings."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any

import numpy as np

from scene_lightning.compat.removed.patching import Modern, Names, is_of_the_program, note, replace


def _in1d(ar1: Any, ar2: Any, assume_unique: bool = False, invert: bool = False, **kwargs: Any) -> np.ndarray:
    """Which of the first array's elements, as one row, are in the second."""
    return np.isin(np.ravel(ar1), ar2, assume_unique=assume_unique, invert=invert, **kwargs)


def _asscalar(a: Any) -> Any:
    """The one element as a number of Python."""
    return np.asarray(a).item()


def _asfarray(a: Any, dtype: Any = np.float64) -> np.ndarray:
    """The array in a floating-point type."""
    return np.asarray(a, dtype if np.issubdtype(np.dtype(dtype), np.inexact) else np.float64)


class _Cast:
    def __getitem__(self, dtype: Any) -> Any:
        return lambda x: np.asarray(x).astype(dtype)


_SCTYPES: dict[str, list[Any]] = {
    "int": [np.int8, np.int16, np.int32, np.int64],
    "uint": [np.uint8, np.uint16, np.uint32, np.uint64],
    "float": [np.float16, np.float32, np.float64, np.longdouble],
    "complex": [np.complex64, np.complex128, np.clongdouble],
    "others": [bool, object, bytes, str, np.void],
}
_RENAMED = {
    "builtins.bool": "bool", "builtins.complex": "complex", "builtins.float": "float", "builtins.int": "int long",
    "builtins.object": "object", "builtins.str": "str unicode", "builtins.issubclass": "issubclass_",
    "builtins.print": "disp",
    "numpy.all": "alltrue", "numpy.any": "sometrue", "numpy.asmatrix": "mat", "numpy.bool_": "bool8",
    "numpy.bytes_": "string_ bytes0", "numpy.clongdouble": "clongfloat longcomplex",
    "numpy.complex128": "complex_ cfloat", "numpy.complex64": "singlecomplex", "numpy.cumprod": "cumproduct",
    "numpy.float64": "float_",
    "numpy.inf": "Inf Infinity infty PINF", "numpy.intp": "int0", "numpy.longdouble": "longfloat",
    "numpy.nan": "NaN NAN", "numpy.ndim": "rank", "numpy.object_": "object0", "numpy.prod": "product",
    "numpy.round": "round_", "numpy.issubdtype": "issubsctype", "numpy.str_": "unicode_ str0",
    "numpy.trapezoid": "trapz", "numpy.uintp": "uint0", "numpy.vstack": "row_stack", "numpy.sctypeDict": "typeDict",
    "numpy.lib.npyio.DataSource": "DataSource", "ast.literal_eval": "safe_eval", "math": "math",
}  # fmt: skip
_NUMPY: Names = {
    **{old: modern for modern, names in _RENAMED.items() for old in names.split()},
    "NINF": Modern("-np.inf", -math.inf),
    "NZERO": Modern("-0.0", -0.0),
    "PZERO": Modern("0.0", 0.0),
    "asfarray": Modern("np.asarray(a, dtype=float)", _asfarray),
    "asscalar": Modern("a.item()", _asscalar),
    "cast": Modern("np.asarray(x).astype(dtype)", _Cast()),
    "fastCopyAndTranspose": Modern("a.T.copy()", lambda a: np.asarray(a).T.copy()),
    "find_common_type": Modern("np.result_type", lambda arrays, scalars: np.result_type(*arrays, *scalars)),
    "in1d": Modern("np.isin", _in1d),
    "maximum_sctype": Modern("np.longdouble", lambda t: _SCTYPES[np.dtype(t).type.__name__.rstrip("0123456789")][-1]),
    "msort": Modern("np.sort(a, axis=0)", lambda a: np.sort(a, axis=0)),
    "obj2sctype": Modern("np.dtype(x).type", lambda rep, default=None: np.dtype(rep).type),
    "sctypes": Modern("np.float32, np.int64, …", _SCTYPES),
}


def _patch(module: ModuleType) -> None:
    make, save = module.array, module.save
    for name in ("array", "asarray"):
        replace(module, name, _forgiving(getattr(module, name), name))

    @functools.wraps(save)
    def save_rows(file: Any, arr: Any, *args: Any, **kwargs: Any) -> Any:
        made = _made(make, "array", sys._getframe(1), (arr,), {}) if isinstance(arr, list | tuple) else arr
        return save(file, made, *args, **kwargs)

    replace(module, "save", save_rows)
    read = module.fromstring

    @functools.wraps(read)
    def fromstring(string: Any, dtype: Any = float, count: int = -1, *, sep: str = "", **kwargs: Any) -> np.ndarray:
        if sep:
            return read(string, dtype, count, sep=sep, **kwargs)
        note("numpy.fromstring(bytes)", "np.frombuffer(bytes, dtype)")
        content = string.encode("latin1") if isinstance(string, str) else string
        return np.frombuffer(content, dtype, count).copy()

    replace(module, "fromstring", fromstring)


def _forgiving(make: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(make)
    def call(*args: Any, **kwargs: Any) -> Any:
        return _made(make, name, sys._getframe(1), args, kwargs)

    return call


def _made(make: Callable[..., Any], name: str, asking: FrameType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`np.array` that takes rows of unequal shape, and `copy=False` where it has to copy, from a program's own lines.

    NumPy made an array of objects of such rows before 1.24. Libraries get NumPy's errors, which they may wait for.
    """
    try:
        return make(*args, **kwargs)
    except ValueError as error:
        if not is_of_the_program(asking):
            raise
        if "inhomogeneous" in str(error) and len(args) < 2 and kwargs.get("dtype") is None:
            note(f"numpy.{name}(rows of unequal shape)", f"np.{name}(rows, dtype=object)")
            return make(*args, **{**kwargs, "dtype": object})
        if "copy" in str(error) and kwargs.get("copy") is False:
            note(f"numpy.{name}(copy=False)", "np.asarray")
            return make(*args, **{**kwargs, "copy": None})
        raise


NAMES = {"numpy": _NUMPY}
PATCHES = {"numpy": _patch}
