"""Reads one entry of a search space: it draws values for a recipe key.

A dimension draws from anything that suggests as Optuna's trials do: nothing here imports Optuna.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from scene_lightning._registry import did_you_mean
from scene_lightning.errors import RecipeError

# type → the fields that an entry of this type may have; those before the bar must be there
_FIELDS = {
    "float": (("low", "high"), ("log", "step")),
    "int": (("low", "high"), ("log", "step")),
    "categorical": (("choices",), ()),
    "layers": (("low", "high", "width"), ("growth", "widest")),
}
_SCALARS = (str, int, float, bool, type(None))


class Suggests(Protocol):
    """What a dimension needs of a trial."""

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None, log: bool) -> float: ...
    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int: ...
    def suggest_categorical(self, name: str, choices: Any) -> Any: ...


class Dimension(Protocol):
    """What a key may be: it draws values, knows its parameters, and shows values that stand for all it can draw."""

    def draw(self, trial: Suggests, key: str) -> Any:
        """A value for `key`, of parameters named `key` or `key.…`."""

    def parameters(self, key: str, value: Any) -> dict[str, Any]:
        """The parameters that draw `value`; empty where it lies outside."""

    def samples(self) -> list[Any]:
        """Values whose being right means that all are."""

    def entry(self) -> dict[str, Any]:
        """The entry again, as plain data."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones where these are whole and `whole` says so.

    Attributes:
        low: the least, included.
        high: the greatest, included.
        whole: whether only whole numbers are drawn.
        step: the distance between two that may be drawn, counted from `low`; None for 1, or for any number.
        log: whether each order of magnitude is equally likely.
    """

    low: float
    high: float
    whole: bool
    step: float | None = None
    log: bool = False

    def draw(self, trial: Suggests, key: str) -> Any:
        if self.whole:
            return trial.suggest_int(key, int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
        number = trial.suggest_float(key, self.low, self.high, step=self.step, log=self.log)
        return min(max(float(f"{number:.4g}"), self.low), self.high)  # a recipe that people can read

    def parameters(self, key: str, value: Any) -> dict[str, Any]:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return {}
        inside = self.low <= value <= self.high and _in_steps(value - self.low, self.step)
        return {key: value if self.whole else float(value)} if inside else {}

    def samples(self) -> list[Any]:
        return [self.low, self.high]

    def entry(self) -> dict[str, Any]:
        rest = {"step": self.step, "log": self.log or None}
        named = {"type": "int" if self.whole else "float", "low": self.low, "high": self.high, **rest}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True)
class Choices:
    """One of some values; a list among them is known to Optuna by its text.

    Attributes:
        values: what may be drawn.
    """

    values: tuple[Any, ...]

    def draw(self, trial: Suggests, key: str) -> Any:
        labels = [_label(value) for value in self.values]
        return self.values[labels.index(trial.suggest_categorical(key, labels))]

    def parameters(self, key: str, value: Any) -> dict[str, Any]:
        label = _label(list(value) if isinstance(value, tuple) else value)
        labels = [_label(known) for known in self.values]
        return {key: label} if any(label == known and type(label) is type(known) for known in labels) else {}

    def samples(self) -> list[Any]:
        return list(self.values)

    def entry(self) -> dict[str, Any]:
        return {"type": "categorical", "choices": list(self.values)}


@dataclass(frozen=True)
class Layers:
    """A list of the widths of layers, each wider than the one before by the factor `growth`.

    Attributes:
        low: the fewest layers.
        high: the most layers.
        width: the widths that the first layer may have.
        growth: the factors from one layer to the next that may be drawn; below 1 they narrow.
        widest: the most that a layer has; None for no limit.
    """

    low: int
    high: int
    width: tuple[int, ...]
    growth: tuple[float, ...] = (1,)
    widest: int | None = None

    def draw(self, trial: Suggests, key: str) -> list[int]:
        layers = trial.suggest_int(f"{key}.layers", self.low, self.high, step=1, log=False)
        width = trial.suggest_categorical(f"{key}.width", list(self.width))
        growth = trial.suggest_categorical(f"{key}.growth", list(self.growth)) if len(self.growth) > 1 else None
        return self._widths(layers, width, self.growth[0] if growth is None else growth)

    def parameters(self, key: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, list | tuple) or not value or not self.low <= len(value) <= self.high:
            return {}
        for growth in self.growth:
            if value[0] in self.width and self._widths(len(value), value[0], growth) == list(value):
                named = {f"{key}.layers": len(value), f"{key}.width": value[0]}
                return {**named, f"{key}.growth": growth} if len(self.growth) > 1 else named
        return {}

    def samples(self) -> list[Any]:
        return [self._widths(count, self.width[0], self.growth[0]) for count in (self.low, self.high)]

    def entry(self) -> dict[str, Any]:
        named = {"type": "layers", "low": self.low, "high": self.high, "width": list(self.width)}
        more = {"growth": list(self.growth), "widest": self.widest}
        return {**named, **{name: value for name, value in more.items() if value is not None}}

    def _widths(self, layers: int, width: int, growth: float) -> list[int]:
        return [min(round(width * growth**index), self.widest or math.inf) for index in range(layers)]  # type: ignore[misc]


def read_dimension(entry: Any) -> Dimension:
    """Read `{type: float, low: …, high: …}` and the like, or a list of choices, as a dimension.

    Args:
        entry: what stands in the file for a key.

    Raises:
        RecipeError: what was expected and what came; whoever calls says for which key.
    """
    if isinstance(entry, list):
        entry = {"type": "categorical", "choices": entry}
    if not isinstance(entry, Mapping):
        raise RecipeError(f"expected {{type: …}} or a list of choices; received {entry!r}.")
    kind = entry.get("type")
    if kind not in _FIELDS:
        problem = f"unknown type {kind!r}.{did_you_mean(str(kind), _FIELDS)}" if "type" in entry else "no type."
        raise RecipeError(f"{problem} Expected one of {', '.join(_FIELDS)}.")
    needed, possible = _FIELDS[kind]
    for name in entry:
        if name not in ("type", *needed, *possible):
            known = (*needed, *possible)
            raise RecipeError(f"{kind} has no {name!r}.{did_you_mean(str(name), known)} Known: {', '.join(known)}.")
    missing = [name for name in needed if name not in entry]
    if missing:
        raise RecipeError(f"{kind} needs {' and '.join(missing)}, e.g. {_EXAMPLES[kind]}.")
    return _READERS[kind](entry)


_EXAMPLES = {
    "float": "{type: float, low: 1e-4, high: 1e-2, log: true}",
    "int": "{type: int, low: 8, high: 64, step: 8}",
    "categorical": "{type: categorical, choices: [adam, sgd]}",
    "layers": "{type: layers, low: 2, high: 4, width: [16, 32], growth: [1, 2]}",
}


def _read_range(entry: Mapping[str, Any]) -> Range:
    whole = entry["type"] == "int"
    low, high = (_number(entry[name], name, whole) for name in ("low", "high"))
    if low >= high:
        raise RecipeError(f"expected low below high; received {low:g} and {high:g}. One value needs no search: --set.")
    log = entry.get("log", False)
    if not isinstance(log, bool):
        raise RecipeError(f"log: expected true or false; received {log!r}.")
    if log and low <= 0:
        raise RecipeError(f"expected low above 0 where log is true; received {low:g}.")
    step = entry.get("step")
    if step is not None:
        step = _number(step, "step", whole)
        if log:
            raise RecipeError("log and step do not go together. Keep one of them.")
        if step <= 0 or step > high - low:
            raise RecipeError(f"step: expected above 0 and at most high - low, {high - low:g}; received {step:g}.")
        if not _in_steps(high - low, step):
            reached = low + math.floor((high - low) / step) * step
            raise RecipeError(f"steps of {step:g} from {low:g} do not meet {high:g}. Expected e.g. high: {reached:g}.")
    return Range(low, high, whole, step, log)


def _read_choices(entry: Mapping[str, Any]) -> Choices:
    values = _list(entry["choices"], "choices")
    for value in values:
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, _SCALARS) for part in parts):
            raise RecipeError(
                f"choices: expected text, numbers, true, false, null or lists of these; received {value!r}."
            )
    labels = [_label(value) for value in values]
    double = next((label for place, label in enumerate(labels) if label in labels[:place]), None)
    if double is not None:
        raise RecipeError(f"choices: {double!r} is there twice. Keep one of them.")
    return Choices(tuple(values))


def _read_layers(entry: Mapping[str, Any]) -> Layers:
    low, high = (int(_number(entry[name], name, True)) for name in ("low", "high"))
    if not 0 <= low <= high:
        raise RecipeError(f"expected numbers of layers, low not above high; received {low} and {high}.")
    width = [_number(value, "width", True) for value in _list(entry["width"], "width")]
    growth = [_number(value, "growth", False) for value in _list(entry.get("growth", [1]), "growth")]
    widest = entry.get("widest")
    for name, values in (("width", width), ("growth", growth), ("widest", [] if widest is None else [widest])):
        if any(_number(value, name, name != "growth") <= 0 for value in values):
            raise RecipeError(f"{name}: expected numbers above 0; received {entry[name]!r}.")
    return Layers(low, high, tuple(map(int, width)), tuple(growth), widest)


_READERS: dict[str, Any] = {
    "float": _read_range, "int": _read_range, "categorical": _read_choices, "layers": _read_layers,
}  # fmt: skip


def _number(value: Any, name: str, whole: bool) -> Any:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not math.isfinite(value):
        raise RecipeError(f"{name}: expected a {'whole ' if whole else ''}number; received {value!r}.")
    return value if whole else float(value)


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise RecipeError(f"{name}: expected a list, such as [1, 2]; received {value!r}.")
    return value


def _label(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) else value


def _in_steps(distance: float, step: float | None) -> bool:
    return step is None or math.isclose(distance / step, round(distance / step), abs_tol=1e-9)


def texts(values: Iterable[Any]) -> list[str]:
    """Values as a person reads them in a table: `32-64-128` for a list of layers, four digits for a number.

    Args:
        values: numbers, texts or lists of widths.
    """
    return [_text(value) for value in values]


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "-".join(map(_text, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
