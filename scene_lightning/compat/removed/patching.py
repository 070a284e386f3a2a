"""Gives names back to a module, methods to a class, and arguments to a function; and takes all of it away again.

What a library still has is never replaced: names and methods are looked up here only after the library has failed to
find them, so that nothing changes for code that does not ask.
"""

from __future__ import annotations

import functools
import inspect
import os
import pkgutil
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, NamedTuple

from scene_lightning._usage_report import ledger

_SHORT = {"builtins.": "", "numpy.": "np.", "pandas.": "pd.", "matplotlib.pyplot.": "plt.", "matplotlib.": "mpl."}
_PACKAGE = str(Path(__file__).resolve().parents[2])
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
_undo: list[Callable[[], None]] = []


class Modern(NamedTuple):
    """What stands for a removed name.

    Attributes:
        spelling: what a program of today writes, for the report.
        value: the thing itself, or a dotted path that is resolved when the name is asked for.
    """

    spelling: str
    value: Any


def to(path: str) -> Modern:
    """Make the `Modern` of a dotted path, spelt as programs spell it.

    Args:
        path: of the thing that stands for the name.
    """
    return Modern(shortened(path), path)


Names = Mapping[str, str | Modern]
# Method → the modern spelling, what gives it for an instance.
Methods = Mapping[str, tuple[str, Callable[[Any], Any]]]


def shortened(path: str) -> str:
    """Shorten a dotted path as programs write it: `numpy.inf` → `np.inf`.

    Args:
        path: the whole path.
    """
    for long, short in _SHORT.items():
        if path.startswith(long):
            return short + path.removeprefix(long)
    return path


def note(name: str, modern: str) -> None:
    """Note for the report that a removed name was used.

    Args:
        name: the old name, with its module.
        modern: what to write instead.
    """
    ledger.aliases.setdefault(shortened(name), modern)


def give_names(module: ModuleType, names: Names) -> None:
    """Let `module` answer for `names` that it lacks.

    Args:
        module: the library's.
        names: old name → a dotted path, or a `Modern`.
    """
    before = vars(module).get("__getattr__")
    library = module.__name__.partition(".")[0]

    def find(name: str) -> Any:
        try:
            if before is None:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            if name not in names:
                return before(name)
            with warnings.catch_warnings():  # it may warn of what it has removed; the report says that
                warnings.simplefilter("ignore")
                return before(name)
        except (AttributeError, ImportError):
            if name not in names or _asked_by(library):
                raise
        entry = names[name]
        modern = to(entry) if isinstance(entry, str) else entry
        note(f"{module.__name__}.{name}", modern.spelling)
        return pkgutil.resolve_name(modern.value) if isinstance(modern.value, str) else modern.value

    replace(module, "__getattr__", find)


def give_methods(cls: type, names: Methods, shown: str | None = None) -> None:
    """Let instances of `cls` answer for attributes that they lack.

    Args:
        cls: the class; its own `__getattr__`, if it has one, is asked first.
        names: name → (the modern spelling, what gives the attribute of an instance).
        shown: the class's name in the report.
    """
    before = getattr(cls, "__getattr__", None)
    label = shown or cls.__name__

    def find(self: Any, name: str) -> Any:
        try:
            if before is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            return before(self, name)
        except AttributeError:
            if name not in names:
                raise
        modern, give = names[name]
        note(f"{label}.{name}", modern)
        return give(self)

    replace(cls, "__getattr__", find)


def amend(
    owner: Any,
    name: str,
    *,
    shown: str,
    arguments: Mapping[str, tuple[str, Callable[[dict[str, Any], Any], None] | None]] | None = None,
    positions: bool = False,
) -> None:
    """Let a function or method take arguments that it has dropped.

    Args:
        owner, name: where it stands; nothing happens where it does not.
        shown: its name in the report.
        arguments: old argument → (the modern spelling, what puts its value into the keyword arguments; None drops it).
        positions: whether arguments that may only be given by name may be given in their order as well.
    """
    function = vars(owner).get(name, getattr(owner, name, None))
    if not callable(function):
        return
    old = dict(arguments or {})

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        for argument in [argument for argument in old if argument in kwargs]:
            if argument not in _keywords(function):  # else the library has it still
                modern, put = old[argument]
                value = kwargs.pop(argument)
                note(f"{shown}({argument}=)", modern)
                if put is not None:
                    put(kwargs, value)
        if positions:
            args, kwargs = _by_name(function, shown, args, kwargs)
        return function(*args, **kwargs)

    replace(owner, name, call)


def renamed(new: str) -> Callable[[dict[str, Any], Any], None]:
    """Make the entry of `amend` that gives the value to another argument.

    Args:
        new: the argument's name today.
    """
    return lambda kwargs, value: kwargs.__setitem__(new, value)


def is_of_the_program(frame: FrameType) -> bool:
    """Tell whether a line is neither of an installed package, nor of Python's library, nor of this package.

    Args:
        frame: the line's.
    """
    name = frame.f_code.co_filename
    return not ("site-packages" in name or name.startswith((_PACKAGE, _STANDARD_LIBRARY, "<frozen")))


def restore() -> None:
    """Take everything away again, the last first."""
    while _undo:
        _undo.pop()()


def replace(owner: Any, name: str, value: Any) -> None:
    """Put `value` in the place of an attribute, until `restore`.

    Args:
        owner: the module or class.
        name: of the attribute.
        value: what stands there until then.
    """
    had, before = name in vars(owner), vars(owner).get(name)
    setattr(owner, name, value)
    _undo.append((lambda: setattr(owner, name, before)) if had else (lambda: delattr(owner, name)))


def _asked_by(library: str) -> bool:
    """Whether the library itself asks: it knows what it has removed."""
    return str(sys._getframe(2).f_globals.get("__name__", "")).partition(".")[0] == library


@functools.lru_cache(512)
def _parameters(function: Any) -> tuple[inspect.Parameter, ...]:
    try:
        return tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return ()


def _keywords(function: Any) -> set[str]:
    return {parameter.name for parameter in _parameters(function)}


def _by_name(function: Any, shown: str, args: tuple[Any, ...], kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = _parameters(function)
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        return args, kwargs
    count = sum(parameter.kind in by_position for parameter in parameters)
    by_keyword = [parameter.name for parameter in parameters if parameter.kind is inspect.Parameter.KEYWORD_ONLY]
    surplus = args[count:]
    if not surplus or len(surplus) > len(by_keyword):
        return args, kwargs
    named = dict(zip(by_keyword, surplus, strict=False))
    values = (repr(value) if isinstance(value, bool | int | float | str) else "…" for value in surplus)
    note(f"{shown}(…, {', '.join(values)})", ", ".join(f"{name}=" for name in named))
    return args[:count], {**named, **kwargs}
