"""Makes functions of torch tensors into `keras.ops`: they also take arrays, numbers and symbolic tensors.

On a `KerasTensor` it records a layer with the class name and the config that Keras 3 gives the operation (module
"keras.src.ops.numpy", class "Mean", …), so that functional models written with `keras.ops` go to and from files.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from scene_lightning._settings import DType, as_float, torch_dtype
from scene_lightning.errors import InputError
from scene_lightning.layers.base.operators import Operator, operator_layers
from scene_lightning.layers.base.symbolic import KerasTensor, is_symbolic, record_node
from scene_lightning.tree import flatten, map_structure

F = TypeVar("F", bound=Callable[..., Any])
Axis = int | Sequence[int] | None  # one axis, several, or all

_UNKNOWN_SIDES = (33, 47)  # stand for a side that is not known: what differs between the two runs is not known either


def convert_to_tensor(x: Any, dtype: DType = None, sparse: Any = None, ragged: Any = None) -> Any:
    """Convert anything array-like to a tensor; symbolic tensors stay as they are.

    Args:
        x: tensor or array-like.
        dtype: dtype of the result; None: `floatx()` for Python's floats, int32 for its whole numbers, else as it is.
        sparse: taken as in Keras; the result is dense.
        ragged: taken as in Keras; the result is dense.
    """
    if isinstance(x, KerasTensor):
        return x
    kind = None if dtype is None else torch_dtype(dtype)
    if isinstance(x, Tensor):
        return x if kind is None else x.to(kind)
    if isinstance(x, list | tuple) and any(isinstance(leaf, Tensor) for leaf in flatten(x)):
        stacked = torch.stack([convert_to_tensor(part) for part in x])
        return stacked if kind is None else stacked.to(kind)
    array = x if isinstance(x, np.ndarray | np.generic) else np.asarray(x.numpy() if hasattr(x, "numpy") else x)
    if array.dtype == object:
        raise InputError(f"Cannot make a tensor of {x!r}. Expected numbers of one shape.")
    if kind is None and not isinstance(x, np.ndarray | np.generic):
        kind = {"f": torch_dtype(), "i": torch.int32}.get(array.dtype.kind)
    return torch.as_tensor(np.ascontiguousarray(array).reshape(array.shape), dtype=kind)


def axes(axis: Axis, x: Tensor) -> Any:
    """Turn None, a number or a sequence into torch's `dim`; None stands for all axes.

    Args:
        axis: one axis, several, or None.
        x: the tensor that they are of.
    """
    if axis is None:
        return tuple(range(x.ndim))
    return tuple(axis) if isinstance(axis, list | tuple) else axis


def several(axis: Any) -> tuple[int, ...]:
    """One axis or several as a tuple.

    Args:
        axis: an axis, or a tuple of axes.
    """
    return axis if isinstance(axis, tuple) else (axis,)


class Operation(Operator):
    """One call of an ops function in a functional model: what is not a tensor is in its config.

    Args:
        name: the layer's name; None makes one up.
        **static: the arguments that are no tensors.
    """

    def __init__(self, name: str | None = None, **static: Any) -> None:
        super().__init__(name=name)
        known = list(inspect.signature(type(self)._function).parameters)
        unknown = [key for key in static if key not in known]
        if unknown:
            raise InputError(f"Operation {type(self).__name__} has no argument {unknown}. Expected some of {known}.")
        self._static = static

    def call(self, *operands: Any) -> Any:
        return type(self)._function(*operands, **self._static)

    def _symbolic_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.built = True
        args = (*args, *kwargs.values())
        first, second = (self._run_without_numbers(args, side) for side in _UNKNOWN_SIDES)
        shapes = _merged(first, second)
        dtype = str(flatten(first)[0].dtype).removeprefix("torch.")
        return record_node(self, args, {}, shapes, dtype)

    def _run_without_numbers(self, args: tuple[Any, ...], side: int) -> Any:
        """The outputs on torch's meta device, which has shapes and dtypes but computes nothing."""

        def empty(leaf: Any) -> Any:
            if isinstance(leaf, KerasTensor):
                shape = [side if n is None else n for n in leaf.shape]
                return torch.empty(shape, dtype=torch_dtype(leaf.dtype), device="meta")
            return leaf.to("meta") if isinstance(leaf, Tensor) and leaf.ndim else leaf

        with torch.no_grad():
            return self.call(*(map_structure(empty, arg) for arg in args))

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **{key: _plain(value) for key, value in self._static.items()}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        known = {"name", *inspect.signature(cls._function).parameters}
        # Keras' own operations list arguments that only some backends have; None and False say nothing.
        return cls(**{key: value for key, value in config.items() if key in known or value not in (None, False)})


