"""Brings what a user gives as y_true and y_pred to tensors of one type, device and rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scene_lightning._settings import torch_dtype
from scene_lightning.errors import InputError


def as_prediction(y_pred: Any) -> Tensor:
    """A floating tensor, at least float32; the logits that an activation left on it are kept.

    Args:
        y_pred: tensor, array or list of outputs.
    """
    if isinstance(y_pred, Tensor):
        if y_pred.dtype in (torch.float32, torch.float64):
            return y_pred
        result = y_pred.to(torch.float32)
        logits = getattr(y_pred, "_keras_logits", None)
        if logits is not None:
            result._keras_logits = logits  # type: ignore[attr-defined]
        return result
    array = np.asarray(y_pred)
    keep = isinstance(y_pred, np.ndarray | np.generic) and array.dtype == np.float64
    return torch.as_tensor(array, dtype=torch.float64 if keep else torch_dtype())


def as_target(y_true: Any, like: Tensor) -> Tensor:
    """`y_true` with the dtype and on the device of `like`.

    Args:
        y_true: tensor, array or list of targets.
        like: the prediction.
    """
    if isinstance(y_true, Tensor):
        return y_true.to(device=like.device, dtype=like.dtype)
    return torch.as_tensor(np.asarray(y_true)).to(device=like.device, dtype=like.dtype)


def as_labels(y_true: Any, device: torch.device) -> Tensor:
    """Integer class labels, int64.

    Args:
        y_true: tensor, array or list of class numbers.
        device: where the labels are to be.
    """
    tensor = y_true if isinstance(y_true, Tensor) else torch.as_tensor(np.asarray(y_true))
    return tensor.to(device=device, dtype=torch.int64)


def match_ranks(x1: Tensor, x2: Tensor, expand_rank_1: bool = True) -> tuple[Tensor, Tensor]:
    """Keras' `squeeze_or_expand_to_same_rank`: (N,) beside (N, 1) becomes (N, 1); a last axis of 1 is dropped.

    Args:
        x1, x2: tensors whose ranks may differ by one.
        expand_rank_1: whether (N,) becomes (N, 1); otherwise (N, 1) becomes (N,).
    """
    if x1.ndim == x2.ndim + 1 and x1.shape[-1] == 1:
        if x2.ndim == 1 and expand_rank_1:
            x2 = x2.unsqueeze(-1)
        else:
            x1 = x1.squeeze(-1)
    elif x2.ndim == x1.ndim + 1 and x2.shape[-1] == 1:
        if x1.ndim == 1 and expand_rank_1:
            x1 = x1.unsqueeze(-1)
        else:
            x2 = x2.squeeze(-1)
    return x1, x2


def pair(y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
    """Both as floating tensors of one rank.

    Args:
        y_true: tensor, array or list of targets.
        y_pred: tensor, array or list of outputs.
    """
    prediction = as_prediction(y_pred)
    target, prediction = match_ranks(as_target(y_true, prediction), prediction)
    return target, prediction


def check_same_shape(name: str, y_true: Tensor, y_pred: Tensor, cure: str) -> None:
    """Raise an InputError that ends in `cure` when the shapes differ.

    Args:
        name: the function's name, for the message.
        y_true: targets.
        y_pred: outputs.
        cure: sentence that says what to do about it.
    """
    if y_true.shape != y_pred.shape:
        raise InputError(
            f"{name} needs y_true and y_pred of one shape; received y_true {tuple(y_true.shape)} and "
            f"y_pred {tuple(y_pred.shape)}. {cure}"
        )


def set_mask(values: Tensor, mask: Tensor) -> Tensor:
    """Leave on per-sample `values` which of them count; reductions divide by their number.

    Args:
        values: a value a sample (or a step of it).
        mask: True where a value counts, in the shape of `values`.
    """
    values._keras_mask = mask  # type: ignore[attr-defined]
    return values


def get_mask(values: Any) -> Tensor | None:
    """The mask left by `set_mask` (or by a Masking layer), or None.

    Args:
        values: what a layer or a loss function returned.
    """
    return getattr(values, "_keras_mask", None)


def apply_mask(sample_weight: Tensor | None, mask: Tensor | None, mean: bool, dtype: torch.dtype) -> Tensor | None:
    """Masked-out samples get weight 0; for means the others are scaled up so that the divisor is their number.

    Args:
        sample_weight: weights of the samples; None: 1 each.
        mask: True where a sample counts; None: all do.
        mean: whether the values are averaged afterwards, not summed.
        dtype: dtype of the weights returned.
    """
    if mask is None:
        return sample_weight
    weights = mask.to(dtype)
    if mean:
        weights = weights * torch.nan_to_num(mask.numel() / weights.sum(), posinf=0.0)
    if sample_weight is None:
        return weights
    weights, sample_weight = match_ranks(weights, sample_weight.to(dtype))
    return sample_weight * weights


def l2_normalise(x: Tensor, axis: int) -> Tensor:
    """x · min(1/‖x‖, 1/ε) along `axis`, as `keras.ops.normalize`.

    Args:
        x: tensor of any shape.
        axis: axis along which each vector is to have length 1.
    """
    from_norm = x.square().sum(dim=axis, keepdim=True).rsqrt()
    return x * torch.clamp(from_norm, max=1e7)


def binary_or_sparse(y_true_shape: Sequence[int], y_pred_shape: Sequence[int]) -> tuple[bool, bool]:
    """(binary, sparse categorical): how Keras reads 'accuracy' and 'crossentropy' from the shapes.

    One output is binary; a target of lower rank, or with a last axis of 1 beside several outputs, is sparse.

    Args:
        y_true_shape, y_pred_shape: shapes of a batch of targets and of outputs.
    """
    binary = bool(y_pred_shape) and y_pred_shape[-1] == 1
    sparse = len(y_true_shape) < len(y_pred_shape) or (
        bool(y_true_shape) and y_true_shape[-1] == 1 and y_pred_shape[-1] > 1
    )
    return binary, sparse
