"""`tf.nn`: activations, dropout, losses from logits, convolution and pooling. TensorFlow: `tf.nn`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from scene_lightning import activations, layers
from scene_lightning.compat.tensorflow.ops.array_ops import gather
from scene_lightning.compat.tensorflow.ops.math_ops import in_top_k, l2_normalize, sigmoid, tanh, top_k
from scene_lightning.compat.tensorflow.ops.operation import as_tensor, operation
from scene_lightning.compat.tensorflow.ops.tensor_ops import depth_to_space, space_to_depth


def _activation(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(features: Any, *args: Any, name: Any = None, **kwargs: Any) -> Any:
        x = as_tensor(features)
        return function(x if x.is_floating_point() else x.float(), *args, **kwargs)

    call.__doc__, call.__name__ = function.__doc__, function.__name__
    return _known_as(function)(operation(call))


def _known_as(activation: Callable[..., Any]) -> Callable[[Any], Any]:
    """Marks a function of TensorFlow's as one of Keras' activations, so that `activation=tf.nn.relu` is saved by name
    and `tf.nn.softmax` keeps its logits for the loss."""

    def mark(function: Any) -> Any:
        function.keras_activation = activation
        return function

    return mark


elu, gelu, selu = (_activation(function) for function in (activations.elu, activations.gelu, activations.selu))
relu, relu6 = _activation(activations.relu), _activation(activations.relu6)
silu = swish = _activation(activations.silu)
softplus, softsign = _activation(activations.softplus), _activation(activations.softsign)


@_known_as(activations.softmax)
@operation
def softmax(logits: Any, axis: Any = None, name: Any = None, x: Any = None) -> Any:
    """Gives exp(x) over its sum along an axis.

    Args:
        logits: scores, of any shape.
        axis: along which; None for the last.
        x: for TensorFlow's sake, without effect.
        name: for TensorFlow's sake, without effect.
    """
    values = as_tensor(logits)
    return activations.softmax(values if values.is_floating_point() else values.float(), -1 if axis is None else axis)


@_known_as(activations.log_softmax)
@operation
def log_softmax(logits: Any, axis: Any = None, name: Any = None) -> Any:
    """Gives the logarithm of `softmax`.

    Args:
        logits: scores, of any shape.
        axis: along which; None for the last.
        name: for TensorFlow's sake, without effect.
    """
    return torch.log_softmax(as_tensor(logits), -1 if axis is None else axis)


@_known_as(activations.leaky_relu)
@operation
def leaky_relu(features: Any, alpha: float = 0.2, name: Any = None) -> Any:
    """Gives x, or alpha·x below zero.

    Args:
        features: tensor of any shape.
        alpha: the slope below zero.
        name: for TensorFlow's sake, without effect.
    """
    return F.leaky_relu(as_tensor(features), alpha)


@operation
def dropout(x: Any, rate: float, noise_shape: Any = None, seed: Any = None, name: Any = None) -> Any:
    """Sets values to zero at random and scales the others up; always active.

    Args:
        x: tensor, array, list or number.
        rate: the probability of zero.
        noise_shape, seed, name: for TensorFlow's sake, without effect.
    """
    return F.dropout(as_tensor(x), rate, training=True)


@operation
def softmax_cross_entropy_with_logits(labels: Any, logits: Any, axis: int = -1, name: Any = None) -> Any:
    """Gives the cross-entropy of each row: (batch, classes) → (batch,).

    Args:
        labels: one-hot rows or class shares, (batch, classes).
        logits: scores before softmax, (batch, classes).
        axis: the one of the classes.
        name: for TensorFlow's sake, without effect.
    """
    return -(as_tensor(labels) * torch.log_softmax(as_tensor(logits), axis)).sum(axis)


@operation
def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any, name: Any = None) -> Any:
    """Gives the cross-entropy of each row: (batch, classes) → (batch,).

    Args:
        labels: (batch,) class numbers.
        logits: scores before softmax, (batch, classes).
        name: for TensorFlow's sake, without effect.
    """
    return F.cross_entropy(as_tensor(logits), as_tensor(labels).long(), reduction="none")


@operation
def sigmoid_cross_entropy_with_logits(labels: Any, logits: Any, name: Any = None) -> Any:
    """Gives the binary cross-entropy of each element.

    Args:
        labels: 0, 1, or between, of any shape.
        logits: scores before the sigmoid, in the same shape.
        name: for TensorFlow's sake, without effect.
    """
    return F.binary_cross_entropy_with_logits(as_tensor(logits), as_tensor(labels).float(), reduction="none")


@operation
def l2_loss(t: Any, name: Any = None) -> Any:
    """Gives half the sum of squares.

    Args:
        t: tensor of any shape.
        name: for TensorFlow's sake, without effect.
    """
    return (as_tensor(t) ** 2).sum() / 2


def _square(value: Any) -> Any:
    """TensorFlow's [1, h, w, 1] → (h, w)."""
    return tuple(value[1:3]) if isinstance(value, list | tuple) and len(value) == 4 else value


