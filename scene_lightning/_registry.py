"""Turns the name, class, config or object that a user gives for a component into the object.

Keras lets every component be given as a string (`"adam"`), a class, an instance or a serialised dict; each
namespace holds one `table` of its names and calls `resolve`.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Self, TypeVar

from scene_lightning._naming import snake_case
from scene_lightning.errors import InputError, UnknownArgumentError, UnknownNameError

F = TypeVar("F", bound=Callable[..., Any])

_custom_objects: dict[str, Any] = {}


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The most similar of several names, or None when nothing is close.

    Args:
        name: what was written.
        names: what could have been meant.
    """
    by_fold = {candidate.lower(): candidate for candidate in names}
    matches = difflib.get_close_matches(name.lower(), by_fold, n=1, cutoff=0.6)
    return by_fold[matches[0]] if matches else None


def some_of(names: Sequence[str], shown: int = 12) -> str:
    """Names in one line: all of them, or the first few and how many more there are.

    Args:
        names: the names.
        shown: how many to show at most.
    """
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} others" if rest > 0 else "")


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The tail of an error message, ` Did you mean 'x'?`, or an empty string.

    Args:
        name: what was written.
        names: what could have been meant.
    """
    match = nearest(name, names)
    return f" Did you mean {match!r}?" if match else ""


def refuse_unknown(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise UnknownArgumentError for the first argument that is not known, with the nearest that is.

    Args:
        what: what was called, such as "fit()".
        given: names of the arguments.
        known: names that there are.
    """
    words = list(known)
    for name in given:
        if name not in words:
            hint = did_you_mean(name, words) or f" It takes {some_of(words, 20)}."
            raise UnknownArgumentError(f"{what} got an unexpected argument {name!r}.{hint}")


def naming_unknown_words(function: F) -> F:
    """Decorate a function, so that a misspelt keyword is answered with the nearest one that it has.

    Args:
        function: a function or method.
    """
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return function
    known = [name for name in parameters if name not in ("self", "cls")]

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        if not kwargs.keys() <= parameters.keys():
            name = type(args[0]).__name__ if function.__name__ == "__init__" else function.__name__
            refuse_unknown(f"{name}()", kwargs, known)
        return function(*args, **kwargs)

    return called  # type: ignore[return-value]


def name_unknown_words_of(classes: Iterable[Any]) -> None:
    """Decorate the constructors of classes with `naming_unknown_words`.

    Args:
        classes: the classes; what is none is passed over.
    """
    for cls in classes:
        if inspect.isclass(cls) and "__init__" in vars(cls):
            cls.__init__ = naming_unknown_words(vars(cls)["__init__"])  # type: ignore[method-assign, misc]


