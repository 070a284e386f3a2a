"""F-scores of classes, and the coefficient of determination, R².

Sources: https://keras.io/api/metrics/classification_metrics, https://keras.io/api/metrics/regression_metrics
"""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import torch
from torch import Tensor

from scene_lightning._objectives.shapes import match_ranks
from scene_lightning._settings import epsilon
from scene_lightning.errors import InputError
from scene_lightning.metrics.base import Metric, to_tensor


class FBetaScore(Metric):
    """F-beta score, a weighted harmonic mean of precision and recall, for each class.

        (1 + beta²) · precision · recall / (beta² · precision + recall)

    y_true is one-hot; both have the shape (batch, classes).

    Args:
        average: None (one number a class), 'micro' (all entries together), 'macro' (mean of the classes) or 'weighted'
            (mean by the number of each class' samples).
        beta: how many times as much recall counts as precision; a float above 0.
        threshold: scores above it are positive, in (0, 1]; None: the highest score of a sample alone.
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.

    Raises:
        InputError: an argument out of its range.
    """

    _direction = "up"
    _arguments: ClassVar[tuple[str, ...]] = ("average", "beta", "threshold")
    true_positives: Tensor
    false_positives: Tensor
    false_negatives: Tensor
    intermediate_weights: Tensor

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if average not in (None, "micro", "macro", "weighted"):
            raise InputError(f"average is None, 'micro', 'macro' or 'weighted'; received {average!r}.")
        if not isinstance(beta, float) or beta <= 0:
            raise InputError(f"beta is a float > 0; received {beta!r}.")
        if threshold is not None and (not isinstance(threshold, float) or not 0 < threshold <= 1):
            raise InputError(f"threshold is None or a float in (0, 1]; received {threshold!r}.")
        self.average = average
        self.beta = beta
        self.threshold = threshold

    def _build(self, true: Tensor, pred: Tensor) -> None:
        if pred.ndim != 2 or true.shape != pred.shape:
            raise InputError(
                f"{type(self).__name__} needs one-hot y_true and y_pred (N, classes); received {tuple(true.shape)} and "
                f"{tuple(pred.shape)}. Make integer labels one-hot with to_categorical()."
            )
        if not self._defaults:
            zeros = torch.zeros(() if self.average == "micro" else pred.shape[1], device=pred.device)
            for state in ("true_positives", "false_positives", "false_negatives", "intermediate_weights"):
                self.add_state(state, zeros.clone(), dist_reduce_fx="sum")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        pred = to_tensor(y_pred, dtype=torch.float32)
        true = to_tensor(y_true, like=pred, dtype=torch.float32)
        self._build(true, pred)
        if self.threshold is None:
            chosen = (pred >= pred.amax(dim=-1, keepdim=True)) & (pred.abs() > 1e-9)
        else:
            chosen = pred > self.threshold
        positive = chosen.float()
        weight = None if sample_weight is None else to_tensor(sample_weight, like=pred, dtype=torch.float32)

        def total(values: Tensor) -> Tensor:
            values = values if weight is None else values * weight.reshape(-1, 1)
            return values.sum() if self.average == "micro" else values.sum(dim=0)

        self.true_positives = self.true_positives + total(positive * true)
        self.false_positives = self.false_positives + total(positive * (1 - true))
        self.false_negatives = self.false_negatives + total((1 - positive) * true)
        self.intermediate_weights = self.intermediate_weights + total(true)

    def result(self) -> Tensor:
        if not self._defaults:
            return torch.zeros(())
        precision = self.true_positives / (self.true_positives + self.false_positives + epsilon())
        recall = self.true_positives / (self.true_positives + self.false_negatives + epsilon())
        score = precision * recall / (self.beta**2 * precision + recall + epsilon()) * (1 + self.beta**2)
        if self.average == "weighted":
            return (score * (self.intermediate_weights / (self.intermediate_weights.sum() + epsilon()))).sum()
        return score if self.average is None else score.mean()


