"""Activations that keep values within bounds: sigmoids, tangents and softmaxes.

`softmax` and `sigmoid` leave their input on the result as `_keras_logits`, so that a cross-entropy can work on the
logits without the clipping that stops gradients. Source: https://keras.io/api/layers/activations
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from scene_lightning._settings import torch_dtype


def as_tensor(x: Any) -> Tensor:
    """A tensor as it is; anything array-like as a tensor (Python numbers and integers in `floatx()`).

    Args:
        x: a tensor, array, number or list.
    """
    if isinstance(x, Tensor):
        return x
    array = np.asarray(x)
    if isinstance(x, np.ndarray | np.generic) and array.dtype.kind == "f":
        return torch.as_tensor(array)
    return torch.as_tensor(array, dtype=torch_dtype())


def softmax(x: Any, axis: int = -1) -> Tensor:
    """Turn scores into probabilities that sum to 1: exp(x)/Σexp(x) along `axis`.

    Args:
        x: input tensor or array of any shape.
        axis: axis of the classes.

    Returns:
        Tensor of x's shape, with values in [0, 1]; it carries x as `_keras_logits`.
    """
    x = as_tensor(x)
    result = torch.softmax(x, dim=axis)
    result._keras_logits = x  # type: ignore[attr-defined]
    return result


def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """Logarithm of the softmax, computed stably: x − log Σexp(x) along `axis`.

    Args:
        x: input tensor or array of any shape.
        axis: axis of the classes.

    Returns:
        Tensor of x's shape, with values of at most 0.
    """
    return torch.log_softmax(as_tensor(x), dim=axis)


def sigmoid(x: Any) -> Tensor:
    """Turn a score into a probability: 1/(1 + exp(−x)).

    Args:
        x: input tensor or array of any shape.

    Returns:
        Tensor of x's shape, with values in [0, 1]; it carries x as `_keras_logits`.
    """
    x = as_tensor(x)
    result = torch.sigmoid(x)
    result._keras_logits = x  # type: ignore[attr-defined]
    return result


def log_sigmoid(x: Any) -> Tensor:
    """Logarithm of the sigmoid, computed stably: −log(1 + exp(−x)).

    Args:
        x: input tensor or array of any shape.

    Returns:
        Tensor of x's shape, with values of at most 0.
    """
    return F.logsigmoid(as_tensor(x))


def hard_sigmoid(x: Any) -> Tensor:
    """Sigmoid made of straight lines: x/6 + 0.5, between 0 and 1, as in Keras 3 (Keras 2: 0.2x + 0.5).

    Args:
        x: input tensor or array of any shape.

    Returns:
        Tensor of x's shape, with values in [0, 1].
    """
    return F.hardsigmoid(as_tensor(x))


def sparse_sigmoid(x: Any) -> Tensor:
    """Sigmoid that is 0 up to −1 and 1 from 1 on: (x + 1)/2 in between.

    Args:
        x: input tensor or array of any shape.

    Returns:
        Tensor of x's shape, with values in [0, 1].
    """
    return torch.clamp(0.5 * (as_tensor(x) + 1), 0.0, 1.0)


def tanh(x: Any) -> Tensor:
    """Hyperbolic tangent: (exp(x) − exp(−x))/(exp(x) + exp(−x)).

    Args:
        x: input tensor or array of any shape.

    Returns:
        Tensor of x's shape, with values in [−1, 1].
    """
    return torch.tanh(as_tensor(x))


def hard_tanh(x: Any) -> Tensor:
    """Hyperbolic tangent made of straight lines: x, between −1 and 1.

    Args:
        x: input tensor or array of any shape.

    Returns:
        Tensor of x's shape, with values in [−1, 1].
    """
    return F.hardtanh(as_tensor(x))


def softsign(x: Any) -> Tensor:
    """Smooth sign: x/(|x| + 1).

    Args:
        x: input tensor or array of any shape.

    Returns:
        Tensor of x's shape, with values in [−1, 1].
    """
    return F.softsign(as_tensor(x))


def sparsemax(x: Any, axis: int = -1) -> Tensor:
    """Softmax with exact zeros, as Keras computes it on every backend.

    Martins and Astudillo (2016, arXiv:1602.02068) take the k-th running sum where Keras adds up all k of them, so that
    the values do not add up to 1; the same numbers as Keras are worth more here.

    Args:
        x: input tensor or array of any shape.
        axis: axis of the classes.

    Returns:
        Tensor of x's shape.
    """
    x = as_tensor(x)
    ordered = torch.sort(x, dim=axis, descending=True).values
    sums = torch.cumsum(ordered, dim=axis)
    shape = [1] * x.ndim
    shape[axis] = -1
    rank = torch.arange(1, x.shape[axis] + 1, device=x.device, dtype=x.dtype).view(shape)
    support = ordered - (sums - 1) / rank > 0
    kept = torch.where(support, sums, torch.zeros_like(sums))
    tau = (kept.sum(dim=axis, keepdim=True) - 1) / support.sum(dim=axis, keepdim=True)
    return torch.clamp(x - tau, min=0.0)
