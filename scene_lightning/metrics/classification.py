"""Accuracies: how often predictions are right.

Source: https://keras.io/api/metrics/accuracy_metrics
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from scene_lightning._objectives.shapes import binary_or_sparse, match_ranks
from scene_lightning.errors import InputError
from scene_lightning.metrics.base import MeanMetricWrapper, to_tensor


def _both(y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
    prediction = to_tensor(y_pred)
    true = to_tensor(y_true, like=prediction)
    return (true.float() if true.dtype == torch.bool else true), prediction  # pandas' get_dummies gives True and False


def accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """Tell where y_pred equals y_true: 1 where it does, 0 elsewhere.

    Args:
        y_true: targets of y_pred's shape.
        y_pred: predictions of shape (batch, ...).

    Returns:
        Float tensor of shape (batch, ...).
    """
    true, pred = match_ranks(*_both(y_true, y_pred))
    return (true == pred).float()


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Tensor:
    """Tell where (y_pred > threshold) equals the 0/1 label; exactly the threshold counts as 0.

    Args:
        y_true: labels 0 and 1, of y_pred's shape.
        y_pred: probabilities of shape (batch, ...).
        threshold: above it a prediction counts as 1.

    Returns:
        Float tensor of shape (batch, ...).
    """
    true, pred = match_ranks(*_both(y_true, y_pred))
    return (true == (pred > threshold).to(true.dtype)).float()


def categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """Tell where the highest score is the one-hot label's; ties go to the first class.

    Args:
        y_true: one-hot labels of shape (batch, ..., classes).
        y_pred: scores of shape (batch, ..., classes).

    Returns:
        Float tensor of shape (batch, ...).
    """
    true, pred = _both(y_true, y_pred)
    if true.shape != pred.shape:  # Keras goes on too, and counts every label as class 0
        warnings.warn(
            f"categorical_accuracy needs one-hot labels {tuple(pred.shape)}; received {tuple(true.shape)}: the number "
            "means nothing. For integer labels use 'accuracy' or 'sparse_categorical_accuracy'.",
            stacklevel=3,
        )
    return (torch.argmax(true, dim=-1) == torch.argmax(pred, dim=-1)).float()


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """Tell where the highest score is the integer label's; ties go to the first class.

    Args:
        y_true: integer labels of shape (batch, ...) or (batch, ..., 1).
        y_pred: scores of shape (batch, ..., classes).

    Returns:
        Float tensor of shape (batch, ...).

    Raises:
        InputError: the labels' shape does not fit.
    """
    true, pred = _both(y_true, y_pred)
    if true.ndim == pred.ndim and true.shape[-1] == 1:
        true = true.squeeze(-1)
    best = torch.argmax(pred, dim=-1)
    if true.shape != best.shape:
        raise InputError(
            f"sparse_categorical_accuracy needs integer labels {tuple(best.shape)}; received {tuple(true.shape)}. For "
            "one-hot labels use 'accuracy' or 'categorical_accuracy'."
        )
    return (true == best).float()


def _in_top_k(labels: Tensor, scores: Tensor, k: int) -> Tensor:
    """Whether fewer than k classes score higher than the labelled one (ties count as in)."""
    shape = labels.shape
    scores = scores.reshape(-1, scores.shape[-1])
    flat = labels.reshape(-1, 1).long()
    inside = (flat >= 0) & (flat < scores.shape[-1])
    own = scores.gather(1, torch.where(inside, flat, 0))
    finite = torch.isfinite(own)
    return ((scores > own).sum(dim=1, keepdim=True) < k).logical_and(inside & finite).reshape(shape).float()


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Tensor:
    """Tell where the one-hot label is among the k highest scores.

    Args:
        y_true: one-hot labels of shape (batch, ..., classes).
        y_pred: scores of shape (batch, ..., classes).
        k: number of classes that count as a hit.

    Returns:
        Float tensor of shape (batch, ...).
    """
    true, pred = _both(y_true, y_pred)
    return _in_top_k(torch.argmax(true, dim=-1), pred, k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Tensor:
    """Tell where the integer label is among the k highest scores.

    Args:
        y_true: integer labels of shape (batch, ...) or (batch, ..., 1).
        y_pred: scores of shape (batch, ..., classes), or class numbers with from_sorted_ids=True.
        k: number of classes that count as a hit.
        from_sorted_ids: whether y_pred lists class numbers, the most likely first, of which the first k are looked at.

    Returns:
        Float tensor of shape (batch, ...).
    """
    true, pred = _both(y_true, y_pred)
    if true.ndim == pred.ndim and true.shape[-1] == 1 and pred.ndim > 1:
        true = true.squeeze(-1)
    if from_sorted_ids:
        return (true.reshape(-1, 1) == pred.reshape(-1, pred.shape[-1])[:, :k]).any(dim=1).reshape(true.shape).float()
    return _in_top_k(true, pred, k)


def resolve_accuracy(y_true_shape: Any, y_pred_shape: Any, name: str = "accuracy") -> MeanMetricWrapper:
    """Choose what 'accuracy' and 'acc' mean for these shapes: binary, sparse categorical or categorical.

    Args:
        y_true_shape: shape of the targets.
        y_pred_shape: shape of the predictions; a last axis of 1 is binary.
        name: name shown in logs.

    Returns:
        A metric object.
    """
    binary, sparse = binary_or_sparse(tuple(y_true_shape), tuple(y_pred_shape))
    if binary:
        return BinaryAccuracy(name=name)
    return SparseCategoricalAccuracy(name=name) if sparse else CategoricalAccuracy(name=name)


class Accuracy(MeanMetricWrapper):
    """How often y_pred equals y_true exactly.

    Args:
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _direction = "up"

    def __init__(self, name: str | None = "accuracy", dtype: Any = None) -> None:
        super().__init__(accuracy, name=name, dtype=dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """How often (y_pred > threshold) equals the 0/1 label.

    Args:
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.
        threshold: above it a prediction counts as 1; in [0, 1].

    Raises:
        InputError: a threshold outside [0, 1].
    """

    _direction = "up"

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        if not 0 <= float(threshold) <= 1:
            raise InputError(f"BinaryAccuracy needs a threshold in [0, 1]; received {threshold!r}.")
        super().__init__(binary_accuracy, name=name, dtype=dtype, threshold=threshold)
        self.threshold = threshold


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the highest score is the one-hot label's; y_true and y_pred have the shape (batch, ..., classes).

    Args:
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _direction = "up"

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(categorical_accuracy, name=name, dtype=dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the highest score is the integer label's.

    y_true has the shape (batch, ...) or (batch, ..., 1), y_pred (batch, ..., classes).

    Args:
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _direction = "up"

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(sparse_categorical_accuracy, name=name, dtype=dtype)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the one-hot label is among the k highest scores.

    Args:
        k: number of classes that count as a hit.
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _direction = "up"

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(top_k_categorical_accuracy, name=name, dtype=dtype, k=k)
        self.k = k


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the integer label is among the k highest scores.

    Args:
        k: number of classes that count as a hit.
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.
        from_sorted_ids: whether y_pred lists class numbers, the most likely first, in the place of scores.
    """

    _direction = "up"

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        options = {"from_sorted_ids": True} if from_sorted_ids else {}
        super().__init__(sparse_top_k_categorical_accuracy, name=name, dtype=dtype, k=k, **options)
        self.k = k
        self.from_sorted_ids = from_sorted_ids


__all__ = [
    "Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy", "TopKCategoricalAccuracy", "accuracy", "binary_accuracy",
    "categorical_accuracy", "resolve_accuracy", "sparse_categorical_accuracy", "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]  # fmt: skip
