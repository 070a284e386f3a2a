"""Tensors in, tensors out: what Keras 2's `keras.backend` (`K`) computes with. `scene_lightning.backend` shows these.

Written on `ops`, under Keras 2's names, defaults and orders of arguments, for custom losses, metrics and Lambda layers:
`K.sum(K.round(K.clip(y_true * y_pred, 0, 1)))`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from scene_lightning import ops, random
from scene_lightning._settings import floatx, forced_learning_phase, torch_dtype
from scene_lightning.errors import InputError
from scene_lightning.layers.base.symbolic import KerasTensor
from scene_lightning.ops import (
    abs,
    arange,
    binary_crossentropy,
    cast,
    categorical_crossentropy,
    convert_to_tensor,
    cos,
    dtype,
    elu,
    equal,
    exp,
    eye,
    greater,
    greater_equal,
    in_top_k,
    less,
    less_equal,
    log,
    logsumexp,
    maximum,
    minimum,
    not_equal,
    one_hot,
    ones_like,
    reshape,
    shape,
    sigmoid,
    sign,
    sin,
    sparse_categorical_crossentropy,
    square,
    stop_gradient,
    tanh,
    tile,
    transpose,
    zeros_like,
)  # fmt: skip
from scene_lightning.ops import convert_to_tensor as constant
from scene_lightning.ops import power as pow
from scene_lightning.ops import softplus as softplus
from scene_lightning.ops import softsign as softsign
from scene_lightning.training.usage_report import ledger

# -- reductions: an axis, then keepdims --------------------------------------------------------------------------------

all, any, max, mean, min, prod, std, sum, var = (
    ops.all, ops.any, ops.max, ops.mean, ops.min, ops.prod, ops.std, ops.sum, ops.var,
)  # fmt: skip


def argmax(x: Any, axis: int = -1) -> Any:
    """Where the largest value of the last axis is (`ops.argmax` looks in all axes)."""
    return ops.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Any:
    """Where the smallest value of the last axis is."""
    return ops.argmin(x, axis)


def cumsum(x: Any, axis: int = 0) -> Any:
    """Running sums."""
    return ops.cumsum(x, axis)


def cumprod(x: Any, axis: int = 0) -> Any:
    """Running products."""
    return ops.cumprod(x, axis)


# -- elementwise -------------------------------------------------------------------------------------------------------


def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    """x held between two values; the upper one gives way when they are out of order."""
    if isinstance(min_value, int | float) and isinstance(max_value, int | float) and max_value < min_value:
        max_value = min_value
    return ops.clip(x, -np.inf if min_value is None else min_value, np.inf if max_value is None else max_value)


def round(x: Any) -> Any:
    """To the nearest whole number, halves to the even one."""
    return ops.round(x)


def sqrt(x: Any) -> Any:
    """The root; of numbers below 0, 0."""
    return ops.sqrt(ops.maximum(x, 0.0))


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """max(x, 0), with a slope below `threshold` and a cap."""
    if not alpha and max_value is None and not threshold:
        return ops.relu(x)
    kept = ops.where(ops.greater(x, threshold), x, ops.multiply(ops.subtract(x, threshold), alpha))
    return kept if max_value is None else ops.minimum(kept, float(max_value))


def hard_sigmoid(x: Any) -> Any:
    """clip(0.2·x + 0.5, 0, 1): Keras 2's line, steeper than Keras 3's."""
    return ops.clip(ops.add(ops.multiply(x, 0.2), 0.5), 0.0, 1.0)


def softmax(x: Any, axis: int = -1) -> Any:
    """exp(x)/Σexp(x)."""
    return ops.softmax(x, axis)


def l2_normalize(x: Any, axis: Any = None) -> Any:
    """x ÷ its Euclidean norm."""
    squares = ops.sum(ops.square(x), axis, True)
    return ops.multiply(x, ops.rsqrt(ops.maximum(squares, 1e-12)))


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """One of two tensors or functions' results, value by value; a condition of fewer axes counts for whole rows."""
    first, second = (part() if callable(part) else part for part in (then_expression, else_expression))
    for _ in range(len(shape(first)) - len(shape(condition))):
        condition = ops.expand_dims(condition, -1)
    return ops.where(condition, first, second)


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`x` in training, `alt` otherwise; without `training=`, as `set_learning_phase` says."""
    chosen = x if (forced_learning_phase() if training is None else training) else alt
    return chosen() if callable(chosen) else chosen


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`alt` in training, `x` otherwise."""
    return in_train_phase(alt, x, training)


