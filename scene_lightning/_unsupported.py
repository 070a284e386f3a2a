"""Stands for documented Keras names that are not in this package, and says what to use instead once one is used.

Programs import names that they never use. A stand-in can be imported, subclassed, passed around and asked for with
`isinstance`; whoever calls it or reads something from it gets an `UnsupportedError` with the name and the cure.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from scene_lightning._registry import did_you_mean, nearest
from scene_lightning._unsupported_advice import ADVICE
from scene_lightning._usage_report import ledger
from scene_lightning.errors import UnsupportedError

_PACKAGE = str(Path(__file__).resolve().parent)
# "keras.ops.fft" → what to do instead: of the name, and of all that begins with it
_BY_NAME = {
    f"{path}.{name}".lstrip("."): advice
    for paths, table in ADVICE.items()
    for path in paths.split() or [""]
    for advice, names in table.items()
    for name in names.split()
}


def script_frame() -> FrameType | None:
    """The innermost frame that belongs to the program, not to this package or to Python's import system."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_PACKAGE) and not name.startswith("<frozen"):
            return frame
        frame = frame.f_back
    return None


def where_in_script() -> str:
    """` (script.py, line 12)`, or an empty string."""
    frame = script_frame()
    return "" if frame is None else f" ({Path(frame.f_code.co_filename).name}, line {frame.f_lineno})"


def advice_of_table(path: str) -> str | None:
    """What the table says of a name, or of what it stands below: a sentence without its full stop; None: nothing.

    Args:
        path: the whole name, such as "keras.ops.fft".
    """
    while path and path not in _BY_NAME:
        path = path.rpartition(".")[0]
    return _BY_NAME.get(path)


def advice(path: str, known: Iterable[str] = ()) -> str:
    """What to use instead of a name: the table's word, or the nearest of the names that there are.

    Args:
        path: the whole name, such as "keras.ops.fft".
        known: the names that there are beside it.
    """
    parts = path.split(".")
    if (instead := advice_of_table(path)) is not None:
        return instead
    similar = nearest(parts[-1], known)
    if similar is not None:
        return f"The nearest supported name is {'.'.join([*parts[:-1], similar])}"
    return "Nothing here stands for it; torch's own functions work on the same tensors"


def names_with_advice(path: str) -> dict[str, str]:
    """The names of a module that are not here, with what to use instead. docs/generate_symbols.py lists them.

    Args:
        path: the module's whole name, such as "keras.ops".
    """
    return {name.rpartition(".")[2]: text for name, text in _BY_NAME.items() if name.rpartition(".")[0] == path}


def refuse(path: str, instead: str) -> NoReturn:
    """Raise UnsupportedError for a name, with the line of the program that used it and what to use instead.

    Args:
        path: the whole name, such as "keras.ops.fft".
        instead: what to use, a sentence without its full stop.
    """
    raise UnsupportedError(f"{path} is not supported{where_in_script()}. {instead}.")


class _Absent(type):
    """The class of stand-ins, which are classes themselves, so that `isinstance(x, keras.layers.LSTM)` works."""

    _advice = ""
    _path = ""

    def _refuse(cls, attribute: str = "") -> NoReturn:
        refuse(f"{cls._path}{attribute}", cls._advice)

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        cls._refuse()

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_"):  # asked for by copy, pickle, inspect, doctest …
            raise AttributeError(name)
        cls._refuse(f".{name}")

    def __setattr__(cls, name: str, value: Any) -> None:
        """A switch of something that is not here: kept, without effect."""
        if not name.startswith("_"):
            ledger.ignore(f"{cls._path}.{name} = {value!r}", "it is not here")
        super().__setattr__(name, value)

    __getitem__ = __iter__ = __enter__ = __call__

    def __exit__(cls, *_: object) -> None:
        """Never reached: `__enter__` raises."""

    def __repr__(cls) -> str:
        return f"<{cls._path}: not supported. {cls._advice}.>"


def absent(path: str, known: Iterable[str] = ()) -> Any:
    """The stand-in for a Keras name that is not here.

    Args:
        path: the whole name, such as "keras.ops.fft".
        known: names of which the nearest is given where there is no advice.
    """
    instead = advice(path, known)
    return _Absent(
        path.rpartition(".")[2], (), {"_advice": instead, "_path": path, "__doc__": f"Not supported. {instead}."}
    )


def is_absent(value: Any) -> bool:
    """Whether something is a stand-in for a name that is not here.

    Args:
        value: anything.
    """
    return isinstance(value, _Absent)


def lookup(module: str, exported: Iterable[str], elsewhere: Mapping[str, str] | None = None) -> Callable[[str], Any]:
    """A module's `__getattr__` (PEP 562): stand-ins for what is documented, and hints for what is mistyped.

    Args:
        module: the module's `__name__`.
        exported: its public names, among which a mistyped one is looked for.
        elsewhere: name → the module that holds it, where that module stands right of this one: it is imported when the
            name is asked for, so that neither needs the other to be imported.
    """
    path = "keras" + module.removeprefix("scene_lightning")
    forwarded = dict(elsewhere or {})

    def find(name: str) -> Any:
        if name in forwarded:
            return getattr(import_module(forwarded[name]), name)
        if f"{path}.{name}" in _BY_NAME:
            return absent(f"{path}.{name}")
        hint = "" if name.startswith("_") else did_you_mean(name, [*exported, *forwarded])
        raise AttributeError(f"module {module!r} has no attribute {name!r}.{hint}")

    return find


def explain_missing_names(module: str, exported: Iterable[str], elsewhere: Mapping[str, str] | None = None) -> None:
    """Give a module the `__getattr__` of `lookup`. Type checkers do not see it, and report a name that is not there.

    Args:
        module, exported, elsewhere: as for `lookup`.
    """
    sys.modules[module].__dict__["__getattr__"] = lookup(module, exported, elsewhere)
