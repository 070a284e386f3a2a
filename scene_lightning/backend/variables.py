"""Functions of `keras.backend` that make tensors, variables and random numbers, and what remains of sessions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scene_lightning import ops, random
from scene_lightning._settings import DType, floatx, torch_dtype
from scene_lightning._usage_report import ledger
from scene_lightning.layers.base.symbolic import KerasTensor
from scene_lightning.ops import convert_to_tensor


def zeros(shape: Any, dtype: DType = None, name: str | None = None) -> Tensor:
    """Create a tensor of zeros.

    Args:
        shape: sides of the tensor.
        dtype: dtype of the result; None: `floatx()`.
        name: taken as in Keras 2, without effect.
    """
    return ops.zeros(tuple(shape), dtype)


def ones(shape: Any, dtype: DType = None, name: str | None = None) -> Tensor:
    """Create a tensor of ones.

    Args:
        shape: sides of the tensor.
        dtype: dtype of the result; None: `floatx()`.
        name: taken as in Keras 2, without effect.
    """
    return ops.ones(tuple(shape), dtype)


def variable(value: Any, dtype: DType = None, name: str | None = None, constraint: Any = None) -> Tensor:
    """Create a tensor that `set_value` and `update` can write to.

    Args:
        value: its first value.
        dtype: its dtype; None: `floatx()`.
        name: taken as in Keras 2, without effect.
        constraint: taken as in Keras 2, without effect.
    """
    made = convert_to_tensor(value, dtype or floatx()).detach().clone()
    return torch.nn.Parameter(made, requires_grad=made.is_floating_point())


def update(x: Any, new_x: Any) -> Any:
    """Write a new value into a variable.

    Args:
        x: the variable.
        new_x: its new value.

    Returns:
        The variable.
    """
    with torch.no_grad():
        x.assign(new_x) if hasattr(x, "assign") else x.copy_(convert_to_tensor(new_x))
    return x


def update_add(x: Any, increment: Any) -> Any:
    """Add to a variable in place.

    Args:
        x: the variable.
        increment: what to add.

    Returns:
        The variable.
    """
    return update(x, x + increment)


def update_sub(x: Any, decrement: Any) -> Any:
    """Subtract from a variable in place.

    Args:
        x: the variable.
        decrement: what to subtract.

    Returns:
        The variable.
    """
    return update(x, x - decrement)


def moving_average_update(x: Any, value: Any, momentum: float) -> Any:
    """Update a moving average in place: x·momentum + value·(1 − momentum).

    Args:
        x: the variable.
        value: the new value.
        momentum: share that the old value keeps, between 0 and 1.

    Returns:
        The variable.
    """
    return update(x, x * momentum + value * (1.0 - momentum))


random_normal, random_uniform, truncated_normal = random.normal, random.uniform, random.truncated_normal


def random_bernoulli(shape: Any, p: float = 0.0, dtype: DType = None, seed: Any = None) -> Tensor:
    """Draw ones with a probability, zeros otherwise.

    Args:
        shape: sides of the tensor.
        p: probability of a one.
        dtype: dtype of the result; None: `floatx()`.
        seed: a whole number (the same numbers at every call), a `SeedGenerator` (new ones), or None (torch's
            generator).
    """
    return (random.uniform(shape, seed=seed) <= p).to(torch_dtype(dtype))


random_binomial = random_bernoulli


def dropout(x: Any, level: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Set a share of the values to 0 and scale the others by 1 / (1 − level).

    Args:
        x: tensor or array-like.
        level: share to set to 0.
        noise_shape: shape of the mask, with 1 where one decision counts for a whole axis; None: that of `x`.
        seed: a whole number (the same numbers at every call), a `SeedGenerator` (new ones), or None (torch's
            generator).
    """
    return random.dropout(x, level, noise_shape, seed)


# -- models and sessions -----------------------------------------------------------------------------------------------


def is_keras_tensor(x: Any) -> bool:
    """Whether `x` is a symbolic tensor.

    Args:
        x: anything.
    """
    return isinstance(x, KerasTensor)


def is_sparse(tensor: Any) -> bool:
    """Whether a tensor is sparse; none is here.

    Args:
        tensor: tensor or array-like.

    Returns:
        False.
    """
    return False


def print_tensor(x: Any, message: str = "") -> Any:
    """Print the values of a tensor.

    Args:
        x: tensor or array-like.
        message: text before them.

    Returns:
        The tensor.
    """
    print(message, x)
    return x


def set_session(session: Any = None) -> None:
    """Take a TensorFlow session and ignore it; the runner's report names the call.

    Args:
        session: ignored.
    """
    ledger.ignore("keras.backend.set_session", "there are no sessions")


def get_session(op_input_list: Any = ()) -> None:
    """Return None: there are no sessions.

    Args:
        op_input_list: ignored.
    """


def manual_variable_initialization(value: bool) -> None:
    """Take the setting and ignore it: variables have their values from the start.

    Args:
        value: ignored.
    """
    ledger.ignore("keras.backend.manual_variable_initialization", "variables have their values from the start")


__all__ = [
    "dropout", "get_session", "is_keras_tensor", "is_sparse", "manual_variable_initialization",
    "moving_average_update", "ones", "print_tensor", "random_bernoulli", "random_binomial", "random_normal",
    "random_uniform", "set_session", "truncated_normal", "update", "update_add", "update_sub", "variable", "zeros",
]  # fmt: skip
