"""Stands for documented Keras names that are not in this package, and says what to use instead once one is used.

Programs import names that they never use. A stand-in can be imported, passed around and asked for with `isinstance`;
whoever calls it, subclasses it or reads something from it gets an `UnsupportedError` with the name and the cure.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, NoReturn

from scene_lightning._registry import did_you_mean
from scene_lightning.errors import UnsupportedError

_MARK = "_keras_absent"


class _Absent(type):
    """The class of stand-ins, which are classes themselves, so that `isinstance(x, keras.layers.LSTM)` works."""

    _advice = ""
    _path = ""

    def _refuse(cls) -> NoReturn:
        raise UnsupportedError(f"{cls._path} is not supported. {cls._advice}.")

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        cls._refuse()

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_"):  # asked for by copy, pickle, inspect, doctest …
            raise AttributeError(name)
        raise UnsupportedError(f"{cls._path}.{name} is not supported. {cls._advice}.")

    def __repr__(cls) -> str:
        return f"<{cls._path}: not supported. {cls._advice}.>"


def absent(path: str, advice: str) -> Any:
    """The stand-in for Keras' `path` ("keras.ops.fft"); `advice` is a sentence without its full stop."""

    def refuse_subclass(cls: Any, **_: Any) -> None:
        cls._refuse()

    fields = {"_advice": advice, "_path": path, "__doc__": f"Not supported. {advice}."}
    made = _Absent(path.rpartition(".")[2], (), fields)
    made.__init_subclass__ = classmethod(refuse_subclass)  # type: ignore[assignment,attr-defined]
    return made


def is_absent(value: Any) -> bool:
    """Whether `value` is a stand-in, or a class or function that `mark_absent` has marked."""
    return isinstance(value, _Absent) or (
        (inspect.isclass(value) or inspect.isroutine(value)) and getattr(value, _MARK, False)
    )


def mark_absent(value: Any) -> Any:
    """Say of a class or function that does nothing but refuse that it is one: reports do not count it as here."""
    setattr(value, _MARK, True)
    return value


def lookup(
    module: str, exported: Iterable[str], instead: Mapping[str, str], elsewhere: Mapping[str, str] | None = None
) -> Callable[[str], Any]:
    """A module's `__getattr__` (PEP 562).

    Args:
        module: the module's `__name__`.
        exported: its public names, among which a mistyped one is looked for.
        instead: advice → the documented names, separated by spaces, that it is for.
        elsewhere: name → the module that holds it, where that module stands right of this one: it is imported when the
            name is asked for, so that neither needs the other to be imported.
    """
    path = "keras" + module.removeprefix("scene_lightning")
    advice_for = {name: advice for advice, names in instead.items() for name in names.split()}
    forwarded = dict(elsewhere or {})

    def find(name: str) -> Any:
        if name in forwarded:
            return getattr(import_module(forwarded[name]), name)
        if name in advice_for:
            return absent(f"{path}.{name}", advice_for[name])
        hint = "" if name.startswith("_") else did_you_mean(name, [*exported, *forwarded])
        raise AttributeError(f"module {module!r} has no attribute {name!r}.{hint}")

    find.instead = advice_for  # type: ignore[attr-defined]  # for the table in the documentation
    return find
