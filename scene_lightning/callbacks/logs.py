"""The `logs` that callbacks get: metric values as floats, worked out when a callback looks at them.

Keras gives callbacks a dict of Python floats in alphabetical order. Turning a device tensor into a float waits for the
device, so batch logs are worked out only when a callback looks at them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

_ALIASES = {"acc": "accuracy", "accuracy": "acc", "lr": "learning_rate", "learning_rate": "lr"}


def alias_of(name: str) -> str | None:
    """The other spelling of a log name, in old or new Keras: `val_acc` ↔ `val_accuracy`, `lr` ↔ `learning_rate`."""
    prefix, bare = ("val_", name[4:]) if name.startswith("val_") else ("", name)
    alias = _ALIASES.get(bare)
    return None if alias is None else prefix + alias


def key_in(logs: Mapping[str, Any], name: str) -> str | None:
    """The key of `logs` that `name` means: itself, or its other spelling, or None."""
    if name in logs:
        return name
    other = alias_of(name)
    return other if other is not None and other in logs else None


class Logs(dict[str, Any]):
    """What callbacks are given: a value is found under its other spelling too, so that `logs.get("acc") > 0.99` of a
    program for old Keras still compares."""

    def __missing__(self, key: str) -> Any:
        other = alias_of(key) if isinstance(key, str) else None
        if other is not None and dict.__contains__(self, other):
            return dict.__getitem__(self, other)
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default


def pythonify(logs: Mapping[str, Any] | None) -> Logs:
    """Floats in alphabetical order; nested dicts are merged; what is no number stays. Source: Keras' pythonify_logs."""
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

    def __getitem__(self, key: str) -> Any:
        return dict.__getitem__(self.read(), key)

    def __iter__(self) -> Iterator[str]:
        return dict.__iter__(self.read())

    def __len__(self) -> int:
        return dict.__len__(self.read())

    def __contains__(self, key: object) -> bool:
        return dict.__contains__(self.read(), key)

    def __eq__(self, other: object) -> bool:
        return dict.__eq__(self.read(), other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return dict.__repr__(self.read())

    def keys(self) -> Any:
        return dict.keys(self.read())

    def values(self) -> Any:
        return dict.values(self.read())

    def items(self) -> Any:
        return dict.items(self.read())

    def copy(self) -> dict[str, Any]:
        return dict(dict.items(self.read()))

    def pop(self, key: str, *default: Any) -> Any:
        return dict.pop(self.read(), key, *default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        return dict.setdefault(self.read(), key, default)