def _plain(value: Any) -> Any:
    return str(value).removeprefix("torch.") if isinstance(value, torch.dtype) else value


def _merged(first: Any, second: Any) -> Any:
    if isinstance(first, Tensor):
        return tuple(a if a == b else None for a, b in zip(first.shape, second.shape, strict=True))
    return [_merged(a, b) for a, b in zip(first, second, strict=True)]


def _aligned(values: list[Any]) -> list[Any]:
    """Arrays as tensors; tensors on the device of the first that has axes; numbers as they are, beside a tensor."""
    if all(isinstance(x, Tensor) and x.device == values[0].device for x in values):
        return values
    converted = [x if isinstance(x, int | float) else map_structure(_leaf, x) for x in values]
    tensors = [x for x in flatten(converted) if isinstance(x, Tensor)]
    if not tensors:
        return [convert_to_tensor(x) for x in converted]
    device = next((x.device for x in tensors if x.ndim), tensors[0].device)
    return [map_structure(lambda x: x.to(device) if isinstance(x, Tensor) else x, x) for x in converted]


def _leaf(x: Any) -> Any:
    return x if isinstance(x, int | float) and not isinstance(x, bool) else convert_to_tensor(x)


def operation(module: str, tensors: int = 1, name: str | None = None, many: bool = False) -> Callable[[F], F]:
    """Make a function of torch tensors into one of `keras.ops`: its other arguments go into the operation's config.

    Args:
        module: the last part of Keras' module, e.g. "numpy" for "keras.src.ops.numpy".
        tensors: how many of the first arguments are tensors.
        name: Keras' class, where it is not the function's name in camel case.
        many: the first argument is a list of tensors, not an array.
    """

    def decorate(function: F) -> F:
        label = name or "".join(part[:1].upper() + part[1:] for part in function.__name__.strip("_").split("_"))
        parameters = list(inspect.signature(function).parameters)

        @functools.wraps(function)
        def compute(*args: Any, **kwargs: Any) -> Any:
            operands = list(args[:tensors])
            if many and operands:
                return function(_aligned(list(operands[0])), *args[1:], **kwargs)
            named = [key for key in parameters[len(operands) : tensors] if kwargs.get(key) is not None]
            wanted = [_sequence(x) for x in [*operands, *(kwargs.pop(key) for key in named)]]
            ready = _aligned([x for x in wanted if x is not None])
            given = [None if x is None else ready.pop(0) for x in wanted]
            kwargs.update(zip(named, given[len(operands) :], strict=True))
            return function(*given[: len(operands)], *args[tensors:], **kwargs)

        known = operator_layers().get(label)  # Add, Multiply, …: what `x + y` records, too
        if known is None:
            fields = {"_function": staticmethod(compute), "_keras_module": f"keras.src.ops.{module}"}
            known = type(label, (Operation,), {**fields, "__doc__": function.__doc__, "__module__": __name__})
            operator_layers()[label] = known
        layer_class = known

        @functools.wraps(function)
        def public(*args: Any, **kwargs: Any) -> Any:
            if not is_symbolic(args) and not is_symbolic(kwargs):
                return compute(*args, **kwargs)
            bound = inspect.signature(function).bind(*args, **kwargs).arguments
            operands = [bound.pop(key, None) for key in parameters[:tensors]]  # None, too, as Keras records a call
            if any(is_symbolic(value) for value in bound.values()):
                raise InputError(
                    f"keras.ops.{function.__name__} takes symbolic tensors in {parameters[:tensors]} alone; received "
                    f"one in {[key for key, value in bound.items() if is_symbolic(value)]}. Write it as a Lambda layer."
                )
            return layer_class(**bound)(*operands)

        return public  # type: ignore[return-value]

    return decorate