@operation
def max_pool2d(input: Any, ksize: Any, strides: Any, padding: str, **_: Any) -> Any:
    """Takes the largest value of each window.

    Args:
        input: (batch, height, width, channels).
        ksize: the window's side in pixels, (height, width), or [1, height, width, 1].
        strides: from window to window, in the same form.
        padding: "SAME" or "VALID".
        **_: for TensorFlow's sake, without effect.
    """
    return layers.MaxPooling2D(_square(ksize), _square(strides), padding.lower())(as_tensor(input))


@operation
def avg_pool2d(input: Any, ksize: Any, strides: Any, padding: str, **_: Any) -> Any:
    """Takes the mean of each window.

    Args:
        input: (batch, height, width, channels).
        ksize: the window's side in pixels, (height, width), or [1, height, width, 1].
        strides: from window to window, in the same form.
        padding: "SAME" or "VALID".
        **_: for TensorFlow's sake, without effect.
    """
    return layers.AveragePooling2D(_square(ksize), _square(strides), padding.lower())(as_tensor(input))


@operation
def moments(x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: Any = None) -> Any:
    """Gives (mean, variance) over axes.

    Args:
        x: tensor, array, list or number.
        axes: over which.
        keepdims: whether the reduced axes stay, with length 1.
        shift, name: for TensorFlow's sake, without effect.
    """
    axes = tuple(axes)
    values = as_tensor(x)
    return values.mean(axes, keepdims), values.var(axes, correction=0, keepdim=keepdims)


max_pool, avg_pool = max_pool2d, avg_pool2d


def embedding_lookup(params: Any, ids: Any, max_norm: Any = None, name: Any = None) -> Any:
    """Takes rows of a table.

    Args:
        params: (rows, size).
        ids: row numbers, of any shape.
        max_norm, name: for TensorFlow's sake, without effect.
    """
    return gather(params, ids)


@operation
def zero_fraction(value: Any, name: Any = None) -> Any:
    """Gives the share of zeros, in 0..1.

    Args:
        value: tensor, array, list or number.
        name: for TensorFlow's sake, without effect.
    """
    return (as_tensor(value) == 0).float().mean()


__all__ = [
    "avg_pool", "avg_pool2d", "depth_to_space", "dropout", "elu", "embedding_lookup", "gelu", "in_top_k", "l2_loss",
    "l2_normalize", "leaky_relu", "log_softmax", "max_pool", "max_pool2d", "moments", "relu", "relu6", "selu",
    "sigmoid", "sigmoid_cross_entropy_with_logits", "silu", "softmax", "softmax_cross_entropy_with_logits",
    "softplus", "softsign", "space_to_depth", "sparse_softmax_cross_entropy_with_logits", "swish", "tanh", "top_k",
    "zero_fraction",
]  # fmt: skip
