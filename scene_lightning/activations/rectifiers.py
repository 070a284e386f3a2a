"""Activations that grow with their input: the rectifiers and their smooth kin, shrinkage, gates and the identity.

Source: https://keras.io/api/layers/activations
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from scene_lightning.activations.squashing import as_tensor


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """Rectified linear unit: max(x, 0).

    With the options: max_value for x ≥ max_value, x for threshold ≤ x < max_value, negative_slope·(x − threshold)
    below.

    Args:
        x: input tensor or array of any shape.
        negative_slope: slope below the threshold.
        max_value: largest value of the result; None: no limit.
        threshold: value below which x is damped or set to zero.

    Returns:
        Tensor of x's shape.
    """
    x = as_tensor(x)
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
    """ReLU with a slope below zero: x, or negative_slope·x for x < 0.

    Args:
        x: input tensor or array of any shape.
        negative_slope: slope below zero; the layer LeakyReLU's default is 0.3.

    Returns:
        Tensor of x's shape.
    """
    return F.leaky_relu(as_tensor(x), negative_slope)


def relu6(x: Any) -> Tensor:
    """ReLU with a limit of 6: min(max(x, 0), 6).

    Args:
        x: input tensor or array of any shape.

    Returns:
        Tensor of x's shape.
    """
    return F.relu6(as_tensor(x))


def tanh_shrink(x: Any) -> Tensor:
    """What the hyperbolic tangent takes off: x − tanh(x).

    Args:
        x: input tensor or array of any shape.

    Returns:
        Tensor of x's shape.
    """
    return F.tanhshrink(as_tensor(x))


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """Exponential linear unit: x, or alpha·(exp(x) − 1) for x < 0.

    Clevert et al., 2015, arXiv:1511.07289.

    Args:
        x: input tensor or array of any shape.
        alpha: the limit of the result is −alpha.

    Returns:
        Tensor of x's shape.
    """
    return F.elu(as_tensor(x), alpha)


def celu(x: Any, alpha: float = 1.0) -> Tensor:
    """Exponential linear unit with a continuous slope: x, or alpha·(exp(x/alpha) − 1) for x < 0.

    Barron, 2017, arXiv:1704.07483.

    Args:
        x: input tensor or array of any shape.
        alpha: the limit of the result is −alpha.

    Returns:
        Tensor of x's shape.
    """
    return F.celu(as_tensor(x), alpha)


def selu(x: Any) -> Tensor:
    """Scaled exponential linear unit, which keeps activations normalised: 1.0507·elu(x, 1.6733).

    To be used with `kernel_initializer="lecun_normal"` and AlphaDropout. Klambauer et al., 2017, arXiv:1706.02515.

    Args:
        x: input tensor or array of any shape.

    Returns:
        Tensor of x's shape.
    """
    return F.selu(as_tensor(x))


def gelu(x: Any, approximate: bool = False) -> Tensor:
    """Gaussian error linear unit: x·Φ(x), with Φ the normal distribution function.

    Hendrycks and Gimpel, 2016, arXiv:1606.08415.

    Args:
        x: input tensor or array of any shape.
        approximate: whether Φ is approximated with tanh.

    Returns:
        Tensor of x's shape.
    """
    return F.gelu(as_tensor(x), approximate="tanh" if approximate else "none")


def silu(x: Any) -> Tensor:
    """Sigmoid linear unit, also called swish: x·sigmoid(x). Ramachandran et al., 2017, arXiv:1710.05941.

    Args:
        x: input tensor or array of any shape.

    Returns:
        Tensor of x's shape.
    """
    return F.silu(as_tensor(x))


def hard_silu(x: Any) -> Tensor:
    """Swish made of simpler pieces, also called hard_swish: x·hard_sigmoid(x). Howard et al., 2019, arXiv:1905.02244.

    Args:
        x: input tensor or array of any shape.

    Returns:
        Tensor of x's shape.
    """
    return F.hardswish(as_tensor(x))


def softplus(x: Any) -> Tensor:
    """Smooth ReLU: log(exp(x) + 1).

    Args:
        x: input tensor or array of any shape.

    Returns:
        Tensor of x's shape, with values above 0.
    """
    return F.softplus(as_tensor(x))


def squareplus(x: Any, b: float = 4) -> Tensor:
    """Smooth ReLU without exponentials: (x + sqrt(x² + b))/2. Barron, 2021, arXiv:2112.11687.

    Args:
        x: input tensor or array of any shape.
        b: how smooth; 0 is ReLU.

    Returns:
        Tensor of x's shape.
    """
    x = as_tensor(x)
    return (x + torch.sqrt(x**2 + b)) / 2


def sparse_plus(x: Any) -> Tensor:
    """Smooth ReLU with exact zeros: 0 up to −1, (x + 1)²/4 up to 1, x from there on.

    Args:
        x: input tensor or array of any shape.

    Returns:
        Tensor of x's shape.
    """
    x = as_tensor(x)
    return torch.where(x <= -1, torch.zeros_like(x), torch.where(x < 1, 0.25 * (x + 1) ** 2, x))


def soft_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """Move x towards zero by `threshold`, and to zero in between.

    Args:
        x: input tensor or array of any shape.
        threshold: how far, 0 or more.

    Returns:
        Tensor of x's shape.
    """
    return F.softshrink(as_tensor(x), threshold)


def hard_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """Keep x where |x| > threshold, and set it to zero elsewhere.

    Args:
        x: input tensor or array of any shape.
        threshold: the bound, 0 or more.

    Returns:
        Tensor of x's shape.
    """
    return F.hardshrink(as_tensor(x), threshold)


def threshold(x: Any, threshold: float, default_value: float) -> Tensor:
    """Keep x where x > threshold, and put another value elsewhere.

    Args:
        x: input tensor or array of any shape.
        threshold: the bound.
        default_value: the value elsewhere.

    Returns:
        Tensor of x's shape.
    """
    return F.threshold(as_tensor(x), threshold, default_value)


def exponential(x: Any) -> Tensor:
    """Exponential function: exp(x).

    Args:
        x: input tensor or array of any shape.

    Returns:
        Tensor of x's shape, with values above 0.
    """
    return torch.exp(as_tensor(x))


def linear(x: Any) -> Any:
    """Leave x as it is.

    Args:
        x: input tensor or array of any shape.

    Returns:
        x itself.
    """
    return x


def mish(x: Any) -> Tensor:
    """Smooth, self-gated unit: x·tanh(softplus(x)). Misra, 2019, arXiv:1908.08681.

    Args:
        x: input tensor or array of any shape.

    Returns:
        Tensor of x's shape.
    """
    return F.mish(as_tensor(x))


def glu(x: Any, axis: int = -1) -> Tensor:
    """Gated linear unit: a·sigmoid(b), a and b being the two halves of x along `axis`. Dauphin et al., 2016.

    Args:
        x: input tensor or array, with an even number of values along `axis`.
        axis: axis that is halved.

    Returns:
        Tensor of x's shape, but half as long along `axis`.
    """
    return F.glu(as_tensor(x), dim=axis)