class F1Score(FBetaScore):
    """F1 score, the harmonic mean of precision and recall, for each class: `FBetaScore` with beta = 1.

    y_true is one-hot; both have the shape (batch, classes).

    Args:
        average: None (one number a class), 'micro' (all entries together), 'macro' (mean of the classes) or 'weighted'
            (mean by the number of each class' samples).
        threshold: scores above it are positive, in (0, 1]; None: the highest score of a sample alone.
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.

    Raises:
        InputError: an argument out of its range.
    """

    _arguments = ("average", "threshold")

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average=average, beta=1.0, threshold=threshold, name=name, dtype=dtype)


class R2Score(Metric):
    """Coefficient of determination, R²: 1 − squared error ÷ variance of the targets, for each column.

    1 is perfect, 0 as good as always predicting the mean. y_true and y_pred have the shape (batch, outputs).

    Args:
        class_aggregation: 'uniform_average' (mean over columns), 'variance_weighted_average' (by the targets' variance)
            or None (one number a column).
        num_regressors: number of independent variables, for the adjusted R²; 0 gives the plain one.
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.

    Raises:
        InputError: an argument out of its range.
    """

    _direction = "up"
    _arguments = ("class_aggregation", "num_regressors")
    num_samples: Tensor
    total: Tensor
    squared_total: Tensor
    residual: Tensor
    count: Tensor

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if class_aggregation not in (None, "uniform_average", "variance_weighted_average"):
            raise InputError(
                "class_aggregation is None, 'uniform_average' or 'variance_weighted_average'; "
                f"received {class_aggregation!r}."
            )
        if num_regressors < 0:
            raise InputError(f"num_regressors is an int ≥ 0; received {num_regressors}.")
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        pred = to_tensor(y_pred, dtype=torch.float32)
        true, pred = match_ranks(to_tensor(y_true, like=pred, dtype=torch.float32), pred)
        if pred.ndim != 2 or true.shape != pred.shape:
            raise InputError(f"R2Score needs two arrays (N, k); received {tuple(true.shape)} and {tuple(pred.shape)}.")
        if not self._defaults:
            self.add_state("num_samples", torch.zeros((), device=pred.device), dist_reduce_fx="sum")
            for state in ("total", "squared_total", "residual", "count"):
                self.add_state(state, torch.zeros(pred.shape[1], device=pred.device), dist_reduce_fx="sum")
        weight = torch.ones_like(true)
        if sample_weight is not None:
            given = to_tensor(sample_weight, like=pred, dtype=torch.float32)
            weight = (given.unsqueeze(1) if given.ndim == 1 else given).broadcast_to(true.shape)
        self.total = self.total + (true * weight).sum(dim=0)
        self.squared_total = self.squared_total + (true.square() * weight).sum(dim=0)
        self.residual = self.residual + ((true - pred).square() * weight).sum(dim=0)
        self.count = self.count + weight.sum(dim=0)
        self.num_samples = self.num_samples + true.numel()

    def result(self) -> Tensor:
        if not self._defaults:
            return torch.zeros(())
        spread = self.squared_total - self.total * (self.total / self.count)
        raw = 1 - self.residual / spread
        raw = torch.where(torch.isinf(raw), 0.0, raw)
        if self.class_aggregation == "uniform_average":
            score = raw.mean()
        elif self.class_aggregation == "variance_weighted_average":
            score = (spread * raw).sum() / spread.sum()
        else:
            score = raw
        return self._adjusted(score) if self.num_regressors else score

    def _adjusted(self, score: Tensor) -> Tensor:
        n, p = self.num_samples, self.num_regressors
        too_few = p >= n - 1
        if n.device.type == "cpu" and too_few:  # a GPU would wait for the answer
            warnings.warn(
                "R2Score: too few samples to adjust for num_regressors; the plain score is given.", stacklevel=2
            )
        adjusted = 1.0 - (1.0 - score) * (n - 1.0) / torch.where(too_few, 1.0, n - p - 1.0)
        return torch.where(too_few, score, adjusted)
