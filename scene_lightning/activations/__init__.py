"""Keras' activation functions (`keras.activations`): the result has the shape of the input (`glu`: half the axis)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from scene_lightning._registry import resolve, serialize_object
from scene_lightning.activations.rectifiers import (
    celu,
    elu,
    exponential,
    gelu,
    glu,
    hard_shrink,
    hard_silu,
    leaky_relu,
    linear,
    mish,
    relu,
    relu6,
    selu,
    silu,
    soft_shrink,
    softplus,
    sparse_plus,
    squareplus,
    tanh_shrink,
    threshold,
)
from scene_lightning.activations.squashing import (
    hard_sigmoid,
    hard_tanh,
    log_sigmoid,
    log_softmax,
    sigmoid,
    softmax,
    softsign,
    sparse_sigmoid,
    sparsemax,
    tanh,
)

Activation = Callable[..., Tensor]

swish = silu
hard_swish = hard_silu

_FUNCTIONS: tuple[Activation, ...] = (
    relu, leaky_relu, relu6, softmax, log_softmax, sigmoid, log_sigmoid, hard_sigmoid, sparse_sigmoid, tanh, hard_tanh,
    tanh_shrink, elu, celu, selu, gelu, silu, hard_silu, softplus, softsign, squareplus, sparse_plus, soft_shrink,
    hard_shrink, threshold, exponential, linear, mish, glu, sparsemax,
)  # fmt: skip
_TABLE: dict[str, Activation] = {fn.__name__: fn for fn in _FUNCTIONS} | {"swish": silu, "hard_swish": hard_silu}


def get(identifier: Any) -> Activation:
    """Turn what a layer's `activation=` accepts into a function.

    Args:
        identifier: a name such as "relu", a function, a layer, a config dict, or None.

    Returns:
        A callable (tensor) → tensor; `linear` for None.

    Raises:
        InputError: an unknown name (the nearest one is suggested).
    """
    if identifier is None:
        return linear
    # TensorFlow's functions of the same name, as in `activation=tf.nn.relu`, say which one they are.
    identifier = getattr(identifier, "keras_activation", identifier)
    if inspect.isfunction(identifier) or isinstance(identifier, torch.nn.Module):
        return identifier
    return resolve(identifier, table=_TABLE, kind="activation function")


def serialize(activation: Any) -> Any:
    """Describe an activation as Keras' files do.

    Args:
        activation: a built-in or registered function, or a layer.

    Returns:
        The name of a built-in function; a dict with "class_name" and "config" for all else.
    """
    return serialize_object(activation, "layers" if isinstance(activation, torch.nn.Module) else "activations")


def deserialize(config: str | Mapping[str, Any]) -> Activation:
    """Make an activation from what `serialize` returned, or Keras wrote.

    Args:
        config: config dict or name.

    Returns:
        A callable (tensor) → tensor.
    """
    return get(config)


__all__ = [*sorted(_TABLE), "deserialize", "get", "serialize"]
