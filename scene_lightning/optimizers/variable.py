"""A number on the host that can be assigned to, computed with and read as NumPy: the learning rate, the step count."""

from __future__ import annotations

import functools
import operator
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np


def _number(value: Any) -> Any:
    return value._value if isinstance(value, ScalarVariable) else value


def _with(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A method that computes `operation(number, other)`."""
    return lambda self, other: operation(self._value, _number(other))


def _after(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A method that computes `operation(other, number)`."""
    return lambda self, other: operation(_number(other), self._value)


@functools.total_ordering
class ScalarVariable:
    """Keras' scalar variable, kept on the host: reading it never waits for a device.

    Float values are rounded to float32, in which Keras keeps them, so that logs show the same digits.

    Args:
        value: the number at the start.
        name: its name.
        dtype: its NumPy dtype; values are rounded to it.
    """

    shape: tuple[()] = ()

    def __init__(self, value: float, name: str, dtype: str = "float32") -> None:
        self.name = name
        self.dtype = dtype
        self._listeners: list[weakref.WeakMethod[Callable[[Any], None]]] = []
        self._value = self._rounded(value)

    def _rounded(self, value: Any) -> Any:
        kind = np.dtype(self.dtype).type
        return kind(value.item() if hasattr(value, "item") else value).item()

    @property
    def value(self) -> Any:
        """The number as NumPy's scalar."""
        return self.numpy()

    def assign(self, value: Any) -> ScalarVariable:
        """Set it."""
        self._value = self._rounded(value)
        for reference in list(self._listeners):
            listener = reference()
            if listener is None:
                self._listeners.remove(reference)
            else:
                listener(self._value)
        return self

    def assign_add(self, value: Any) -> ScalarVariable:
        """Add to it."""
        return self.assign(self._value + _number(value))

    def assign_sub(self, value: Any) -> ScalarVariable:
        """Subtract from it."""
        return self.assign(self._value - _number(value))

    set_value = assign

    def on_assign(self, listener: Callable[[Any], None]) -> None:
        """Call the method `listener(value)` after each assignment, for as long as its object lives."""
        alive = [reference for reference in self._listeners if reference() is not None]
        self._listeners = [*alive, weakref.WeakMethod(listener)]

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: who listens to this one does not listen to those."""
        return {**self.__dict__, "_listeners": []}

    def numpy(self) -> Any:
        """The number as NumPy's scalar of its dtype."""
        return np.dtype(self.dtype).type(self._value)

    read_value = numpy
    item = numpy
    get_value = numpy  # of Theano, as programs for Keras 1 call it

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self._value, dtype=dtype or self.dtype)

    def __float__(self) -> float:
        return float(self._value)

    def __int__(self) -> int:
        return int(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __format__(self, spec: str) -> str:
        return format(self._value, spec)

    def __repr__(self) -> str:
        return f"<Variable name={self.name}, dtype={self.dtype}, value={self._value}>"

    def __str__(self) -> str:
        return str(self._value)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        try:
            return bool(self._value == _number(other))
        except (TypeError, ValueError):
            return NotImplemented

    def __lt__(self, other: Any) -> bool:
        return bool(self._value < _number(other))

    __add__ = __radd__ = _with(operator.add)
    __sub__, __rsub__ = _with(operator.sub), _after(operator.sub)
    __mul__ = __rmul__ = _with(operator.mul)
    __truediv__, __rtruediv__ = _with(operator.truediv), _after(operator.truediv)
    __floordiv__ = _with(operator.floordiv)
    __mod__ = _with(operator.mod)
    __pow__, __rpow__ = _with(operator.pow), _after(operator.pow)

    def __neg__(self) -> Any:
        return -self._value

    def __abs__(self) -> Any:
        return abs(self._value)