def _sequence(x: Any) -> Any:
    """A list of numbers or arrays is one tensor here."""
    return convert_to_tensor(x) if isinstance(x, list | tuple) else x


# -- functions that are made from a line of a table --------------------------------------------------------------------


class OneTensor(Protocol):
    """A function of one tensor."""

    def __call__(self, x: Any) -> Tensor: ...


class TwoTensors(Protocol):
    """A function of two tensors."""

    def __call__(self, x1: Any, x2: Any) -> Tensor: ...


def elementwise(name: str, function: Callable[[Tensor], Tensor], text: str) -> OneTensor:
    """Make a function of one tensor of any dtype.

    Args:
        name: its public name.
        function: what computes it.
        text: what it does, a sentence.
    """

    def apply(x: Any) -> Tensor:
        return function(x)

    return operation("numpy")(described(apply, name, text))


def floating(name: str, function: Callable[[Tensor], Tensor], text: str, module: str = "numpy") -> OneTensor:
    """Make a function of one tensor that takes whole numbers as floats.

    Args:
        name: its public name.
        function: what computes it.
        text: what it does, a sentence.
        module: the last part of Keras' module.
    """

    def apply(x: Any) -> Tensor:
        return function(as_float(x))

    return operation(module)(described(apply, name, text, x="tensor or array-like; whole numbers become `floatx()`."))


def pairwise(name: str, function: Callable[..., Tensor], text: str) -> TwoTensors:
    """Make a function of two tensors that broadcast; either may be a number.

    Args:
        name: its public name.
        function: what computes it.
        text: what it does, a sentence.
    """

    def apply(x1: Any, x2: Any) -> Tensor:
        return function(*two_tensors(x1, x2))

    return operation("numpy", tensors=2)(described(apply, name, text))


def bitwise(name: str, function: Callable[..., Tensor], text: str) -> Callable[..., Tensor]:
    """Make a function as `pairwise` does, with the names that Keras gives the arguments of functions of bits.

    Args:
        name: its public name.
        function: what computes it.
        text: what it does, a sentence.
    """

    def apply(x: Any, y: Any) -> Tensor:
        return function(*two_tensors(x, y))

    return operation("numpy", tensors=2)(described(apply, name, text, x=_ARGUMENTS["x1"], y=_ARGUMENTS["x2"]))


def two_tensors(x1: Any, x2: Any) -> tuple[Tensor, Tensor]:
    """Bring two operands, of which one may be a number, to tensors on one device.

    Args:
        x1: tensor or number.
        x2: tensor or number.
    """
    if not isinstance(x1, Tensor):
        x1 = torch.as_tensor(x1, dtype=_kind_beside(x1, x2), device=x2.device)
    if not isinstance(x2, Tensor):
        x2 = torch.as_tensor(x2, dtype=_kind_beside(x2, x1), device=x1.device)
    return x1, x2


def _kind_beside(number: Any, tensor: Tensor) -> torch.dtype:
    """A number takes the dtype of the tensor beside it, but a float beside whole numbers is `floatx()`."""
    if isinstance(number, float) and not tensor.is_floating_point():
        return torch_dtype()
    return torch.int32 if tensor.dtype == torch.bool and not isinstance(number, bool) else tensor.dtype


_ARGUMENTS = {
    "x": "tensor or array-like.",
    "x1": "tensor, array-like or number.",
    "x2": "tensor, array-like or number that broadcasts with the other.",
    "axis": "axis or axes to reduce; None: all.",
    "keepdims": "whether reduced axes stay, with size 1.",
    "data": "rows to combine, (rows, ...).",
    "segment_ids": "number of the segment of each row, (rows,).",
    "num_segments": "length of the result; None: the highest number and one.",
    "sorted": "whether the numbers ascend; taken as in Keras.",
}


def described(function: F, name: str, text: str, **arguments: str) -> F:
    """`function` under the name and with the docstring that a `def` in the source would have.

    Args:
        function: what to describe.
        name: its public name.
        text: what it does, a sentence.
        **arguments: lines for its arguments, where they are not the common ones.
    """
    lines = {**_ARGUMENTS, **arguments}
    described = "\n".join(f"    {name}: {lines[name]}" for name in inspect.signature(function).parameters)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{text}\n\nArgs:\n{described}"
    return function
