"""Variables: tensors with a name that can be assigned to, and that a layer counts among its weights."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from scene_lightning import initializers
from scene_lightning._naming import auto_name
from scene_lightning._registry import naming_unknown_words
from scene_lightning._settings import dtype_name, floatx, torch_dtype
from scene_lightning.errors import InputError
from scene_lightning.layers.base.phase import state

_AGGREGATIONS = (None, "none", "mean", "sum", "only_first_replica")
_SYNCHRONIZATIONS = (None, "none", "on_read", "on_write", "auto")


class Variable(nn.Parameter):
    """A tensor that programs write into, and a weight of the layer that has it as an attribute. Keras: `Variable`.

    It is a parameter of torch's: every operation takes it and gives plain tensors. `dtype` is torch's.

    Args:
        initializer: the values, or a name or function `(shape, dtype) → values` for them.
        shape: needed beside such a function.
        dtype: a name as "float32"; by default that of the values, or the default float type.
        trainable: whether training changes it. Whole numbers and truth values have no gradient in any case.
        name: without "/"; by default "variable", "variable_1", …
        autocast, aggregation, synchronization: taken; Lightning casts, and keeps several devices equal.
        **_: what other backends need to know; not looked at.

    Raises:
        InputError: no shape for a function, or a name, aggregation or synchronization that Keras does not know.
    """

    _is_variable = True  # layers track it
    _name: str
    _path: str
    _trains: bool
    aggregation: str
    synchronization: str

    def __new__(
        cls, initializer: Any, shape: Any = None, dtype: Any = None, trainable: bool = True, autocast: bool = True,
        aggregation: str | None = "none", synchronization: str | None = "auto", name: str | None = None, **_: Any,
    ) -> Variable:  # fmt: skip
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise InputError(f"Argument `name` must be a string and cannot contain `/`. Received: name={name!r}")
        for key, value, known in (
            ("aggregation", aggregation, _AGGREGATIONS), ("synchronization", synchronization, _SYNCHRONIZATIONS)
        ):  # fmt: skip
            if value not in known:
                raise InputError(f"Argument `{key}` must be one of {known}. Received: {key}={value!r}")
        values = _initial(initializer, shape, dtype)
        made = cls.around(values, name, bool(trainable), bool(trainable) and values.is_floating_point())
        made.aggregation, made.synchronization = aggregation or "none", synchronization or "none"
        return made

    @classmethod
    def around(cls, values: torch.Tensor, name: str | None, trainable: bool, requires_grad: bool) -> Variable:
        """A variable whose memory is that of `values`."""
        name = name or auto_name("Variable")
        plain = values.detach() if isinstance(values, nn.Parameter) else values
        made: Variable = super().__new__(cls, plain, requires_grad=requires_grad)  # type: ignore[assignment]
        made._name, made._trains = name, trainable
        made._path = f"{state.path}/{name}" if state.path else name
        made._constraint = made._regularizer = None
        made.aggregation, made.synchronization = "none", "auto"
        return made

    def with_values(self, values: torch.Tensor) -> Variable:
        """Another variable of this name and role, whose memory is that of `values`."""
        return _rebuilt(values, self._state(), self.requires_grad)

    def __init__(self, *_: Any, **__: Any) -> None:
        """Everything is set where the tensor is made."""

    @property
    def name(self) -> str:
        """Its name, not unique."""
        return self._name

    @property
    def path(self) -> str:
        """Its name after those of the layers that were being built or called when it was made: "model/dense/kernel"."""
        return self._path

    @property
    def value(self) -> Variable:
        """The tensor, which is the variable itself."""
        return self

    @property
    def trainable(self) -> bool:
        """Whether training changes it."""
        return self._trains

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trains = bool(value)
        self.requires_grad_(self._trains and self.is_floating_point())

    @property
    def regularizer(self) -> Any:
        """A penalty that the layer adds to the loss, or None."""
        return self._regularizer

    @regularizer.setter
    def regularizer(self, value: Any) -> None:
        self._regularizer = value

    @property
    def constraint(self) -> Any:
        """What the optimizer applies after each step, or None."""
        return self._constraint

    @constraint.setter
    def constraint(self, value: Any) -> None:
        self._constraint = value

    @naming_unknown_words
    def assign(
        self, value: Any, use_locking: Any = None, name: str | None = None, read_value: bool = True
    ) -> torch.Tensor:
        """Write `value`, of the same shape; it is given back as a tensor. Raises InputError for another shape.

        TensorFlow's further arguments (`use_locking`, `name`, `read_value`) change nothing.
        """
        with torch.no_grad():
            given = value.detach() if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value))
            given = given.to(dtype=self.dtype, device=self.device)
            if given.shape != self.shape:
                raise InputError(
                    "The shape of the target variable and the shape of the target value in `variable.assign(value)` "
                    f"must match. variable.shape={tuple(self.shape)}, received: value.shape={tuple(given.shape)}."
                )
            self.copy_(given)
        return given

    @naming_unknown_words
    def assign_add(
        self, value: Any, use_locking: Any = None, name: str | None = None, read_value: bool = True
    ) -> torch.Tensor:
        """Add `value`."""
        return self.assign(self + value)

    @naming_unknown_words
    def assign_sub(
        self, value: Any, use_locking: Any = None, name: str | None = None, read_value: bool = True
    ) -> torch.Tensor:
        """Subtract `value`."""
        return self.assign(self - value)

    def numpy(self, *, force: bool = True) -> np.ndarray:
        """A copy of the values; of bfloat16, which NumPy lacks, in float32."""
        values = self.detach().cpu()
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy().copy()

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        array = self.numpy()
        return array if dtype is None else array.astype(dtype, copy=False)

    def view(self, *shape: Any) -> torch.Tensor:  # type: ignore[override]
        """torch's view; a copy where kernels' order in memory allows none (`torch.nn.utils.parameters_to_vector`)."""
        if self.is_contiguous() or not shape or isinstance(shape[0], torch.dtype):
            return super().view(*shape)
        return self.reshape(*shape)

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        if id(self) not in memo:
            memo[id(self)] = _rebuilt(self.detach().clone(), self._state(), self.requires_grad)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuilt, (self.detach(), self._state(), self.requires_grad)

    def _state(self) -> dict[str, Any]:
        return dict(self.__dict__)

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        kind = dtype_name(self.dtype)
        return f"<Variable path={self.path}, shape={tuple(self.shape)}, dtype={kind}, value={self.numpy()}>"


def _with_arrays(name: str) -> Any:
    """The operator of torch.Tensor, which then takes arrays and lists too."""
    of_tensors = getattr(torch.Tensor, name)

    @functools.wraps(of_tensors)
    def operator(self: Variable, other: Any) -> Any:
        return of_tensors(self, _operand(other, self))

    return operator


_OPERATORS = (
    "add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow matmul rmatmul lt le gt ge eq ne"
)
for _operator in _OPERATORS.split():
    setattr(Variable, f"__{_operator}__", _with_arrays(f"__{_operator}__"))
Variable.__hash__ = torch.Tensor.__hash__  # type: ignore[method-assign]


def _row_by_row(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    """Lay kernels out as LBFGS wants all weights: it strings gradients together by views, which follow the weights."""
    if isinstance(optimizer, torch.optim.LBFGS):
        for param in (param for group in optimizer.param_groups for param in group["params"]):
            if isinstance(param, Variable) and not param.is_contiguous():
                param.data = param.data.contiguous()
                param.grad = None if param.grad is None else param.grad.contiguous()


register_optimizer_step_pre_hook(_row_by_row)


def _rebuilt(values: torch.Tensor, state: dict[str, Any], requires_grad: bool) -> Variable:
    made = Variable.around(values, state["_name"], state["_trains"], requires_grad)
    made.__dict__.update(state)
    return made


def _initial(initializer: Any, shape: Any, dtype: Any) -> torch.Tensor:
    function = initializers.get(initializer) if isinstance(initializer, str) else initializer
    if callable(function) and not isinstance(function, torch.Tensor):
        if shape is None:
            raise InputError(
                "When creating a Variable from an initializer, the `shape` argument should be specified. "
                f"Received: initializer={initializer!r} and shape=None"
            )
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        values = function(shape, dtype=torch_dtype(dtype_name(dtype or floatx())))
    else:
        values = initializer
    if isinstance(values, torch.Tensor):
        made = values.detach().clone()
    else:
        array = np.array(values)
        wide = array.dtype == np.float64 and not isinstance(values, np.ndarray | np.generic)  # Python's floats
        made = torch.as_tensor(array, dtype=torch_dtype(floatx()) if wide else None)
    return made if dtype is None else made.to(torch_dtype(dtype_name(dtype)))


def _operand(value: Any, like: torch.Tensor) -> Any:
    if isinstance(value, np.ndarray | np.generic | list | tuple):
        made = torch.as_tensor(np.asarray(value), device=like.device)
        return made.to(like.dtype) if made.is_floating_point() or like.is_floating_point() else made
    return value
