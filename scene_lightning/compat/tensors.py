"""Torch tensors that answer the calls programs make on TensorFlow's, while `install()` is in force.

A tensor subclass would reach into every layer and lose itself in the first operation; so `torch.Tensor` itself gets
these, and `restore` takes them off again:

- `numpy()` also for tensors that carry gradients or live on a GPU (`model(x).numpy()`);
- NumPy functions (`np.max(t)`) see an array, as they do for TensorFlow's tensors; + - * / ** between an array and a
  tensor give a tensor;
- `image - [103.9, 116.8, 123.7]` and `image[..., ::-1]`: torch takes no lists and no steps backwards;
- `get_shape`, `set_shape` (checks nothing), `assign`, `assign_add`, `assign_sub`, `read_value`;
- `shape` has TensorFlow's methods (`x.shape.as_list()`);
- `value`, which TensorFlow calls (`w.value()`) and Keras 3 reads (`w.value.grad`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from scene_lightning.compat.tensorflow.dtypes import TensorShape
from scene_lightning.layers.base.variable import Variable

_torch_numpy = torch.Tensor.numpy
_ARITHMETIC: dict[Any, Callable[[Any, Any], Any]] = {
    np.add: torch.add,
    np.subtract: torch.subtract,
    np.multiply: torch.multiply,
    np.true_divide: torch.true_divide,
    np.power: torch.pow,
}


@functools.wraps(_torch_numpy)
def _numpy(self: torch.Tensor, *, force: bool = True) -> np.ndarray:
    tensor = self.float() if self.dtype == torch.bfloat16 else self
    return _torch_numpy(tensor, force=True)


def _as_arrays(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return _numpy(value)
    if type(value) in (list, tuple):
        return type(value)(_as_arrays(item) for item in value)
    if type(value) is dict:
        return {key: _as_arrays(item) for key, item in value.items()}
    return value


def _array_function(self: Any, func: Any, types: Iterable[type], args: Any, kwargs: Any) -> Any:
    return func(*_as_arrays(args), **_as_arrays(kwargs))


def _array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    torch_function = _ARITHMETIC.get(ufunc)
    if torch_function is not None and method == "__call__" and not kwargs:
        anchor = next(value for value in inputs if isinstance(value, torch.Tensor))
        first, second = (_operand(value, anchor) for value in inputs)
        return torch_function(first, second)
    return getattr(ufunc, method)(*_as_arrays(inputs), **_as_arrays(kwargs))


def _operand(value: Any, anchor: torch.Tensor) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value
    dtype = anchor.dtype if anchor.is_floating_point() else None
    return torch.as_tensor(np.asarray(value), dtype=dtype, device=anchor.device)


def _taking_lists(name: str) -> Callable[[torch.Tensor, Any], Any]:
    torch_method = getattr(torch.Tensor, name)

    @functools.wraps(torch_method)
    def method(self: torch.Tensor, other: Any) -> Any:
        return torch_method(self, _operand(other, self) if type(other) in (list, tuple) else other)

    return method


_torch_getitem = torch.Tensor.__getitem__


def _goes_back(part: Any) -> bool:
    return type(part) is slice and part.step is not None and part.step < 0


@functools.wraps(_torch_getitem)
def _getitem(self: torch.Tensor, key: Any) -> Any:
    parts = key if type(key) is tuple else (key,)
    if not any(_goes_back(part) for part in parts):
        return _torch_getitem(self, key)
    axes = sum(part is not None and part is not Ellipsis for part in parts)
    tensor, indices, axis = self, [], 0
    for part in parts:
        if _goes_back(part):
            places = range(*part.indices(tensor.shape[axis]))
            order = torch.tensor(places, dtype=torch.long, device=self.device)
            tensor, part = tensor.index_select(axis, order), slice(None)
        indices.append(part)
        axis += self.ndim - axes if part is Ellipsis else part is not None
    return _torch_getitem(tensor, tuple(indices))


def _of_numbers(make: Any) -> Any:
    """`torch.tensor` and its like, which take a tensor that Python indexes for a sequence: `[tensor(1), tensor(2)]`
    would have no end. Its numbers are given instead, in the type that torch would have found."""

    @functools.wraps(make)
    def made(data: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        if type(data) in (list, tuple):
            types: list[torch.dtype | None] = []
            data = _numbers(data, types)
            if types and None not in types and kwargs.get("dtype") is None and not args:
                kwargs["dtype"] = functools.reduce(torch.promote_types, types)  # type: ignore[arg-type]
        result: torch.Tensor = make(data, *args, **kwargs)
        return result

    return made


def _numbers(data: Any, types: list[torch.dtype | None]) -> Any:
    if type(data) in (list, tuple):
        return [_numbers(part, types) for part in data]
    is_number = isinstance(data, torch.Tensor) and data.ndim == 0
    types.append(data.dtype if is_number else None)
    return data.item() if is_number else data


def _get_shape(self: torch.Tensor) -> TensorShape:
    return TensorShape(self.shape)


def _set_shape(self: torch.Tensor, shape: Any) -> None:
    """Eager tensors know their shape already."""


def _in_place(operation: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A method that changes the tensor's values and records no gradient, as a variable's do in TensorFlow."""

    def method(self: torch.Tensor, value: Any, **_: Any) -> torch.Tensor:
        with torch.no_grad():
            return operation(self, torch.as_tensor(value))

    return method


