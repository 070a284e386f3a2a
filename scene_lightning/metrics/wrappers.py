"""Targets and predictions in; the running mean of one of the objective functions out.

Sources: https://keras.io/api/metrics/ (probabilistic, regression and hinge metrics)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scene_lightning import _objectives as fn
from scene_lightning._objectives.shapes import as_prediction, as_target, match_ranks, pair
from scene_lightning._settings import epsilon
from scene_lightning.metrics.base import Mean, MeanMetricWrapper


class _Named(MeanMetricWrapper):
    """The mean of one function without options."""

    _direction = "down"
    _function: Any
    _default_name: str

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(type(self)._function, name=name or self._default_name, dtype=dtype)


class MeanSquaredError(_Named):
    """mean (t − p)²."""

    _function = staticmethod(fn.mean_squared_error)
    _default_name = "mean_squared_error"


class MeanAbsoluteError(_Named):
    """mean |t − p|."""

    _function = staticmethod(fn.mean_absolute_error)
    _default_name = "mean_absolute_error"


class MeanAbsolutePercentageError(_Named):
    """100 · mean |(t − p)/t|."""

    _function = staticmethod(fn.mean_absolute_percentage_error)
    _default_name = "mean_absolute_percentage_error"


class MeanSquaredLogarithmicError(_Named):
    """mean (log(p + 1) − log(t + 1))²."""

    _function = staticmethod(fn.mean_squared_logarithmic_error)
    _default_name = "mean_squared_logarithmic_error"


class LogCoshError(_Named):
    """mean log(cosh(p − t))."""

    _function = staticmethod(fn.log_cosh)
    _default_name = "logcosh"


class Hinge(_Named):
    """mean max(1 − t·p, 0)."""

    _function = staticmethod(fn.hinge)
    _default_name = "hinge"


class SquaredHinge(_Named):
    """mean max(1 − t·p, 0)²."""

    _function = staticmethod(fn.squared_hinge)
    _default_name = "squared_hinge"


class CategoricalHinge(_Named):
    """max(max((1−t)·p) − Σ t·p + 1, 0)."""

    _function = staticmethod(fn.categorical_hinge)
    _default_name = "categorical_hinge"


class KLDivergence(_Named):
    """Σ t·log(t/p)."""

    _function = staticmethod(fn.kl_divergence)
    _default_name = "kl_divergence"


class Poisson(_Named):
    """mean p − t·log p."""

    _function = staticmethod(fn.poisson)
    _default_name = "poisson"


class BinaryCrossentropy(MeanMetricWrapper):
    """Mean cross-entropy of independent labels."""

    _direction = "down"

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        super().__init__(
            fn.binary_crossentropy, name=name, dtype=dtype, from_logits=from_logits, label_smoothing=label_smoothing
        )


class CategoricalCrossentropy(MeanMetricWrapper):
    """Mean cross-entropy of one-hot labels."""

    _direction = "down"

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(
            fn.categorical_crossentropy,
            name=name,
            dtype=dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """Mean cross-entropy of integer labels."""

    _direction = "down"

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(
            fn.sparse_categorical_crossentropy,
            name=name,
            dtype=dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """cos of the angle between t and p: 1 when they point the same way (the loss of that name has a minus)."""
    return -fn.cosine_similarity(y_true, y_pred, axis=axis)


class CosineSimilarity(MeanMetricWrapper):
    """Mean cosine of the angle between t and p."""

    _direction = "up"

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(cosine_similarity, name=name, dtype=dtype, axis=axis)


class RootMeanSquaredError(Mean):
    """sqrt(mean (t − p)²), the mean over everything seen."""

    _direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        prediction = as_prediction(y_pred)
        target, prediction = match_ranks(as_target(y_true, prediction), prediction)
        super().update_state((prediction - target).square(), sample_weight=sample_weight)

    def result(self) -> Tensor:
        return torch.sqrt(super().result())


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """Pearson's correlation of t and p along `axis`."""
    t, p = pair(y_true, y_pred)
    t = t - t.mean(dim=axis, keepdim=True)
    p = p - p.mean(dim=axis, keepdim=True)
    t = t / t.std(dim=axis, keepdim=True, correction=0)
    p = p / p.std(dim=axis, keepdim=True, correction=0)
    return (t * p).mean(dim=axis)


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """Lin's concordance correlation along `axis`, as Keras computes it."""
    t, p = pair(y_true, y_pred)
    t_mean, p_mean = t.mean(dim=axis, keepdim=True), p.mean(dim=axis, keepdim=True)
    spread = t.var(dim=axis, keepdim=True, correction=0) + p.var(dim=axis, keepdim=True, correction=0)
    norm = spread + (t_mean - p_mean).square()
    return (2 * (t - p_mean) * (p - p_mean) / (norm + epsilon())).mean(dim=axis)


class PearsonCorrelation(MeanMetricWrapper):
    """Mean Pearson correlation."""

    _direction = "up"

    def __init__(self, name: str | None = "pearson_correlation", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(pearson_correlation, name=name, dtype=dtype, axis=axis)


class ConcordanceCorrelation(MeanMetricWrapper):
    """Mean concordance correlation."""

    _direction = "up"

    def __init__(self, name: str | None = "concordance_correlation", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(concordance_correlation, name=name, dtype=dtype, axis=axis)
