"""Activations, cross-entropies and normalisation, and the functions of windows of images. Keras: `keras.ops.nn`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from scene_lightning import _objectives, activations
from scene_lightning._settings import DType, as_float, torch_dtype
from scene_lightning._settings import epsilon as default_epsilon
from scene_lightning._unsupported import explain_missing_names
from scene_lightning.errors import InputError
from scene_lightning.ops import convolution
from scene_lightning.ops.convolution import *
from scene_lightning.ops.operation import Axis, operation

celu = operation("nn")(activations.celu)
elu = operation("nn")(activations.elu)
glu = operation("nn")(activations.glu)
hard_shrink = operation("nn")(activations.hard_shrink)
hard_sigmoid = operation("nn")(activations.hard_sigmoid)
hard_silu = hard_swish = operation("nn")(activations.hard_silu)
hard_tanh = operation("nn")(activations.hard_tanh)
leaky_relu = operation("nn")(activations.leaky_relu)
log_sigmoid = operation("nn")(activations.log_sigmoid)
log_softmax = operation("nn")(activations.log_softmax)
relu6 = operation("nn")(activations.relu6)
selu = operation("nn")(activations.selu)
sigmoid = operation("nn")(activations.sigmoid)
silu = swish = operation("nn")(activations.silu)
soft_shrink = operation("nn")(activations.soft_shrink)
softmax = operation("nn")(activations.softmax)
softplus = operation("nn")(activations.softplus)
softsign = operation("nn")(activations.softsign)
sparse_plus = operation("nn")(activations.sparse_plus)
sparse_sigmoid = operation("nn")(activations.sparse_sigmoid)
sparsemax = operation("nn")(activations.sparsemax)
squareplus = operation("nn")(activations.squareplus)
tanh_shrink = operation("nn")(activations.tanh_shrink)
threshold = operation("nn")(activations.threshold)


@operation("nn")
def relu(x: Any) -> Tensor:
    """Rectified linear unit, max(x, 0).

    Args:
        x: tensor or array-like.
    """
    return torch.relu(x)


@operation("nn")
def gelu(x: Any, approximate: bool = True) -> Tensor:
    """Gaussian error linear unit, x·Φ(x), with Φ the normal distribution function.

    Args:
        x: tensor or array-like.
        approximate: whether to use the tanh approximation; True here, while `keras.activations.gelu` is exact.
    """
    return activations.gelu(x, approximate)


# -- targets and losses ------------------------------------------------------------------------------------------------


@operation("nn")
def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: DType = None, sparse: bool = False) -> Tensor:
    """Encode class numbers as vectors with a one; numbers outside the classes give zeros.

    Args:
        x: class numbers of any shape.
        num_classes: length of the vectors.
        axis: place of the new axis; -1: the last.
        dtype: dtype of the result; None: `floatx()`.
        sparse: taken as in Keras; the result is dense.
    """
    places = torch.arange(num_classes, device=x.device)
    hot = (x.long()[..., None] == places).to(torch_dtype(dtype))
    return hot if axis in (-1, x.ndim) else torch.movedim(hot, -1, axis)


@operation("nn")
def multi_hot(
    inputs: Any, num_classes: int | None = None, axis: int = -1, dtype: DType = None, sparse: bool = False
) -> Tensor:
    """Encode several class numbers a sample as one vector with a one for each.

    Args:
        inputs: class numbers, (..., numbers).
        num_classes: length of the vectors; it must be given.
        axis: taken as in Keras.
        dtype: dtype of the result; None: `floatx()`.
        sparse: taken as in Keras; the result is dense.

    Returns:
        A tensor of (..., num_classes).
    """
    if num_classes is None:
        raise InputError("ops.multi_hot() needs `num_classes`, the length of its vectors.")
    hot = inputs.long()[..., None] == torch.arange(num_classes, device=inputs.device)
    return hot.any(dim=-2 if inputs.ndim > 1 or axis == -1 else 0).to(torch_dtype(dtype))


@operation("nn", tensors=2)
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """Binary cross-entropy of each value, −t·log p − (1−t)·log(1−p).

    Args:
        target: true values between 0 and 1.
        output: predictions of the same shape.
        from_logits: whether `output` holds logits, not probabilities.

    Returns:
        A tensor of the shape of `output`: no mean is taken.
    """
    target = target.to(output.dtype)
    if from_logits:
        return F.binary_cross_entropy_with_logits(output, target, reduction="none")
    held = torch.clamp(output, default_epsilon(), 1.0 - default_epsilon())
    return -(target * torch.log(held) + (1.0 - target) * torch.log(1.0 - held))


@operation("nn", tensors=2)
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """Cross-entropy with one-hot or probability targets, −Σ t·log p.

    Args:
        target: true probabilities of the classes, (batch, ..., classes).
        output: predictions of the same shape.
        from_logits: whether `output` holds logits, not probabilities.
        axis: axis of the classes.

    Returns:
        A tensor without the axis of classes.
    """
    return _objectives.categorical_crossentropy(target, _bare(output), from_logits=from_logits, axis=axis)


@operation("nn", tensors=2)
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """Cross-entropy with class numbers as targets, −log p of the true class.

    Args:
        target: class numbers, (batch, ...).
        output: predictions, (batch, ..., classes).
        from_logits: whether `output` holds logits, not probabilities.
        axis: axis of the classes.

    Returns:
        A tensor of the shape of `target`.
    """
    return _objectives.sparse_categorical_crossentropy(target, _bare(output), from_logits=from_logits, axis=axis)


def _bare(output: Tensor) -> Tensor:
    # The operation works on the numbers it is given: not on the logits that a softmax left beside them.
    return output.view_as(output) if hasattr(output, "_keras_logits") else output


# -- normalisation -----------------------------------------------------------------------------------------------------


@operation("nn")
def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple[Tensor, Tensor]:
    """Mean and variance along axes; the variance is divided by N.

    Args:
        x: tensor or array-like.
        axes: axis or axes to reduce.
        keepdims: whether reduced axes stay, with size 1.
        synchronized: taken as in Keras; processes are not joined.

    Returns:
        (mean, variance).
    """
    along = tuple(axes) if isinstance(axes, list | tuple) else axes
    x = as_float(x)
    return torch.mean(x, along, keepdim=keepdims), torch.var(x, along, correction=0, keepdim=keepdims)


@operation("nn")
def normalize(x: Any, axis: Axis = -1, order: int = 2, epsilon: float | None = None) -> Tensor:
    """Divide by the norm along axes.

    Args:
        x: tensor or array-like.
        axis: axis or axes of the norm.
        order: 2 for the Euclidean norm, 1 for the sum of absolute values.
        epsilon: the least to divide by; None: `keras.config.epsilon()`.
    """
    along = tuple(axis) if isinstance(axis, list | tuple) else axis
    x = as_float(x)
    return x / torch.clamp(torch.linalg.vector_norm(x, order, along, keepdim=True), min=_or_default(epsilon))


def _or_default(epsilon: float | None) -> float:
    return default_epsilon() if epsilon is None else epsilon


@operation("nn", tensors=3, name="BatchNorm")
def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Tensor:
    """Normalise with given statistics: (x − mean)·scale / √(variance + epsilon) + offset.

    Args:
        x: tensor or array-like.
        mean: mean of each channel, (channels,).
        variance: variance of each channel, (channels,).
        axis: axis of the channels.
        offset: what is added to each channel; None: 0.
        scale: what each channel is multiplied by; None: 1.
        epsilon: keeps the root from zero.
    """
    sides = [1] * x.ndim
    sides[axis] = x.shape[axis]
    result = (x - mean.reshape(sides)) * torch.rsqrt(variance.reshape(sides) + epsilon)
    result = result if scale is None else result * torch.as_tensor(scale, device=x.device).reshape(sides)
    return result if offset is None else result + torch.as_tensor(offset, device=x.device).reshape(sides)


def _sides(x: Tensor, axis: Any) -> tuple[list[int], list[int]]:
    """(axes counted from the front, the shape of a parameter over them beside `x`)."""
    dims = sorted(one % x.ndim for one in (axis if isinstance(axis, list | tuple) else [axis]))
    return dims, [side if at in dims else 1 for at, side in enumerate(x.shape)]


@operation("nn", tensors=3, name="LayerNorm")
def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Axis = -1, epsilon: float | None = None
) -> Tensor:
    """Normalise over axes: (x − mean) / √(variance + epsilon) · gamma + beta.

    Args:
        x: tensor or array-like.
        gamma: scale, with the sides of `axis`; None: 1.
        beta: offset, with the sides of `axis`; None: 0.
        axis: axis or axes to normalise over.
        epsilon: keeps the root from zero; None: `keras.config.epsilon()`.
    """
    dims, sides = _sides(x, axis)
    x = as_float(x)
    centred = x - x.mean(dims, keepdim=True)
    made = centred * torch.rsqrt(centred.square().mean(dims, keepdim=True) + _or_default(epsilon))
    made = made if gamma is None else made * gamma.reshape(sides)
    return made if beta is None else made + beta.reshape(sides)


@operation("nn", tensors=2, name="RMSNorm")
def rms_normalization(x: Any, scale: Any = None, axis: Axis = -1, epsilon: float | None = None) -> Tensor:
    """Divide by the root mean square over axes: x / √(mean(x²) + epsilon) · scale.

    Args:
        x: tensor or array-like.
        scale: scale, with the sides of `axis`; None: 1.
        axis: axis or axes to normalise over.
        epsilon: keeps the root from zero; None: `keras.config.epsilon()`.
    """
    dims, sides = _sides(x, axis)
    x = as_float(x)
    made = x * torch.rsqrt(x.square().mean(dims, keepdim=True) + _or_default(epsilon))
    return made if scale is None else made * scale.reshape(sides)


@operation("nn", tensors=2, name="PSNR")
def psnr(x1: Any, x2: Any, max_val: float) -> Tensor:
    """Peak signal-to-noise ratio of two images, in decibels: 20·log₁₀(max_val) − 10·log₁₀(mean squared error).

    Args:
        x1: the one image, or a batch.
        x2: the other, of the same shape.
        max_val: the largest value that a pixel can have.

    Returns:
        A tensor without axes: all pixels of the batch count together.
    """
    return 20 * torch.log10(torch.tensor(float(max_val))) - 10 * torch.log10((x1 - x2).square().mean())


__all__ = [
    "batch_normalization", "binary_crossentropy", "categorical_crossentropy", "celu", "elu", "gelu", "glu",
    "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "layer_normalization", "leaky_relu",
    "log_sigmoid", "log_softmax", "moments", "multi_hot", "normalize", "one_hot", "psnr", "relu", "relu6",
    "rms_normalization", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign",
    "sparse_categorical_crossentropy", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish",
    "tanh_shrink", "threshold",
]  # fmt: skip
__all__ += convolution.__all__

explain_missing_names(__name__, __all__)
