"""Functions of `keras.backend` that reduce tensors and work value by value.

They have Keras 2's names, defaults and orders of arguments, for custom losses, metrics and Lambda layers:
`K.sum(K.round(K.clip(y_true * y_pred, 0, 1)))`. Those whose form has not changed are the functions of `keras.ops`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scene_lightning import ops
from scene_lightning._settings import forced_learning_phase
from scene_lightning.ops import (
    abs,
    arange,
    binary_crossentropy,
    cast,
    categorical_crossentropy,
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

# -- reductions: an axis, then keepdims --------------------------------------------------------------------------------

all, any, max, mean, min, prod, std, sum, var = (
    ops.all, ops.any, ops.max, ops.mean, ops.min, ops.prod, ops.std, ops.sum, ops.var,
)  # fmt: skip


def argmax(x: Any, axis: int = -1) -> Any:
    """Index of the largest value along an axis, the last one by default, unlike `keras.ops.argmax`.

    Args:
        x: tensor or array-like.
        axis: axis to search.

    Returns:
        An int32 tensor.
    """
    return ops.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Any:
    """Index of the smallest value along an axis, the last one by default, unlike `keras.ops.argmin`.

    Args:
        x: tensor or array-like.
        axis: axis to search.

    Returns:
        An int32 tensor.
    """
    return ops.argmin(x, axis)


def cumsum(x: Any, axis: int = 0) -> Any:
    """Cumulative sum along an axis.

    Args:
        x: tensor or array-like.
        axis: axis to add along.
    """
    return ops.cumsum(x, axis)


def cumprod(x: Any, axis: int = 0) -> Any:
    """Cumulative product along an axis.

    Args:
        x: tensor or array-like.
        axis: axis to multiply along.
    """
    return ops.cumprod(x, axis)


# -- elementwise -------------------------------------------------------------------------------------------------------


def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    """Limit the values of `x` to an interval.

    Args:
        x: tensor or array-like.
        min_value: lower bound; None: none.
        max_value: upper bound; None: none. It gives way to `min_value` where it is smaller.
    """
    if isinstance(min_value, int | float) and isinstance(max_value, int | float) and max_value < min_value:
        max_value = min_value
    return ops.clip(x, -np.inf if min_value is None else min_value, np.inf if max_value is None else max_value)


def round(x: Any) -> Any:
    """Round to the nearest whole number; halves go to the even neighbour.

    Args:
        x: tensor or array-like.
    """
    return ops.round(x)


def sqrt(x: Any) -> Any:
    """Square root; 0 for negative numbers, unlike `keras.ops.sqrt`.

    Args:
        x: tensor or array-like.
    """
    return ops.sqrt(ops.maximum(x, 0.0))


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """Rectified linear unit: `x` from `threshold` on, alpha · (x − threshold) below.

    Args:
        x: tensor or array-like.
        alpha: slope below `threshold`.
        max_value: largest value of the result; None: no limit.
        threshold: where the unit begins to respond.
    """
    if not alpha and max_value is None and not threshold:
        return ops.relu(x)
    kept = ops.where(ops.greater(x, threshold), x, ops.multiply(ops.subtract(x, threshold), alpha))
    return kept if max_value is None else ops.minimum(kept, float(max_value))


def hard_sigmoid(x: Any) -> Any:
    """Piecewise linear sigmoid of Keras 2, clip(0.2·x + 0.5, 0, 1); Keras 3 has x/6 + 0.5.

    Args:
        x: tensor or array-like.
    """
    return ops.clip(ops.add(ops.multiply(x, 0.2), 0.5), 0.0, 1.0)


def softmax(x: Any, axis: int = -1) -> Any:
    """Probabilities from logits, exp(x) / Σexp(x).

    Args:
        x: tensor or array-like.
        axis: axis of the classes.
    """
    return ops.softmax(x, axis)


def l2_normalize(x: Any, axis: Any = None) -> Any:
    """Divide by the Euclidean norm along axes.

    Args:
        x: tensor or array-like.
        axis: axis or axes of the norm; None: all.
    """
    squares = ops.sum(ops.square(x), axis, True)
    return ops.multiply(x, ops.rsqrt(ops.maximum(squares, 1e-12)))


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """Choose between two tensors, value by value.

    Args:
        condition: boolean tensor; one of fewer axes counts for whole rows.
        then_expression: tensor, or function without arguments, for where it is true.
        else_expression: tensor, or function without arguments, for where it is false.
    """
    first, second = (part() if callable(part) else part for part in (then_expression, else_expression))
    for _ in range(len(shape(first)) - len(shape(condition))):
        condition = ops.expand_dims(condition, -1)
    return ops.where(condition, first, second)


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """Choose between two values by the learning phase.

    Args:
        x: tensor, or function without arguments, for training.
        alt: tensor, or function without arguments, for inference.
        training: whether this is training; None: what `set_learning_phase` says.
    """
    chosen = x if (forced_learning_phase() if training is None else training) else alt
    return chosen() if callable(chosen) else chosen


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """Choose between two values by the learning phase.

    Args:
        x: tensor, or function without arguments, for inference.
        alt: tensor, or function without arguments, for training.
        training: whether this is training; None: what `set_learning_phase` says.
    """
    return in_train_phase(alt, x, training)


__all__ = [
    "abs", "all", "any", "arange", "argmax", "argmin", "binary_crossentropy", "cast", "categorical_crossentropy",
    "clip", "constant", "cos", "cumprod", "cumsum", "dtype", "elu", "equal", "exp", "eye", "greater",
    "greater_equal", "hard_sigmoid", "in_test_phase", "in_top_k", "in_train_phase", "l2_normalize", "less",
    "less_equal", "log", "logsumexp", "max", "maximum", "mean", "min", "minimum", "not_equal", "one_hot",
    "ones_like", "pow", "prod", "relu", "reshape", "round", "shape", "sigmoid", "sign", "sin", "softmax",
    "softplus", "softsign", "sparse_categorical_crossentropy", "sqrt", "square", "std", "stop_gradient", "sum",
    "switch", "tanh", "tile", "transpose", "var", "zeros_like",
]  # fmt: skip