# -- shapes ------------------------------------------------------------------------------------------------------------


def concatenate(tensors: Any, axis: int = -1) -> Any:
    """Tensors joined along the last axis."""
    return ops.concatenate(tensors, axis)


def stack(x: Any, axis: int = 0) -> Any:
    """Tensors joined along a new axis."""
    return ops.stack(x, axis)


def expand_dims(x: Any, axis: int = -1) -> Any:
    """A new axis of size 1, the last by default."""
    return ops.expand_dims(x, axis)


def squeeze(x: Any, axis: Any) -> Any:
    """x without an axis of size 1."""
    return ops.squeeze(x, axis)


def flatten(x: Any) -> Any:
    """All values in one axis."""
    return ops.reshape(x, -1)


def batch_flatten(x: Any) -> Any:
    """(N, …) → (N, values)."""
    return ops.reshape(x, (-1, int(np.prod([int(n) for n in shape(x)[1:] if n is not None]))))


def permute_dimensions(x: Any, pattern: Any) -> Any:
    """The axes in another order."""
    return ops.transpose(x, pattern)


def reverse(x: Any, axes: Any) -> Any:
    """x backwards along `axes`."""
    return ops.flip(x, axes)


def gather(reference: Any, indices: Any) -> Any:
    """The entries of the first axis at `indices`."""
    return ops.take(reference, indices, 0)


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Each entry of an axis, `rep` times."""
    return ops.repeat(x, rep, axis)


def repeat(x: Any, n: int) -> Any:
    """(N, C) → (N, n, C)."""
    return ops.repeat(ops.expand_dims(x, 1), n, 1)


def dot(x: Any, y: Any) -> Any:
    """The last axis of x with the last but one of y."""
    return ops.dot(x, y)


def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """The product of each sample of x with that of y. `axes`: one axis of each, the last and the second by default."""
    first, second = (axes, axes) if isinstance(axes, int) else axes or (len(shape(x)) - 1, _middle_axis(y))
    left, right = ops.moveaxis(x, first, -1), ops.moveaxis(y, second, 1)
    if len(shape(x)) == 2:
        left = ops.expand_dims(left, 1)
    if len(shape(y)) == 2:
        right = ops.expand_dims(right, -1)
    product = ops.matmul(left, right)
    product = ops.squeeze(product, 1) if len(shape(x)) == 2 else product
    return ops.squeeze(product, -1) if len(shape(y)) == 2 and len(shape(x)) > 2 else product


def _middle_axis(y: Any) -> int:
    """The axis that `batch_dot` takes of its second argument: the last but one, never the batch axis."""
    return len(shape(y)) - 2 if len(shape(y)) > 2 else 1


def resize_images(
    x: Any, height_factor: int, width_factor: int, data_format: str | None = None, interpolation: str = "nearest"
) -> Any:
    """Images enlarged by whole factors."""
    rows, columns = (1, 2) if data_format != "channels_first" else (2, 3)
    height, width = (shape(x)[axis] for axis in (rows, columns))
    if height is None or width is None:
        raise InputError(f"K.resize_images needs images of a known size; received {shape(x)}. Use UpSampling2D.")
    size = (height * height_factor, width * width_factor)
    return ops.image.resize(x, size, interpolation, data_format=data_format)


def spatial_2d_padding(x: Any, padding: Any = ((1, 1), (1, 1)), data_format: str | None = None) -> Any:
    """Images with borders of zeros."""
    none, pairs = (0, 0), [tuple(pair) for pair in padding]
    return ops.pad(x, [none, none, *pairs] if data_format == "channels_first" else [none, *pairs, none])


def conv2d(
    x: Any, kernel: Any, strides: Any = (1, 1), padding: str = "valid", data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:  # fmt: skip
    """Images ∗ a kernel (kh, kw, in, out)."""
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


def pool2d(
    x: Any, pool_size: Any, strides: Any = (1, 1), padding: str = "valid", data_format: str | None = None,
    pool_mode: str = "max",
) -> Any:  # fmt: skip
    """The largest value ("max") or the mean ("avg") of each window."""
    return (ops.max_pool if pool_mode == "max" else ops.average_pool)(x, pool_size, strides, padding, data_format)


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    """x + a bias for each channel."""
    if data_format == "channels_first" and len(shape(x)) > 2:
        bias = ops.reshape(bias, (1, -1, *[1] * (len(shape(x)) - 2)))
    return ops.add(x, bias)


# -- new tensors and variables -----------------------------------------------------------------------------------------


def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    """Zeros."""
    return ops.zeros(tuple(shape), dtype)


def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    """Ones."""
    return ops.ones(tuple(shape), dtype)


def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Tensor:
    """A tensor that can be written to with `set_value` and `update`."""
    made = convert_to_tensor(value, dtype or floatx()).detach().clone()
    return torch.nn.Parameter(made, requires_grad=made.is_floating_point())


def update(x: Any, new_x: Any) -> Any:
    """Write into a variable."""
    with torch.no_grad():
        x.assign(new_x) if hasattr(x, "assign") else x.copy_(convert_to_tensor(new_x))
    return x


def update_add(x: Any, increment: Any) -> Any:
    """Add to a variable."""
    return update(x, x + increment)


def update_sub(x: Any, decrement: Any) -> Any:
    """Subtract from a variable."""
    return update(x, x - decrement)


def moving_average_update(x: Any, value: Any, momentum: float) -> Any:
    """x·momentum + value·(1 − momentum), written into x."""
    return update(x, x * momentum + value * (1.0 - momentum))


def random_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Normally distributed numbers."""
    return random.normal(shape, mean, stddev, dtype, seed)


