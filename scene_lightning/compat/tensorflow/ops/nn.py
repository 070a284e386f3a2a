"""`tf.nn`: activations, dropout, losses from logits, convolution and pooling. TensorFlow: `tf.nn`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from scene_lightning import activations, layers
from scene_lightning.compat.tensorflow.ops.array_ops import gather
from scene_lightning.compat.tensorflow.ops.math_ops import in_top_k, l2_normalize, top_k
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
sigmoid = _activation(activations.sigmoid)
silu = swish = _activation(activations.silu)
softplus, softsign, tanh = (
    _activation(function) for function in (activations.softplus, activations.softsign, activations.tanh)
)


@_known_as(activations.softmax)
@operation
def softmax(logits: Any, axis: Any = None, name: Any = None, x: Any = None) -> Any:
    """exp(x) over its sum along `axis` (the last by default)."""
    values = as_tensor(logits)
    return activations.softmax(values if values.is_floating_point() else values.float(), -1 if axis is None else axis)


@_known_as(activations.log_softmax)
@operation
def log_softmax(logits: Any, axis: Any = None, name: Any = None) -> Any:
    """The logarithm of `softmax`."""
    return torch.log_softmax(as_tensor(logits), -1 if axis is None else axis)


@_known_as(activations.leaky_relu)
@operation
def leaky_relu(features: Any, alpha: float = 0.2, name: Any = None) -> Any:
    """x, or alpha·x below zero."""
    return F.leaky_relu(as_tensor(features), alpha)


@operation
def dropout(x: Any, rate: float, noise_shape: Any = None, seed: Any = None, name: Any = None) -> Any:
    """Each value dropped with probability `rate`, the others scaled up; always active."""
    return F.dropout(as_tensor(x), rate, training=True)


@operation
def softmax_cross_entropy_with_logits(labels: Any, logits: Any, axis: int = -1, name: Any = None) -> Any:
    """(N, classes) one-hot labels and logits → (N,)."""
    return -(as_tensor(labels) * torch.log_softmax(as_tensor(logits), axis)).sum(axis)


@operation
def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any, name: Any = None) -> Any:
    """(N,) class numbers and (N, classes) logits → (N,)."""
    return F.cross_entropy(as_tensor(logits), as_tensor(labels).long(), reduction="none")


@operation
def sigmoid_cross_entropy_with_logits(labels: Any, logits: Any, name: Any = None) -> Any:
    """Binary cross-entropy of each element."""
    return F.binary_cross_entropy_with_logits(as_tensor(logits), as_tensor(labels).float(), reduction="none")


@operation
def l2_loss(t: Any, name: Any = None) -> Any:
    """Half the sum of squares."""
    return (as_tensor(t) ** 2).sum() / 2


def _square(value: Any) -> Any:
    """TensorFlow's [1, h, w, 1] → (h, w)."""
    return tuple(value[1:3]) if isinstance(value, list | tuple) and len(value) == 4 else value


@operation
def max_pool2d(input: Any, ksize: Any, strides: Any, padding: str, **_: Any) -> Any:
    """(N, H, W, C) → the largest of each window."""
    return layers.MaxPooling2D(_square(ksize), _square(strides), padding.lower())(as_tensor(input))


@operation
def avg_pool2d(input: Any, ksize: Any, strides: Any, padding: str, **_: Any) -> Any:
    """(N, H, W, C) → the mean of each window."""
    return layers.AveragePooling2D(_square(ksize), _square(strides), padding.lower())(as_tensor(input))


@operation
def moments(x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: Any = None) -> Any:
    """(mean, variance) over `axes`."""
    axes = tuple(axes)
    values = as_tensor(x)
    return values.mean(axes, keepdims), values.var(axes, correction=0, keepdim=keepdims)


max_pool, avg_pool = max_pool2d, avg_pool2d


def embedding_lookup(params: Any, ids: Any, max_norm: Any = None, name: Any = None) -> Any:
    """The rows of `params` at `ids`."""
    return gather(params, ids)


@operation
def zero_fraction(value: Any, name: Any = None) -> Any:
    """The share of zeros."""
    return (as_tensor(value) == 0).float().mean()


__all__ = [
    "avg_pool", "avg_pool2d", "depth_to_space", "dropout", "elu", "embedding_lookup", "gelu", "in_top_k", "l2_loss",
    "l2_normalize", "leaky_relu", "log_softmax", "max_pool", "max_pool2d", "moments", "relu", "relu6", "selu",
    "sigmoid", "sigmoid_cross_entropy_with_logits", "silu", "softmax", "softmax_cross_entropy_with_logits",
    "softplus", "softsign", "space_to_depth", "sparse_softmax_cross_entropy_with_logits", "swish", "tanh", "top_k",
    "zero_fraction",
]  # fmt: skip