def by_every_spelling(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table with each class under its own name, in lower case and in snake case, as Keras' `get` accepts them.

    Args:
        table: name → class or function.
    """
    spelled: dict[str, Any] = {}
    for name, value in table.items():
        for spelling in (name, name.lower(), snake_case(name)):
            spelled.setdefault(spelling, value)
    return spelled


def resolve(identifier: Any, *, table: Mapping[str, Any], kind: str) -> Any:
    """Make an instance or function of what a user gave: strings and classes are instantiated, dicts deserialised.

    Args:
        identifier: a name, class, object, callable or config; None stays None.
        table: name → class or function.
        kind: what it should be, for messages, such as "optimizer".

    Raises:
        InputError: no such name (the nearest one is suggested), or something that is not an identifier.
    """
    if identifier is None:
        return None
    if isinstance(identifier, Mapping):
        return _from_dict(identifier, table=table, kind=kind)
    if isinstance(identifier, str):
        value = _custom_objects.get(identifier, table.get(identifier))
        if value is None:
            raise UnknownNameError(
                f"Could not interpret {kind} identifier: {identifier!r}.{did_you_mean(identifier, table)}", identifier
            )
        return value() if inspect.isclass(value) else value
    if inspect.isclass(identifier):
        return identifier()
    if callable(identifier):
        return identifier
    raise InputError(
        f"Could not interpret {kind} identifier: {identifier!r}. Expected a name, a {kind} object, a callable or a "
        f"config dict; received {type(identifier).__name__}."
    )


def _from_dict(config: Mapping[str, Any], *, table: Mapping[str, Any], kind: str) -> Any:
    class_name = config.get("class_name")
    if class_name is None and isinstance(config.get("config"), str):
        class_name = config["config"]
    if not isinstance(class_name, str):
        raise InputError(f"A {kind} config needs a 'class_name' (a string); received {dict(config)!r}.")
    inner = config.get("config")
    if class_name == "function":  # Keras 3 writes plain functions as {"class_name": "function", "config": name}
        return resolve(inner, table=table, kind=kind)
    registered = config.get("registered_name") or class_name
    name = class_name.split(">")[-1]  # Keras 2 wrote "Custom>Adam"
    value = _custom_objects.get(registered, _custom_objects.get(name, table.get(name)))
    if value is None:
        raise UnknownNameError(f"Unknown {kind} {class_name!r} in a config.{did_you_mean(name, table)}", name)
    if not inspect.isclass(value):
        return value
    arguments = dict(inner) if isinstance(inner, Mapping) else {}
    return value.from_config(arguments) if hasattr(value, "from_config") else value(**arguments)


class Configured:
    """What can be made again from its config: `_arguments` names the arguments that it keeps as attributes."""

    _arguments: ClassVar[tuple[str, ...]] = ()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this object again, by name."""
        return {name: getattr(self, name) for name in self._arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make an object from `get_config`'s dict.

        Args:
            config: the constructor's arguments by name.
        """
        return cls(**config)


def serialize_object(obj: Any, namespace: str) -> Any:
    """An object with `get_config` as Keras 3's dict (`module`, `class_name`, `config`, `registered_name`).

    Functions become their name; None and strings stay as they are.

    Args:
        obj: the object.
        namespace: its module below `keras`, such as "losses".
    """
    if obj is None or isinstance(obj, str | int | float | bool):
        return obj
    if hasattr(obj, "get_config"):
        registered = registered_name(type(obj))
        return {
            "module": f"keras.{namespace}" if registered is None else None,
            "class_name": type(obj).__name__,
            "config": obj.get_config(),
            "registered_name": registered,
        }
    if callable(obj) and hasattr(obj, "__name__"):
        return obj.__name__
    raise InputError(f"Cannot serialise {obj!r}: expected an object with get_config() or a named function.")


def registered_name(obj: Any) -> str | None:
    """The `package>name` that a class or function is registered under. Keras: `keras.saving.get_registered_name`.

    Args:
        obj: the class or function.

    Returns:
        The name; None where it is not registered.
    """
    return getattr(obj, "_keras_registered_name", None)


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Any:
    """Decorator: let files name this class or function. Keras: `keras.saving.register_keras_serializable`.

    Args:
        package: the first half of the name in files, `package>name`: what keeps it apart from others.
        name: the second half; None takes the class's or function's own name.

    Returns:
        A decorator that gives the class or function back as it is.

    Example:
        >>> @keras.saving.register_keras_serializable("my_package")
        ... class Doubled(keras.layers.Layer):
        ...     def call(self, x):
        ...         return 2 * x
    """

    def decorate(obj: Any) -> Any:
        register_in_package(package, name)(obj)
        _custom_objects[obj.__name__] = obj  # the newest: a notebook's cell is run again
        return obj

    return decorate


def register_in_package(package: str, name: str | None = None) -> Any:
    """Register as `register_keras_serializable`, but known by "package>name" alone, beside Keras' own.

    Args:
        package: the first half of the name.
        name: the second half; None takes the class's or function's own.
    """

    def decorate(obj: Any) -> Any:
        obj._keras_registered_name = full = f"{package}>{name or obj.__name__}"
        _custom_objects[full] = obj
        return obj

    return decorate


def get_custom_objects() -> dict[str, Any]:
    """The live table of custom objects: what is put in is known by its key. Keras: `saving.get_custom_objects`."""
    return _custom_objects


@contextmanager
def custom_object_scope(objects: Mapping[str, Any] | None) -> Iterator[None]:
    """Make your own classes and functions known by name in a `with` block. Keras: `saving.custom_object_scope`.

    Args:
        objects: name → class or function; None adds nothing.

    Example:
        with keras.saving.custom_object_scope({"Doubled": Doubled}):
            model = keras.models.load_model("model.keras")
    """
    before = dict(_custom_objects)
    _custom_objects.update(objects or {})
    try:
        yield
    finally:
        _custom_objects.clear()
        _custom_objects.update(before)