def random_uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Equally likely numbers."""
    return random.uniform(shape, minval, maxval, dtype, seed)


def truncated_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Normally distributed numbers within two deviations."""
    return random.truncated_normal(shape, mean, stddev, dtype, seed)


def random_bernoulli(shape: Any, p: float = 0.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Ones with probability `p`, zeros otherwise."""
    return (random.uniform(shape, seed=seed) <= p).to(torch_dtype(dtype))


random_binomial = random_bernoulli


def dropout(x: Any, level: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """x with a share `level` of its values at 0 and the rest enlarged."""
    return random.dropout(x, level, noise_shape, seed)


# -- models and sessions -----------------------------------------------------------------------------------------------


def is_keras_tensor(x: Any) -> bool:
    """Whether x is a symbolic tensor."""
    return isinstance(x, KerasTensor)


def is_sparse(tensor: Any) -> bool:
    """Whether x is sparse: nothing here is."""
    return False


def print_tensor(x: Any, message: str = "") -> Any:
    """Print the values and return x."""
    print(message, x)
    return x


def set_session(session: Any = None) -> None:
    """Taken: there are no sessions. The runner's closing report names it."""
    ledger.ignore("keras.backend.set_session", "there are no sessions")


def get_session(*_: Any) -> None:
    """None: there are no sessions."""


def manual_variable_initialization(value: bool) -> None:
    """Taken: variables have their values from the start."""
    ledger.ignore("keras.backend.manual_variable_initialization", "variables have their values from the start")


__all__ = [
    "abs", "all", "any", "arange", "argmax", "argmin", "batch_dot", "batch_flatten", "bias_add",
    "binary_crossentropy", "cast", "categorical_crossentropy", "clip", "concatenate", "constant", "conv2d", "cos",
    "cumprod", "cumsum", "dot", "dropout", "dtype", "elu", "equal", "exp", "expand_dims", "eye", "flatten",
    "gather", "get_session", "greater", "greater_equal", "hard_sigmoid", "in_test_phase", "in_top_k",
    "in_train_phase", "is_keras_tensor", "is_sparse", "l2_normalize", "less", "less_equal", "log", "logsumexp",
    "manual_variable_initialization", "max", "maximum", "mean", "min", "minimum", "moving_average_update",
    "not_equal", "one_hot", "ones", "ones_like", "permute_dimensions", "pool2d", "pow", "print_tensor", "prod",
    "random_bernoulli", "random_binomial", "random_normal", "random_uniform", "relu", "repeat", "repeat_elements",
    "reshape", "resize_images", "reverse", "round", "set_session", "shape", "sigmoid", "sign", "sin", "softmax",
    "softplus", "softsign", "sparse_categorical_crossentropy", "spatial_2d_padding", "sqrt", "square", "squeeze",
    "stack", "std", "stop_gradient", "sum", "switch", "tanh", "tile", "transpose", "truncated_normal", "update",
    "update_add", "update_sub", "var", "variable", "zeros", "zeros_like",
]  # fmt: skip
