"""Arithmetic on symbolic tensors as layers of the graph: `x / 255.`, `a + b`, `1 - x`, `x[:, 1:]`.

Keras 3 writes these into a model's config as operations (module "keras.src.ops.numpy", class "TrueDivide", …); the
classes here have those names, so that such models go both ways. A functional model finds them in `operator_layers`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from scene_lightning.errors import InputError
from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.symbolic import KerasTensor, record_node
from scene_lightning.layers.base.types import Shape


class Operator(Layer):
    """One operation on one or two tensors; the other operand may be a number, an array or a tensor."""

    _keras_module = "keras.src.ops.numpy"  # where a config says the class is
    _function: Callable[..., Any]

    def call(self, *operands: Any) -> Any:
        tensors = [x for x in operands if isinstance(x, torch.Tensor) and x.ndim > 0]
        device = tensors[0].device if tensors else None
        return type(self)._function(*(x.to(device) if isinstance(x, torch.Tensor) else x for x in operands))

    def _symbolic_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if kwargs:
            raise InputError(f"{type(self).__name__} takes its operands by position; received {sorted(kwargs)}.")
        self.built = True
        shapes = [tuple(np.shape(arg)) if not isinstance(arg, KerasTensor) else arg.shape for arg in args]
        return record_node(self, args, {}, self.compute_output_shape(shapes), "float32")

    def compute_output_shape(self, input_shape: Any) -> Shape:
        shapes = input_shape if input_shape and isinstance(input_shape[0], tuple | list) else [input_shape]
        sides: Shape = ()
        for shape in shapes:
            sides = _broadcast(sides, tuple(shape))
        return sides

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


def _broadcast(first: Shape, second: Shape) -> Shape:
    rank = max(len(first), len(second))
    padded = [(1,) * (rank - len(shape)) + shape for shape in (first, second)]
    sides: list[int | None] = []
    for a, b in zip(*padded, strict=True):
        if a == b or b == 1:
            sides.append(a)
        elif a == 1 or a is None:
            sides.append(b)
        elif b is None:
            sides.append(a)
        else:
            raise InputError(f"Cannot broadcast shapes {first} and {second}: sides {a} and {b} differ.")
    return tuple(sides)


class Add(Operator):
    """x + y."""

    _function = staticmethod(operator.add)


class Subtract(Operator):
    """x - y."""

    _function = staticmethod(operator.sub)


class Multiply(Operator):
    """x * y."""

    _function = staticmethod(operator.mul)


class TrueDivide(Operator):
    """x / y."""

    _function = staticmethod(operator.truediv)


class Divide(Operator):
    """x / y, as `keras.ops.divide` is written."""

    _function = staticmethod(operator.truediv)


class Power(Operator):
    """x ** y."""

    _function = staticmethod(operator.pow)


class Negative(Operator):
    """-x."""

    _function = staticmethod(operator.neg)


class GetItem(Operator):
    """x[key], with whole numbers, slices, None and Ellipsis."""

    def call(self, inputs: torch.Tensor, key: Any) -> Any:  # type: ignore[override]
        return inputs[_as_key(key)]

    def _symbolic_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.built = True
        inputs, key = args[0], kwargs.get("key", args[1] if len(args) > 1 else None)
        shape = _sliced(inputs.shape, _as_key(key))
        written = list(key) if isinstance(key, tuple) else key  # as Keras has it in its files
        return record_node(self, (inputs, written), {}, shape, inputs.dtype)


def _as_key(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key


def _sliced(shape: Shape, key: Any) -> Shape:
    """The shape of x[key], by slicing an array without memory; unknown sides are tried at two lengths."""
    sizes = []
    for length in (33, 47):
        probe = np.broadcast_to(np.zeros(()), [length if n is None else n for n in shape])
        sizes.append(probe[key].shape)
    return tuple(a if a == b else None for a, b in zip(*sizes, strict=True))


_OPERATORS: dict[str, type[Operator]] = {
    cls.__name__: cls for cls in (Add, Subtract, Multiply, TrueDivide, Divide, Power, Negative, GetItem)
}
_BY_SYMBOL = {
    "add": Add,
    "subtract": Subtract,
    "multiply": Multiply,
    "true_divide": TrueDivide,
    "power": Power,
    "negative": Negative,
    "get_item": GetItem,
}


def operator_layers() -> dict[str, type[Operator]]:
    """The operators by class name, for configs whose module is one of Keras' ops (`Add` is also a merging layer)."""
    return _OPERATORS


def _apply(symbol: str, tensor: KerasTensor, other: Any, reflected: bool = False) -> Any:
    layer = _BY_SYMBOL[symbol]()
    if symbol == "negative":
        return layer(tensor)
    return layer(other, tensor) if reflected else layer(tensor, other)


KerasTensor._operator = staticmethod(_apply)

__all__ = ["Operator", "operator_layers"]
