"""A tensor in; a tensor of the same shape out (`glu`: half the axis). Keras' activation functions by Keras' names.

`softmax` and `sigmoid` leave their input on the result as `_keras_logits`, so that a cross-entropy can work on the
logits without the clipping that stops gradients. Source: https://keras.io/api/layers/activations
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from scene_lightning._registry import resolve, serialize_object
from scene_lightning._settings import torch_dtype

Activation = Callable[..., Tensor]


def _tensor(x: Any) -> Tensor:
    """A tensor as it is; anything array-like as a tensor (Python numbers and integers in `floatx()`)."""
    if isinstance(x, Tensor):
        return x
    array = np.asarray(x)
    if isinstance(x, np.ndarray | np.generic) and array.dtype.kind == "f":
        return torch.as_tensor(array)
    return torch.as_tensor(array, dtype=torch_dtype())


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """max(x, 0); with the arguments: slope below `threshold`, zero at it, capped at `max_value`."""
    x = _tensor(x)
    if negative_slope == 0.0 and threshold == 0.0:
        if max_value is None:
            return torch.relu(x)
        # One kernel each way; clamp's backward pass makes four passes over memory
        return F.hardtanh(x, 0.0, max_value) if x.is_floating_point() else torch.clamp(x, 0.0, max_value)
    if max_value is None and threshold == 0.0:
        return F.leaky_relu(x, negative_slope)
    positive = torch.where(x > threshold, x, torch.zeros_like(x)) if threshold != 0.0 else torch.relu(x)
    if max_value is not None:
        positive = torch.clamp(positive, 0.0, max_value)
    if negative_slope == 0.0:
        return positive
    return positive - negative_slope * torch.relu(threshold - x)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Tensor:
    """x, or negative_slope·x below zero. The string's slope is 0.2; the layer's default is 0.3."""
    return F.leaky_relu(_tensor(x), negative_slope)


def relu6(x: Any) -> Tensor:
    """min(max(x, 0), 6)."""
    return F.relu6(_tensor(x))


def softmax(x: Any, axis: int = -1) -> Tensor:
    """exp(x)/Σexp(x) along `axis`; the result carries `_keras_logits`."""
    x = _tensor(x)
    result = torch.softmax(x, dim=axis)
    result._keras_logits = x  # type: ignore[attr-defined]
    return result


def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """log(softmax(x)), computed stably."""
    return torch.log_softmax(_tensor(x), dim=axis)


def sigmoid(x: Any) -> Tensor:
    """1/(1+exp(−x)); the result carries `_keras_logits`."""
    x = _tensor(x)
    result = torch.sigmoid(x)
    result._keras_logits = x  # type: ignore[attr-defined]
    return result


def log_sigmoid(x: Any) -> Tensor:
    """log(1/(1+exp(−x)))."""
    return F.logsigmoid(_tensor(x))


def hard_sigmoid(x: Any) -> Tensor:
    """clip(x/6 + 0.5, 0, 1), as in Keras 3 (Keras 2: 0.2x + 0.5)."""
    return F.hardsigmoid(_tensor(x))


def sparse_sigmoid(x: Any) -> Tensor:
    """clip((x + 1)/2, 0, 1)."""
    return torch.clamp(0.5 * (_tensor(x) + 1), 0.0, 1.0)


def tanh(x: Any) -> Tensor:
    """Hyperbolic tangent."""
    return torch.tanh(_tensor(x))


def hard_tanh(x: Any) -> Tensor:
    """clip(x, −1, 1)."""
    return F.hardtanh(_tensor(x))


def tanh_shrink(x: Any) -> Tensor:
    """x − tanh(x)."""
    return F.tanhshrink(_tensor(x))


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """x, or alpha·(exp(x) − 1) below zero. Clevert et al., 2015."""
    return F.elu(_tensor(x), alpha)


def celu(x: Any, alpha: float = 1.0) -> Tensor:
    """x, or alpha·(exp(x/alpha) − 1) below zero. Barron, 2017."""
    return F.celu(_tensor(x), alpha)


def selu(x: Any) -> Tensor:
    """1.0507·elu(x, 1.6733). Klambauer et al., 2017."""
    return F.selu(_tensor(x))


def gelu(x: Any, approximate: bool = False) -> Tensor:
    """x·Φ(x), exactly or by the tanh approximation. Hendrycks and Gimpel, 2016."""
    return F.gelu(_tensor(x), approximate="tanh" if approximate else "none")


def silu(x: Any) -> Tensor:
    """x·sigmoid(x), also called swish."""
    return F.silu(_tensor(x))


def hard_silu(x: Any) -> Tensor:
    """x·hard_sigmoid(x), also called hard_swish."""
    return F.hardswish(_tensor(x))


def softplus(x: Any) -> Tensor:
    """log(exp(x) + 1)."""
    return F.softplus(_tensor(x))


def softsign(x: Any) -> Tensor:
    """x/(|x| + 1)."""
    return F.softsign(_tensor(x))


def squareplus(x: Any, b: float = 4) -> Tensor:
    """(x + sqrt(x² + b))/2."""
    x = _tensor(x)
    return (x + torch.sqrt(x**2 + b)) / 2


def sparse_plus(x: Any) -> Tensor:
    """0 below −1, (x + 1)²/4 up to 1, x above."""
    x = _tensor(x)
    return torch.where(x <= -1, torch.zeros_like(x), torch.where(x < 1, 0.25 * (x + 1) ** 2, x))


def soft_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """x moved towards zero by `threshold`, zero in between."""
    return F.softshrink(_tensor(x), threshold)


def hard_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """x where |x| > threshold, else zero."""
    return F.hardshrink(_tensor(x), threshold)


def threshold(x: Any, threshold: float, default_value: float) -> Tensor:
    """x where x > threshold, else `default_value`."""
    return F.threshold(_tensor(x), threshold, default_value)


def exponential(x: Any) -> Tensor:
    """exp(x)."""
    return torch.exp(_tensor(x))


def linear(x: Any) -> Any:
    """x itself."""
    return x


def mish(x: Any) -> Tensor:
    """x·tanh(softplus(x)). Misra, 2019."""
    return F.mish(_tensor(x))


def glu(x: Any, axis: int = -1) -> Tensor:
    """a·sigmoid(b), a and b being the two halves of x along `axis`."""
    return F.glu(_tensor(x), dim=axis)


def sparsemax(x: Any, axis: int = -1) -> Tensor:
    """A softmax with exact zeros, as Keras computes it on every backend.

    Martins and Astudillo (2016) take the k-th running sum where Keras adds up all k of them, so that the values do not
    add up to 1; the same numbers as Keras are worth more here.
    """
    x = _tensor(x)
    ordered = torch.sort(x, dim=axis, descending=True).values
    sums = torch.cumsum(ordered, dim=axis)
    shape = [1] * x.ndim
    shape[axis] = -1
    rank = torch.arange(1, x.shape[axis] + 1, device=x.device, dtype=x.dtype).view(shape)
    support = ordered - (sums - 1) / rank > 0
    kept = torch.where(support, sums, torch.zeros_like(sums))
    tau = (kept.sum(dim=axis, keepdim=True) - 1) / support.sum(dim=axis, keepdim=True)
    return torch.clamp(x - tau, min=0.0)


swish = silu
hard_swish = hard_silu

_FUNCTIONS: tuple[Activation, ...] = (
    relu, leaky_relu, relu6, softmax, log_softmax, sigmoid, log_sigmoid, hard_sigmoid, sparse_sigmoid, tanh, hard_tanh,
    tanh_shrink, elu, celu, selu, gelu, silu, hard_silu, softplus, softsign, squareplus, sparse_plus, soft_shrink,
    hard_shrink, threshold, exponential, linear, mish, glu, sparsemax,
)  # fmt: skip
_TABLE: dict[str, Activation] = {fn.__name__: fn for fn in _FUNCTIONS} | {"swish": silu, "hard_swish": hard_silu}


def get(identifier: Any) -> Activation:
    """A name, a function, a layer or a config dict → a callable; None → `linear`.

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
    """A built-in function → its name; a registered one → Keras' dict; an object → its config."""
    return serialize_object(activation, "layers" if isinstance(activation, torch.nn.Module) else "activations")


def deserialize(config: str | Mapping[str, Any]) -> Activation:
    """The reverse of `serialize`."""
    return get(config)


__all__ = [*sorted(_TABLE), "deserialize", "get", "serialize"]
