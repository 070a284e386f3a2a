"""The `logs` that callbacks get: metric values as floats, worked out when a callback looks at them.

Keras gives callbacks a dict of Python floats in alphabetical order. Turning a device tensor into a float waits for the
device, so batch logs are worked out only when a callback looks at them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Value = TypeVar("Value")
_ALIASES = {"acc": "accuracy", "accuracy": "acc", "lr": "learning_rate", "learning_rate": "lr"}


def alias_of(name: str) -> str | None:
    """The other spelling of a log name, in old or new Keras: `val_acc` ↔ `val_accuracy`, `lr` ↔ `learning_rate`.

    Args:
        name: a log name, in either spelling; others have None.
    """
    prefix, bare = ("val_", name[4:]) if name.startswith("val_") else ("", name)
    alias = _ALIASES.get(bare)
    return None if alias is None else prefix + alias


def key_in(logs: Mapping[str, Any], name: str) -> str | None:
    """The key of some logs that a name means: itself, or its other spelling, or None.

    Args:
        logs: name → value.
        name: a log name, in either spelling.
    """
    if name in logs:
        return name
    other = alias_of(name)
    return other if other is not None and other in logs else None


class AliasDict(dict[str, Value]):
    """A dict of log names, whose values can be read under the other spelling (`acc`, `val_acc`, `lr`) too."""

    def __missing__(self, key: str) -> Value:
        other = alias_of(key) if isinstance(key, str) else None
        if other is not None and dict.__contains__(self, other):
            return dict.__getitem__(self, other)
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default


class Logs(AliasDict[Any]):
    """What callbacks are given, so that `logs.get("acc") > 0.99` of a program for old Keras still compares."""


def pythonify(logs: Mapping[str, Any] | None) -> Logs:
    """Logs as Python floats in alphabetical order. Source: Keras' `pythonify_logs`.

    Args:
        logs: name → number, tensor or nested dict, which is merged; other values stay. None gives no logs.
    """
    result = Logs()
    for key, value in sorted((logs or {}).items()):
        if isinstance(value, Mapping):
            result.update(pythonify(value))
            continue
        try:
            result[key] = float(value)
        except (TypeError, ValueError, RuntimeError):
            result[key] = value
    return result


class LazyLogs(Logs):
    """A dict whose values are computed when it is first read.

    Args:
        compute: gives the values; called at most once.
    """

    def __init__(self, compute: Callable[[], Mapping[str, Any]]) -> None:
        super().__init__()
        self._compute: Callable[[], Mapping[str, Any]] | None = compute

    def read(self) -> dict[str, Any]:
        """The values, as an ordinary dict that this one keeps."""
        if self._compute is not None:
            compute, self._compute = self._compute, None
            dict.update(self, {**pythonify(compute()), **dict(dict.items(self))})
        return self

    def __bool__(self) -> bool:
        # `logs = logs or {}` opens half of all callbacks: it must not cost a wait for the device.
        return True


def _after_reading(name: str) -> Callable[..., Any]:
    """A method of dict for `LazyLogs`, which reads the values first."""
    method = getattr(dict, name)
    return lambda self, *args: method(self.read(), *args)


for _name in (
    "__getitem__", "__iter__", "__len__", "__contains__", "__eq__", "__repr__", "keys", "values", "items", "copy",
    "pop", "setdefault",
):  # fmt: skip
    setattr(LazyLogs, _name, _after_reading(_name))