class _Value(torch.Tensor):
    """A tensor as `value` gives it: also callable, with the gradient of the one it shows. Results are plain tensors."""

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]
    _shown: torch.Tensor

    def __call__(self) -> torch.Tensor:
        return self._shown

    @property
    def grad(self) -> torch.Tensor | None:  # type: ignore[override]
        return self._shown.grad

    @grad.setter
    def grad(self, gradient: torch.Tensor | None) -> None:
        self._shown.grad = gradient


def _value(self: torch.Tensor) -> _Value:
    made = self.as_subclass(_Value)
    made._shown = self
    return made


_value_of_keras = vars(Variable)["value"]
_torch_shape: Any = torch.Tensor.shape  # torch.Size cannot be a base class


def _shape(self: torch.Tensor) -> TensorShape:
    return TensorShape(_torch_shape.__get__(self))


_METHODS: dict[str, Any] = {
    "numpy": _numpy,
    "__array_function__": _array_function,
    "__array_ufunc__": _array_ufunc,
    "get_shape": _get_shape,
    "set_shape": _set_shape,
    "assign": _in_place(torch.Tensor.copy_),
    "assign_add": _in_place(torch.Tensor.add_),
    "assign_sub": _in_place(torch.Tensor.sub_),
    "shape": property(_shape),
    "value": property(_value),
    "read_value": lambda self: self,
    "__getitem__": _getitem,
    **{
        f"__{side}{name}__": _taking_lists(f"__{side}{name}__")
        for name in ("add", "sub", "mul", "truediv")
        for side in ("", "r")
    },
}
_TORCHS_OWN = {name: vars(torch.Tensor)[name] for name in _METHODS if name in vars(torch.Tensor)}


def patch() -> None:
    """Give `torch.Tensor` the methods above."""
    for name, method in _METHODS.items():
        setattr(torch.Tensor, name, method)
    for name in ("tensor", "as_tensor"):
        if not hasattr(getattr(torch, name), "__wrapped__"):  # they stay: Python does not forget `__getitem__` either
            setattr(torch, name, _of_numbers(getattr(torch, name)))
    Variable.value = _METHODS["value"]  # type: ignore[assignment]  # Keras' own cannot be called


def restore() -> None:
    """Take them off; what torch had shows again."""
    for name in _METHODS:
        if name in _TORCHS_OWN:
            setattr(torch.Tensor, name, _TORCHS_OWN[name])
        elif name in vars(torch.Tensor):
            delattr(torch.Tensor, name)
    Variable.value = _value_of_keras  # type: ignore[assignment]
