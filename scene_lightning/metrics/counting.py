"""Counts true and false positives and negatives at each of many thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from scene_lightning._objectives.shapes import match_ranks
from scene_lightning._settings import epsilon
from scene_lightning.errors import InputError
from scene_lightning.metrics.base import to_tensor

NEG_INF = -1e10


class Counts(NamedTuple):
    """Weighted counts, each (thresholds,) or, for several labels, (thresholds, labels)."""

    tp: Tensor
    fp: Tensor
    tn: Tensor
    fn: Tensor


class Thresholds:
    """Score limits in [0, 1], kept on the device where they were last used.

    Evenly spaced ones sort scores into buckets (memory as the batch), others compare each with each.

    Args:
        values: the limits, ascending.
    """

    def __init__(self, values: Sequence[float]) -> None:
        self.values = [float(value) for value in values]
        even = np.arange(len(values), dtype=np.float32) / max(len(values) - 1, 1)
        self.even = len(values) >= 3 and bool(np.allclose(self.values, even, atol=epsilon()))
        # thresholds a little outside [0, 1] count a score of exactly 0 as above the first
        self.with_epsilon = self.values[0] < 0.0 or self.values[-1] > 1.0
        self._tensor = torch.tensor(self.values, dtype=torch.float32)

    def __len__(self) -> int:
        return len(self.values)

    def on(self, device: torch.device) -> Tensor:
        """The limits as a tensor there."""
        if self._tensor.device != device:
            self._tensor = self._tensor.to(device)
        return self._tensor


def parse_thresholds(thresholds: Any, default: float) -> Thresholds:
    """What a user gave (a number, several, or None) as `Thresholds`.

    Args:
        thresholds: what a user gave.
        default: the limit when nothing was given.

    Raises:
        InputError: one of them lies outside [0, 1].
    """
    values = [default] if thresholds is None else list(thresholds) if np.ndim(thresholds) else [thresholds]
    bad = [t for t in values if thresholds is not None and (t is None or t < 0 or t > 1)]
    if bad:
        raise InputError(f"Thresholds lie in [0, 1]; received {bad}.")
    return Thresholds(values)


def _prepared(y_true: Any, y_pred: Any, top_k: int | None, class_id: int | None) -> tuple[Tensor, Tensor]:
    pred = to_tensor(y_pred, dtype=torch.float32)
    true = to_tensor(y_true, like=pred, dtype=torch.float32)
    pred, true = match_ranks(pred, true)
    if true.shape != pred.shape:
        raise InputError(
            f"Counting true and false positives needs y_true of y_pred's shape {tuple(pred.shape)}; received "
            f"{tuple(true.shape)}. Make integer labels one-hot with to_categorical() (class_mode='categorical')."
        )
    if top_k is not None:
        chosen = torch.zeros_like(pred).scatter_(-1, torch.topk(pred, top_k, dim=-1).indices, 1.0)
        pred = pred * chosen + NEG_INF * (1 - chosen)
    if class_id is not None:
        if pred.ndim == 1:
            raise InputError(f"class_id needs y_pred of shape (N, classes); received {tuple(pred.shape)}.")
        true, pred = true[..., class_id, None], pred[..., class_id, None]
    return true, pred


def _weights(true: Tensor, sample_weight: Any, label_weights: Tensor | None) -> Tensor:
    weights = torch.ones_like(true)
    if sample_weight is not None:
        given = to_tensor(sample_weight, like=true, dtype=torch.float32).unsqueeze(-1)
        given = match_ranks(true, given, expand_rank_1=False)[1]
        weights = given.broadcast_to(true.shape)
    return weights if label_weights is None else weights * label_weights.to(true.device)


def count(
    y_true: Any,
    y_pred: Any,
    thresholds: Thresholds,
    sample_weight: Any = None,
    top_k: int | None = None,
    class_id: int | None = None,
    multi_label: bool = False,
    label_weights: Tensor | None = None,
) -> Counts:
    """The counts of one batch; scores above a threshold are positive, labels other than 0 true.

    Args:
        y_true: labels, in the shape of `y_pred`.
        y_pred: scores in [0, 1].
        thresholds: limits above which a score is positive.
        sample_weight: weights that are broadcast to the labels; None: 1 each.
        top_k: only the k largest scores of a sample may be positive; None: all.
        class_id: only this class on the last axis counts; None: all.
        multi_label: whether each class on the last axis is counted by itself.
        label_weights: weight of each class, for `multi_label`.
    """
    true, pred = _prepared(y_true, y_pred, top_k, class_id)
    weights = _weights(true, sample_weight, label_weights)
    labels = true.shape[-1] if multi_label else 1
    positive = (true != 0).to(weights.dtype)
    rights = (positive * weights).reshape(-1, labels)
    wrongs = ((1.0 - positive) * weights).reshape(-1, labels)
    scores = pred.reshape(-1, labels)
    above = _above_in_buckets if thresholds.even else _above_by_comparison
    tp, fp = above(rights, scores, thresholds), above(wrongs, scores, thresholds)
    counts = Counts(tp, fp, wrongs.sum(dim=0) - fp, rights.sum(dim=0) - tp)
    return counts if multi_label else Counts(*(value.squeeze(-1) for value in counts))


def _above_by_comparison(weights: Tensor, scores: Tensor, thresholds: Thresholds) -> Tensor:
    """Σ weights where the score is above each threshold: (T, labels)."""
    limits = thresholds.on(scores.device).view(-1, 1, 1)
    return ((scores.unsqueeze(0) > limits) * weights.unsqueeze(0)).sum(dim=1)


def _above_in_buckets(weights: Tensor, scores: Tensor, thresholds: Thresholds) -> Tensor:
    """The same for evenly spaced thresholds, by a histogram summed from the top."""
    limits, labels = len(thresholds), weights.shape[1]
    bucket = torch.ceil(torch.clamp(scores, 0.0, 1.0) * (limits - 1)).long()  # number of thresholds below the score
    if thresholds.with_epsilon:
        bucket = torch.clamp(bucket, min=1)
    index = bucket * labels + torch.arange(labels, device=scores.device)
    histogram = torch.zeros((limits + 1) * labels, dtype=weights.dtype, device=scores.device)
    histogram.index_add_(0, index.reshape(-1), weights.reshape(-1))
    return histogram.view(limits + 1, labels).flip(0).cumsum(0).flip(0)[1:]


def divide_no_nan(a: Tensor, b: Tensor) -> Tensor:
    """a/b, and 0 where b is 0.

    Args:
        a: numerators.
        b: denominators, in a shape that broadcasts.
    """
    return torch.where(b == 0, torch.zeros_like(a), a / torch.where(b == 0, torch.ones_like(b), b))
