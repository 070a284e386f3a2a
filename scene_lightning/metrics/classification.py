"""Targets and predictions in; the share that is right out. Source: https://keras.io/api/metrics/accuracy_metrics"""

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
    """1 where y_true equals y_pred."""
    true, pred = match_ranks(*_both(y_true, y_pred))
    return (true == pred).float()


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Tensor:
    """1 where (y_pred > threshold) equals y_true; exactly the threshold counts as 0."""
    true, pred = match_ranks(*_both(y_true, y_pred))
    return (true == (pred > threshold).to(true.dtype)).float()


def categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 where both have their maximum at the same place; one-hot labels. Ties go to the first."""
    true, pred = _both(y_true, y_pred)
    if true.shape != pred.shape:  # Keras goes on too, and counts every label as class 0
        warnings.warn(
            f"categorical_accuracy needs one-hot labels {tuple(pred.shape)}; received {tuple(true.shape)}: the number "
            "means nothing. For integer labels use 'accuracy' or 'sparse_categorical_accuracy'.",
            stacklevel=3,
        )
    return (torch.argmax(true, dim=-1) == torch.argmax(pred, dim=-1)).float()


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 where the maximum of y_pred is at the integer label; labels (N,) or (N, 1)."""
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
    """1 where the one-hot label is among the k highest scores."""
    true, pred = _both(y_true, y_pred)
    return _in_top_k(torch.argmax(true, dim=-1), pred, k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Tensor:
    """1 where the integer label is among the k highest scores, or (`from_sorted_ids`) among the first k ids."""
    true, pred = _both(y_true, y_pred)
    if true.ndim == pred.ndim and true.shape[-1] == 1 and pred.ndim > 1:
        true = true.squeeze(-1)
    if from_sorted_ids:
        return (true.reshape(-1, 1) == pred.reshape(-1, pred.shape[-1])[:, :k]).any(dim=1).reshape(true.shape).float()
    return _in_top_k(true, pred, k)


def resolve_accuracy(y_true_shape: Any, y_pred_shape: Any, name: str = "accuracy") -> MeanMetricWrapper:
    """What 'accuracy' and 'acc' mean for these shapes: binary, sparse categorical or categorical."""
    binary, sparse = binary_or_sparse(tuple(y_true_shape), tuple(y_pred_shape))
    if binary:
        return BinaryAccuracy(name=name)
    return SparseCategoricalAccuracy(name=name) if sparse else CategoricalAccuracy(name=name)


class Accuracy(MeanMetricWrapper):
    """How often y_pred equals y_true exactly."""

    _direction = "up"

    def __init__(self, name: str | None = "accuracy", dtype: Any = None) -> None:
        super().__init__(accuracy, name=name, dtype=dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """How often y_pred > threshold says what the 0/1 label says."""

    _direction = "up"

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        if not 0 <= float(threshold) <= 1:
            raise InputError(f"BinaryAccuracy needs a threshold in [0, 1]; received {threshold!r}.")
        super().__init__(binary_accuracy, name=name, dtype=dtype, threshold=threshold)
        self.threshold = threshold


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the highest score is the one-hot label's."""

    _direction = "up"

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(categorical_accuracy, name=name, dtype=dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the highest score is the integer label's."""

    _direction = "up"

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(sparse_categorical_accuracy, name=name, dtype=dtype)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the one-hot label is among the k highest scores."""

    _direction = "up"

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(top_k_categorical_accuracy, name=name, dtype=dtype, k=k)
        self.k = k


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the integer label is among the k highest scores."""

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
